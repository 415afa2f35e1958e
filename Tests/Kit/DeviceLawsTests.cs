using Tapegrad.Devices;
using Tapegrad.Laws;
using Tapegrad.Memory;
using Xunit;
using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad.Tests.Kit;

/// <summary>Both devices obey the laws of devices, and a device that is wrong in one verb, in one way, is found out.</summary>
public sealed class DeviceLawsTests
{
    public static TheoryData<string> Verbs => [.. DeviceLaws.Verbs];

    [Theory]
    [MemberData(nameof(Verbs))]
    public void The_cpu_device_obeys_them(string verb) => DeviceLaws.Check(Device.Cpu, verb);

    [Theory]
    [MemberData(nameof(Verbs))]
    public void The_direct_convolutions_obey_them(string verb)
    {
        if (verb.StartsWith("Convolve")) DeviceLaws.Check(new CpuDevice { UsesWinograd = false }, verb);
    }

    [Theory]
    [MemberData(nameof(Verbs))]
    public void The_reference_device_obeys_them(string verb) => DeviceLaws.Check(Device.Reference, verb);

    [Fact]
    public void A_device_that_does_nothing_wrong_passes_behind_a_wrapper() => DeviceLaws.Check(new Offender(Device.Cpu, "", Offence.None));

    [Fact]
    public void A_name_that_is_no_verb_is_refused() =>
        Assert.Contains("'Multiply'", Assert.Throws<ArgumentException>(() => DeviceLaws.Check(Device.Cpu, "Multiply")).Message);

    /// <summary>What an offender does to a result, or instead of one.</summary>
    public enum Offence
    {
        None, LastElement, FirstElement, SlightlyOff, NotWritten, ChangesItsInput, AnotherTime, OnThreads,
    }

    public static TheoryData<string, Offence> Offences()
    {
        var all = new TheoryData<string, Offence>();
        foreach (var verb in DeviceLaws.Verbs)
            foreach (var offence in Enum.GetValues<Offence>())
                if (offence != Offence.None && !(verb is "Write and Read" or "Fill" or "FillUniform" or "FillNormal" or "ReadMoments" && offence == Offence.ChangesItsInput)
                    && !(verb == "FirstNonFinite" && offence is Offence.SlightlyOff or Offence.FirstElement or Offence.NotWritten)
                    && !(verb == "CheckUpdate" && offence is Offence.SlightlyOff)
                    && !(verb == "Fill" && offence == Offence.NotWritten)) all.Add(verb, offence);
        return all;
    }

    [Theory]
    [MemberData(nameof(Offences))]
    public void A_wrong_verb_is_found_out_by_name(string verb, Offence offence) =>
        Assert.Equal(verb, Assert.Throws<DeviceLawException>(() => DeviceLaws.Check(new Offender(Device.Cpu, verb, offence), verb)).Verb);

    // The CPU device, but for one verb. (It hands its own verbs on, so it is the CPU's buffers that it makes.)
    private sealed class Offender(CpuDevice inner, string verb, Offence offence) : Device("offender"), IConvolutionKernels, INormalizationKernels, IPoolingKernels
    {
        private int calls;

        public override Type Element => inner.Element;

        protected override Buffer Create(int length) => new HostBuffer<float>(length);

        // Calls the verb, and does wrong to its result, or to an input.
        private void Do(string name, Action call, Buffer result, params ReadOnlySpan<Buffer?> inputs)
        {
            if (name != verb || offence == Offence.None)
            {
                call();
                return;
            }
            var input = inputs.IndexOfAnyExcept((Buffer?)null) is var i and >= 0 ? inputs[i] : null;
            var before = Numbers(result).ToArray();
            call();
            var numbers = Numbers(result);
            if (numbers.Length == 0) return;
            switch (offence)
            {
                case Offence.LastElement:
                    numbers[^1] = numbers[^1] * 1.5f + 1;
                    break;
                case Offence.FirstElement:
                    numbers[0] = numbers[0] * 1.5f + 1;
                    break;
                case Offence.SlightlyOff:
                    foreach (ref var number in numbers) number *= 1.001f;
                    break;
                case Offence.NotWritten:
                    numbers[^1] = before[^1];
                    break;
                case Offence.ChangesItsInput:
                    if (input is { Length: > 0 }) Numbers(input)[0] += 1;
                    break;
                case Offence.AnotherTime:
                    if (calls++ % 2 == 1) numbers[^1] = MathF.BitIncrement(numbers[^1]);
                    break;
                case Offence.OnThreads:
                    if ((numbers.Length > 5000 || name is "CheckUpdate" or "ReadMoments") && Workers.Threads == 3) numbers[^1] = MathF.BitIncrement(numbers[^1]);
                    break;
            }
        }

        private static Span<float> Numbers(Buffer buffer) => ((HostBuffer<float>)buffer).Span;

        public override void Write(ReadOnlySpan<double> source, Buffer target)
        {
            double[] copy = [.. source];
            Do("Write and Read", () => inner.Write(copy, target), target);
        }

        public override void Write(ReadOnlySpan<float> source, Buffer target)
        {
            float[] copy = [.. source];
            Do("Write and Read", () => inner.Write(copy, target), target);
        }

        public override void Read(Buffer source, Span<double> target) => inner.Read(source, target);

        public override void Read(Buffer source, Span<float> target) => inner.Read(source, target);

        public override void Fill(Buffer target, double value)
        {
            if (double.IsNaN(value)) inner.Fill(target, value);   // the laws' own preparation
            else Do("Fill", () => inner.Fill(target, value), target);
        }

        public override void Copy(Shape extent, Buffer source, Walk from, Buffer target, Walk to) =>
            Do("Copy", () => inner.Copy(extent, source, from, target, to), target, source);

        public override void Map<TMap>(TMap map, Buffer x, Buffer y) => Do("Map", () => inner.Map(map, x, y), y, x);

        public override void Zip<TZip>(TZip zip, Buffer a, Shape shapeA, Buffer b, Shape shapeB, Buffer y, Shape shape) =>
            Do("Zip", () => inner.Zip(zip, a, shapeA, b, shapeB, y, shape), y, b);

        public override void Fold<TFold>(TFold fold, Buffer x, Shape shape, ReadOnlySpan<int> axes, Buffer y)
        {
            int[] copy = [.. axes];
            Do("Fold", () => inner.Fold(fold, x, shape, copy, y), y, x);
        }

        public override void MatrixProduct(MatrixProductGeometry geometry, Buffer a, Buffer b, Buffer y) =>
            Do("MatrixProduct", () => inner.MatrixProduct(geometry, a, b, y), y, b);

        public override void ExtractWindows(WindowGeometry geometry, Buffer x, Buffer windows) =>
            Do("ExtractWindows", () => inner.ExtractWindows(geometry, x, windows), windows, x);

        public override void AddWindows(WindowGeometry geometry, Buffer windows, Buffer x) =>
            Do("AddWindows", () => inner.AddWindows(geometry, windows, x), x, windows);

        public override void Gather(GatherGeometry geometry, Buffer x, Buffer y) => Do("Gather", () => inner.Gather(geometry, x, y), y, x);

        public override void AddGathered(GatherGeometry geometry, Buffer y, Buffer x) => Do("AddGathered", () => inner.AddGathered(geometry, y, x), x, y);

        public override void FillUniform(Buffer target, RandomSource random) => Do("FillUniform", () => inner.FillUniform(target, random), target);

        public override void FillNormal(Buffer target, RandomSource random) => Do("FillNormal", () => inner.FillNormal(target, random), target);

        public override void Update<TUpdate>(TUpdate update, Buffer parameter, Buffer gradient, Buffer? first, Buffer? second) =>
            Do("Update", () => inner.Update(update, parameter, gradient, first, second), second ?? first ?? parameter, gradient);

        public override void CheckUpdate<TUpdate>(TUpdate update, Buffer parameter, Buffer gradient, Buffer? first, Buffer? second, Buffer y) =>
            Do("CheckUpdate", () => inner.CheckUpdate(update, parameter, gradient, first, second, y), y, gradient);

        public override (int Buffer, int Element)? FirstNonFinite(ReadOnlySpan<Buffer> buffers)
        {
            var found = inner.FirstNonFinite(buffers);
            if (verb != "FirstNonFinite") return found;
            if (offence == Offence.ChangesItsInput) Numbers(buffers[1])[2] += 1;
            return offence switch
            {
                Offence.LastElement => found is (4, 70_000) ? null : found,
                Offence.AnotherTime when calls++ % 2 == 1 => (0, 0),
                Offence.OnThreads when Workers.Threads == 3 => (0, 0),
                _ => found,
            };
        }

        public void Convolve(ConvolutionGeometry geometry, Buffer x, Buffer w, Buffer? bias, Buffer y) =>
            Do("Convolve", () => inner.Convolve(geometry, x, w, bias, y), y, w);

        public void ConvolveInputGradient(ConvolutionGeometry geometry, Buffer gradient, Buffer w, Buffer xGradient) =>
            Do("ConvolveInputGradient", () => inner.ConvolveInputGradient(geometry, gradient, w, xGradient), xGradient, w);

        public void ConvolveWeightGradient(ConvolutionGeometry geometry, Buffer x, Buffer gradient, Buffer wGradient) =>
            Do("ConvolveWeightGradient", () => inner.ConvolveWeightGradient(geometry, x, gradient, wGradient), wGradient, x);

        public void Normalize(NormalizationGeometry geometry, Buffer x, Buffer? gamma, Buffer? beta, Buffer? residual, Buffer statistics, Buffer y) =>
            Do("Normalize", () => inner.Normalize(geometry, x, gamma, beta, residual, statistics, y), y, x);

        public void ReadMoments(Buffer statistics, Buffer mean, Buffer variance) =>
            Do("ReadMoments", () => inner.ReadMoments(statistics, mean, variance), variance);

        public void NormalizeGradient(NormalizationGeometry geometry, Buffer x, Buffer? gamma, Buffer? beta, Buffer statistics, Buffer? y, Buffer gradient,
            Buffer xGradient, Buffer gammaGradient, Buffer betaGradient, Buffer? residualGradient) =>
            Do("NormalizeGradient", () => inner.NormalizeGradient(geometry, x, gamma, beta, statistics, y, gradient, xGradient, gammaGradient, betaGradient,
                residualGradient), xGradient, gradient);

        public void MaxPool(WindowGeometry geometry, Buffer x, Buffer y) => Do("MaxPool", () => inner.MaxPool(geometry, x, y), y, x);

        public void MaxPoolGradient(WindowGeometry geometry, Buffer x, Buffer gradient, Buffer xGradient) =>
            Do("MaxPoolGradient", () => inner.MaxPoolGradient(geometry, x, gradient, xGradient), xGradient, gradient);
    }
}
