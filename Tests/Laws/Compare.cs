using Tapegrad.Devices;

namespace Tapegrad.Laws;

/// <summary>Compares numbers, and says what differs.</summary>
internal static class Compare
{
    private const double ReferenceTolerance = 1e-9;

    /// <summary>The laws that one function obeys on one device: shapes of gradients, recorded sweeps like plain ones.</summary>
    public static void Alone(Sweeps sweeps, Device device, IReadOnlyList<Shape> variables, LawOptions options)
    {
        for (var i = 0; i < variables.Count && options.Checks(Law.GradientShape); i++)
            if (sweeps.GradientShapes[i] != variables[i])
                throw new LawViolation(Law.GradientShape,
                    $"the gradient of variable {i} has the shape {sweeps.GradientShapes[i]} instead of {variables[i]}.");
        if (options.Checks(Law.RecordedGradient))
            All(Law.RecordedGradient, $"the gradient from a recorded sweep on the {device} device", sweeps.Plain, sweeps.Recorded,
                device == Device.Reference ? ReferenceTolerance : options.CpuTolerance, "from a plain one");
    }

    /// <summary>The law that both devices agree.</summary>
    public static void Agree(Sweeps reference, Sweeps cpu, LawOptions options, string values = "")
    {
        if (!options.Checks(Law.DevicesAgree)) return;
        if (cpu.Shape != reference.Shape)
            throw new LawViolation(Law.DevicesAgree, $"the shape on the CPU device is {cpu.Shape}, on the reference device {reference.Shape}.");
        const string Other = "on the reference device";
        Close(Law.DevicesAgree, $"the value on the CPU device{values}", reference.Value, cpu.Value, options.CpuTolerance, Other);
        All(Law.DevicesAgree, $"the gradient on the CPU device{values}", reference.Plain, cpu.Plain, options.CpuTolerance, Other);
        All(Law.DevicesAgree, $"the second derivative on the CPU device{values}", reference.Second, cpu.Second, options.CpuTolerance, Other);
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
                    Bits(Law.ThreadsAgree, $"the value on {threads} threads", one.Value, several.Value, "on one");
                    for (var i = 0; i < one.Plain.Length; i++)
                        Bits(Law.ThreadsAgree, $"the gradient of variable {i} on {threads} threads", one.Plain[i], several.Plain[i], "on one");
                }
            }
            finally
            {
                Workers.Threads = before;
            }
        }
    }

    /// <summary>Throws unless the numbers are the same to the bit.</summary>
    public static void Bits(Law law, string what, double[] expected, double[] actual, string other)
    {
        for (var i = 0; i < expected.Length; i++)
            if (BitConverter.DoubleToInt64Bits(expected[i]) != BitConverter.DoubleToInt64Bits(actual[i]))
                throw Differs(law, what, i, $"{actual[i]:R}", other, $"{expected[i]:R}", $"the bits must be the same");
    }

    /// <summary>Throws unless each element differs by at most the tolerance times the largest magnitude, which counts as 1 if it
    /// is smaller.</summary>
    public static void Close(Law law, string what, double[] expected, double[] actual, double tolerance, string other)
    {
        var allowed = tolerance * expected.Select(Math.Abs).Where(double.IsFinite).Append(1).Max();
        for (var i = 0; i < expected.Length; i++)
            if (!expected[i].Equals(actual[i]) && !(Math.Abs(expected[i] - actual[i]) <= allowed))
                throw Differs(law, what, i, $"{actual[i]:G9}", other, $"{expected[i]:G9}", $"allowed error {allowed:G3}");
    }

    private static LawViolation Differs(
        Law law, string what, int element, FormattableString actual, string other, FormattableString expected, FormattableString how) =>
        new(law, $"{what} is {Text(actual)} at element {element}; {other} it is {Text(expected)} ({Text(how)}).");

    private static string Text(FormattableString text) => FormattableString.Invariant(text);

    private static void All(Law law, string what, double[][] expected, double[][] actual, double tolerance, string other)
    {
        for (var i = 0; i < expected.Length; i++) Close(law, $"{what} (variable {i})", expected[i], actual[i], tolerance, other);
    }
}
