using Tapegrad.Devices;

namespace Tapegrad.Laws;

/// <summary>
/// Compares numbers, and says what differs. A number that is none is equal to nothing, itself included.
/// </summary>
internal static class Compare
{
    private const double ReferenceTolerance = 1e-9;

    /// <summary>The law that one function obeys on one device: recorded sweeps are like plain ones.</summary>
    public static void Alone(Sweeps sweeps, Device device, LawOptions options, string where = "")
    {
        if (!options.Checks(Law.RecordedGradient)) return;
        var tolerance = device == Device.Reference ? ReferenceTolerance : options.CpuTolerance;
        All(Comparison.RecordedGradient, $"on the {device} device{where}", sweeps.Plain, sweeps.Recorded, tolerance,
            "from a plain one");
    }

    /// <summary>The law that both devices agree.</summary>
    public static void Agree(Sweeps reference, Sweeps cpu, LawOptions options, string where = "")
    {
        if (!options.Checks(Law.DevicesAgree)) return;
        if (cpu.Shape != reference.Shape)
            throw new LawViolation(Comparison.DevicesShape,
                $"{Comparison.DevicesShape.What} on the CPU device is {cpu.Shape}, on the reference "
                + $"device {reference.Shape}.");
        const string Other = "on the reference device";
        where = $"on the CPU device{where}";
        Close(Comparison.DevicesValue, where, reference.Value, cpu.Value, options.CpuTolerance, Other);
        All(Comparison.DevicesGradient, where, reference.Plain, cpu.Plain, options.CpuTolerance, Other);
        All(Comparison.DevicesSecondDerivative, where, reference.Second, cpu.Second, options.CpuTolerance, Other);
    }

    /// <summary>The law that the number of threads changes no bit of the value and of the gradients.</summary>
    public static void Threads(Func<Sweeps> compute)
    {
        lock (typeof(Workers))   // the number of threads is the process's
        {
            var before = Workers.Threads;
            try
            {
                Workers.Threads = 1;
                var one = compute();
                foreach (var threads in (int[])[2, 3])
                {
                    Workers.Threads = threads;
                    var several = compute();
                    Bits(Comparison.ThreadsValue, $"on {threads} threads", one.Value, several.Value, "on one");
                    for (var i = 0; i < one.Plain.Length; i++)
                        Bits(Comparison.ThreadsGradient, $"of variable {i} on {threads} threads", one.Plain[i],
                            several.Plain[i], "on one");
                }
            }
            finally
            {
                Workers.Threads = before;
            }
        }
    }

    /// <summary>Throws unless the numbers are the same to the bit.</summary>
    public static void Bits(Comparison comparison, string where, double[] expected, double[] actual, string other) =>
        Each(comparison, where, expected, actual, other, "the bits must be the same",
            (x, y) => BitConverter.DoubleToInt64Bits(x) == BitConverter.DoubleToInt64Bits(y));

    /// <summary>
    /// Throws unless each element differs by at most the tolerance times the largest magnitude, which counts as 1 if it
    /// is smaller.
    /// </summary>
    public static void Close(Comparison comparison, string where, double[] expected, double[] actual, double tolerance,
        string other)
    {
        var allowed = tolerance * expected.Select(Math.Abs).Where(double.IsFinite).Append(1).Max();
        Each(comparison, where, expected, actual, other, FormattableString.Invariant($"allowed error {allowed:G3}"),
            (x, y) => x.Equals(y) || Math.Abs(x - y) <= allowed);   // equal infinities have no difference
    }

    /// <summary>Throws unless the numbers are finite.</summary>
    public static void Finite(Comparison comparison, string where, double[] numbers)
    {
        var index = Array.FindIndex(numbers, number => !double.IsFinite(number));
        if (index < 0) return;
        throw new LawViolation(comparison,
            FormattableString.Invariant($"{comparison.What} {where} is {numbers[index]} at element {index}."));
    }

    private static void Each(Comparison comparison, string where, double[] expected, double[] actual, string other,
        string how, Func<double, double, bool> isRight)
    {
        if (expected.Length != actual.Length)
            throw new LawViolation(comparison,
                $"{comparison.What} {where} has {actual.Length} elements; {other} {expected.Length}.");
        for (var i = 0; i < expected.Length; i++)
            if (double.IsNaN(actual[i]) || !isRight(expected[i], actual[i]))
                throw new LawViolation(comparison,
                    FormattableString.Invariant($"{comparison.What} {where} is {actual[i]:R} at element {i}; ")
                    + FormattableString.Invariant($"{other} it is {expected[i]:R} ({how})."));
    }

    private static void All(Comparison comparison, string where, double[][] expected, double[][] actual,
        double tolerance, string other)
    {
        for (var i = 0; i < expected.Length; i++)
            Close(comparison, $"{where}, of variable {i},", expected[i], actual[i], tolerance, other);
    }
}
