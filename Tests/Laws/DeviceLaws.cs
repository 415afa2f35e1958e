using Tapegrad.Devices;
using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad.Laws;

/// <summary>
/// The laws of devices: every verb, and every kernel that a device offers, against the reference device or the
/// definition in plain loops, on shapes that are empty, one, prime, around the sizes of vectors and blocks, and large.
/// An error may be as large as the roundings of the device's type explain; what rounds nothing is exact. A verb leaves
/// its inputs as they are, writes every element of its result (which is full of NaN before), and has the same bits when
/// it is called again, and on one, two and three threads.
/// </summary>
/// <remarks>
/// Needs no test runner and prints nothing. Results are read with <see cref="Device.Read(Buffer, Span{double})"/>.
/// </remarks>
public static class DeviceLaws
{
    /// <summary>The names of everything that is checked, verbs first.</summary>
    public static IReadOnlyList<string> Verbs { get; } = [.. All(null).Select(one => one.Verb).Distinct()];

    /// <summary>Checks every verb of a device, and the kernels that it offers.</summary>
    /// <exception cref="DeviceLawException">A verb breaks a law.</exception>
    public static void Check(Device device)
    {
        foreach (var verb in Verbs) Check(device, verb);
    }

    /// <summary>Checks one verb, by its name in <see cref="Verbs"/>.</summary>
    /// <exception cref="DeviceLawException">It breaks a law.</exception>
    public static void Check(Device device, string verb)
    {
        if (!Verbs.Contains(verb))
            throw new ArgumentException($"'{verb}' is none of {string.Join(", ", Verbs)}.", nameof(verb));
        foreach (var one in All(verb))
            if (one.IsOffered(device)) Check(device, one);
    }

    private static IEnumerable<DeviceCase> All(string? verb) =>
        DeviceLawsOfVerbs.All(verb).Concat(DeviceLawsOfSums.All(verb)).Concat(DeviceLawsOfKernels.All(verb));

    private static void Check(Device device, DeviceCase one)
    {
        var eps = device.Element == typeof(float) ? Math.Pow(2, -23) : Math.Pow(2, -52);
        var expected = one.Expected();
        var magnitudes = one.Magnitudes?.Invoke() ?? expected;
        var largest = device.Element == typeof(float) ? float.MaxValue : double.MaxValue;
        // Four times the least number that the type holds, too: results below the normal range are rounded to multiples
        // of it.
        var absolute = one.Absolute(eps) + 4 * float.Epsilon;
        var actual = On(1, one, () => Run(device, one));
        for (var i = 0; i < expected.Length; i++)
        {
            var (e, a) = (expected[i], actual[i]);
            var allowed = one.Roundings == 0 ? 0 : one.Roundings * eps * Math.Abs(magnitudes[i]) + absolute;
            var isClose = e.Equals(a) || e == a || Math.Abs(e - a) <= allowed
                || one.Roundings > 0 && Math.Abs(e) > largest * (1 - one.Roundings * eps)
                && a == Math.CopySign(double.PositiveInfinity, e);
            if (!isClose) throw new DeviceLawException(one.Verb, FormattableString.Invariant(
                $"{device}: {one.Verb}, {one.What}: element {i} is {a:R}; it should be {e:R} (allowed error {allowed:G3})."));
        }
        On(1, one, () => CheckBits(device, one, "a second time", actual));
        foreach (var threads in (int[])[2, 3])
            if (one.IsLarge) On(threads, one, () => CheckBits(device, one, $"on {threads} threads", actual));
    }

    // Computes a large case on so many threads.
    private static double[] On(int threads, DeviceCase one, Func<double[]> compute)
    {
        if (!one.IsLarge) return compute();
        lock (typeof(Workers))   // the number of threads is the process's
        {
            var before = Workers.Threads;
            try
            {
                Workers.Threads = threads;
                return compute();
            }
            finally
            {
                Workers.Threads = before;
            }
        }
    }

    private static double[] CheckBits(Device device, DeviceCase one, string when, double[] first)
    {
        var again = Run(device, one);
        for (var i = 0; i < first.Length; i++)
            if (BitConverter.DoubleToInt64Bits(first[i]) != BitConverter.DoubleToInt64Bits(again[i])
                && !(double.IsNaN(first[i]) && double.IsNaN(again[i])))
                throw new DeviceLawException(one.Verb, FormattableString.Invariant(
                    $"{device}: {one.Verb}, {one.What}: element {i} is {first[i]:R}, and {when} {again[i]:R}; the bits must be the same."));
        return again;
    }

    /// <summary>What a device computes in a case; its inputs must be what they were.</summary>
    internal static double[] Run(Device device, DeviceCase one)
    {
        var inputs = one.Inputs.Select(values => Filled(device, values)).ToArray();
        var y = device.Pool.Rent(one.Length);
        device.Fill(y, double.NaN);
        one.Run(device, inputs, y);
        for (var input = 0; input < inputs.Length; input++)
        {
            var now = Read(device, inputs[input]);
            for (var i = 0; i < now.Length; i++)
                if (!now[i].Equals(one.Inputs[input][i]))
                    throw new DeviceLawException(one.Verb, FormattableString.Invariant(
                        $"{device}: {one.Verb}, {one.What}: element {i} of input {input} was {one.Inputs[input][i]:R} and is {now[i]:R} now."));
        }
        var result = Read(device, y);
        foreach (var buffer in inputs.Append(y))
        {
            device.Fill(buffer, double.NaN);   // whoever is given this memory next must write what it reads
            device.Pool.Return(buffer);
        }
        return result;
    }

    internal static Buffer Filled(Device device, double[] values)
    {
        var buffer = device.Pool.Rent(values.Length);
        device.Write(values, buffer);
        return buffer;
    }

    internal static double[] Read(Device device, Buffer buffer)
    {
        var result = new double[buffer.Length];
        device.Read(buffer, result);
        return result;
    }
}

/// <summary>A law of devices that does not hold.</summary>
public sealed class DeviceLawException(string verb, string message) : Exception(message)
{
    /// <summary>The verb that breaks it, one of <see cref="DeviceLaws.Verbs"/>.</summary>
    public string Verb { get; } = verb;
}

/// <summary>One call of a verb.</summary>
/// <param name="Verb">The verb.</param>
/// <param name="What">The shapes, for the report.</param>
/// <param name="Inputs">The numbers that go in, as floats hold them.</param>
/// <param name="Length">The length of what comes out.</param>
/// <param name="Run">The call.</param>
internal sealed record DeviceCase(string Verb, string What, double[][] Inputs, int Length,
    Action<Device, Buffer[], Buffer> Run)
{
    /// <summary>
    /// How many roundings an element may have seen, each of half a unit in the last place of <see cref="Magnitudes"/>;
    /// 0: it is exact.
    /// </summary>
    public double Roundings { get; init; }

    /// <summary>What the errors are proportional to; null: the expected numbers.</summary>
    public Func<double[]>? Magnitudes { get; init; }

    /// <summary>An error beside that, of the whole result, in terms of the type's precision.</summary>
    public Func<double, double> Absolute { get; init; } = _ => 0;

    /// <summary>What should come out; null: what the reference device computes.</summary>
    public Func<double[]>? Definition { get; init; }

    /// <summary>Whether the device offers it.</summary>
    public Func<Device, bool> IsOffered { get; init; } = _ => true;

    /// <summary>Whether it is large enough for threads.</summary>
    public bool IsLarge => Inputs.Sum(input => (long)input.Length) + Length > 60_000;

    public double[] Expected() => Definition?.Invoke() ?? DeviceLaws.Run(Device.Reference, this);

    /// <summary>For a sum of products: the magnitudes are the sum of the magnitudes.</summary>
    public DeviceCase Summing(double roundings) => this with
    {
        Roundings = roundings,
        Magnitudes = () =>
        DeviceLaws.Run(Device.Reference,
            this with { Inputs = [.. Inputs.Select(input => Array.ConvertAll(input, Math.Abs))] }),
    };

    /// <summary>Normal numbers, as floats hold them.</summary>
    public static double[] Normal(int count, int seed)
    {
        var random = new RandomSource(seed);
        var result = new double[count];
        for (var i = 0; i < count; i++) result[i] = (float)random.Normal(i);
        return result;
    }
}
