using Tapegrad.Devices;
using Tapegrad.Memory;
using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad.Tests.Kit;

/// <summary>What an offender does to a result, or instead of one.</summary>
public enum Offence
{
    None, LastElement, FirstElement, SlightlyOff, Infinite, NotWritten, ChangesItsInput, AnotherTime, OnOneThread,
    OnTwoThreads, OnThreeThreads,
}

/// <summary>A call of a verb.</summary>
/// <param name="What">The shapes, or the type of the formula.</param>
/// <param name="Result">The numbers as they are now.</param>
/// <param name="Inputs">Those that there are.</param>
internal sealed record Called(object What, float[] Result, float[][] Inputs);

/// <summary>
/// The CPU device, but for one verb, in some of its calls. (It hands its own verbs on, so it is the CPU's buffers that
/// it makes.)
/// </summary>
internal sealed class Offender(CpuDevice inner, string verb, Offence offence, Func<Called, bool>? isSuch = null)
    : Device("offender"),
    IConvolutionKernels, INormalizationKernels, IPoolingKernels
{
    private readonly IConvolutionKernels convolving = (IConvolutionKernels)inner;
    private readonly INormalizationKernels normalizing = (INormalizationKernels)inner;
    private readonly IPoolingKernels pooling = (IPoolingKernels)inner;
    private int calls;

    /// <summary>The verbs that were called, one after the other; null where nobody asks.</summary>
    public List<string>? Journal { get; init; }

    public override Type Element => inner.Element;

    protected override Buffer Create(int length) => new HostBuffer<float>(length);

    // Calls the verb, and does wrong to its result, or to an input.
    private void Do(string name, object what, Action call, Buffer result, params ReadOnlySpan<Buffer?> inputs)
    {
        Journal?.Add(name);
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
        var all = new List<float[]>();
        if (isSuch is not null)
            foreach (var buffer in inputs)
                if (buffer is not null) all.Add(Numbers(buffer).ToArray());
        if (isSuch?.Invoke(new Called(what, numbers.ToArray(), [.. all])) == false) return;
        switch (offence)
        {
            case Offence.LastElement:
                numbers[^1] = numbers[^1] * 1.5f + 1;
                break;
            case Offence.FirstElement:
                numbers[0] = numbers[0] * 1.5f + 1;
                break;
            case Offence.SlightlyOff:
                foreach (ref var number in numbers) number *= 1.00005f;
                break;
            case Offence.Infinite:
                numbers[^1] = MathF.CopySign(float.PositiveInfinity, numbers[^1]);
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
            case Offence.OnOneThread or Offence.OnTwoThreads or Offence.OnThreeThreads:
                if ((numbers.Length > 5000 || name is "CheckUpdate" or "ReadMoments") && IsNumberOfThreads)
                    numbers[^1] = MathF.BitIncrement(numbers[^1]);
                break;
        }
    }

    private bool IsNumberOfThreads => Workers.Threads == 1 + (offence - Offence.OnOneThread);

    private static Span<float> Numbers(Buffer buffer) => ((HostBuffer<float>)buffer).Span;

    public override void Write(ReadOnlySpan<double> source, Buffer target)
    {
        double[] copy = [.. source];
        Do("Write and Read", copy.GetType(), () => inner.Write(copy, target), target);
    }

    public override void Write(ReadOnlySpan<float> source, Buffer target)
    {
        float[] copy = [.. source];
        Do("Write and Read", copy.GetType(), () => inner.Write(copy, target), target);
    }

    public override void Read(Buffer source, Span<double> target)
    {
        Journal?.Add("Read");
        inner.Read(source, target);
    }

    public override void Read(Buffer source, Span<float> target)
    {
        Journal?.Add("Read");
        inner.Read(source, target);
    }

    public override void Fill(Buffer target, double value)
    {
        if (double.IsNaN(value)) inner.Fill(target, value);   // the laws' own preparation
        else Do("Fill", value, () => inner.Fill(target, value), target);
    }

    public override void Copy(Shape extent, Buffer source, Walk from, Buffer target, Walk to) =>
        Do("Copy", (extent, from, to), () => inner.Copy(extent, source, from, target, to), target, source);

    public override void Map<TMap>(TMap map, Buffer x, Buffer y) =>
        Do("Map", typeof(TMap), () => inner.Map(map, x, y), y, x);

    public override void Zip<TZip>(TZip zip, Buffer a, Shape shapeA, Buffer b, Shape shapeB, Buffer y, Shape shape) =>
        Do("Zip", (typeof(TZip), shapeA, shapeB), () => inner.Zip(zip, a, shapeA, b, shapeB, y, shape), y, b, a);

    public override void Fold<TFold>(TFold fold, Buffer x, Shape shape, ReadOnlySpan<int> axes, Buffer y)
    {
        int[] copy = [.. axes];
        Do("Fold", (typeof(TFold), shape, copy), () => inner.Fold(fold, x, shape, copy, y), y, x);
    }

    public override void MatrixProduct(MatrixProductGeometry geometry, Buffer a, Buffer b, Buffer y) =>
        Do("MatrixProduct", geometry, () => inner.MatrixProduct(geometry, a, b, y), y, b, a);

    public override void ExtractWindows(WindowGeometry geometry, Buffer x, Buffer windows) =>
        Do("ExtractWindows", geometry, () => inner.ExtractWindows(geometry, x, windows), windows, x);

    public override void AddWindows(WindowGeometry geometry, Buffer windows, Buffer x) =>
        Do("AddWindows", geometry, () => inner.AddWindows(geometry, windows, x), x, windows);

    public override void Gather(GatherGeometry geometry, Buffer x, Buffer y) =>
        Do("Gather", geometry, () => inner.Gather(geometry, x, y), y, x);

    public override void AddGathered(GatherGeometry geometry, Buffer y, Buffer x) =>
        Do("AddGathered", geometry, () => inner.AddGathered(geometry, y, x), x, y);

    public override void FillUniform(Buffer target, RandomSource random) =>
        Do("FillUniform", 0, () => inner.FillUniform(target, random), target);

    public override void FillNormal(Buffer target, RandomSource random) =>
        Do("FillNormal", 0, () => inner.FillNormal(target, random), target);

    public override void Update<TUpdate>(TUpdate update, Buffer parameter, Buffer gradient, Buffer? first,
        Buffer? second)
    {
        var states = (first is null ? 0 : 1) + (second is null ? 0 : 1);
        DoAll("Update", () => inner.Update(update, parameter, gradient, first, second), gradient,
            ((states, 2), second), ((states, 1), first), ((states, 0), parameter));
    }

    // The same for a verb with several results: the first one of them, or those that are such.
    private void DoAll(string name, Action call, Buffer? input,
        params ReadOnlySpan<(object What, Buffer? Result)> results)
    {
        foreach (var (what, result) in results)
        {
            if (result is null) continue;
            Do(name, what, call, result, input);
            if (isSuch is null) return;
            call = () => { };
        }
    }

    public override void CheckUpdate<TUpdate>(TUpdate update, Buffer parameter, Buffer gradient, Buffer? first,
        Buffer? second, Buffer y) =>
        Do("CheckUpdate", (first is null ? 0 : 1) + (second is null ? 0 : 1),
            () => inner.CheckUpdate(update, parameter, gradient, first, second, y), y, gradient, parameter, first,
            second);

    public override (int Buffer, int Element)? FirstNonFinite(ReadOnlySpan<Buffer> buffers)
    {
        Journal?.Add("FirstNonFinite");
        var found = inner.FirstNonFinite(buffers);
        if (verb != "FirstNonFinite") return found;
        if (isSuch is not null)
            return isSuch(new Called(found ?? default, found is var (which, element)
                ? [Numbers(buffers[which])[element]] : [], [])) ? null : found;
        if (offence == Offence.ChangesItsInput) Numbers(buffers[1])[2] += 1;
        return offence switch
        {
            Offence.LastElement => found is (4, 70_000) ? null : found,
            Offence.FirstElement => Last(buffers),
            Offence.AnotherTime when calls++ % 2 == 1 => (0, 0),
            Offence.OnOneThread or Offence.OnTwoThreads or Offence.OnThreeThreads when IsNumberOfThreads => (0, 0),
            _ => found,
        };
    }

    private static (int, int)? Last(ReadOnlySpan<Buffer> buffers)
    {
        for (var buffer = buffers.Length - 1; buffer >= 0; buffer--)
            for (var element = buffers[buffer].Length - 1; element >= 0; element--)
                if (!float.IsFinite(Numbers(buffers[buffer])[element])) return (buffer, element);
        return null;
    }

    public void Convolve(ConvolutionGeometry geometry, Buffer x, Buffer w, Buffer? bias, Buffer y) =>
        Do("Convolve", geometry, () => convolving.Convolve(geometry, x, w, bias, y), y, w, x, bias);

    public void ConvolveInputGradient(ConvolutionGeometry geometry, Buffer gradient, Buffer w, Buffer xGradient) =>
        Do("ConvolveInputGradient", geometry, () => convolving.ConvolveInputGradient(geometry, gradient, w, xGradient),
            xGradient, w);

    public void ConvolveWeightGradient(ConvolutionGeometry geometry, Buffer x, Buffer gradient, Buffer wGradient) =>
        Do("ConvolveWeightGradient", geometry, () => convolving.ConvolveWeightGradient(geometry, x, gradient, wGradient),
            wGradient, x);

    public void Normalize(NormalizationGeometry geometry, Buffer x, Buffer? gamma, Buffer? beta, Buffer? residual,
        Buffer statistics, Buffer y) =>
        Do("Normalize", geometry, () => normalizing.Normalize(geometry, x, gamma, beta, residual, statistics, y), y, x,
            residual);

    public void ReadMoments(Buffer statistics, Buffer mean, Buffer variance) =>
        DoAll("ReadMoments", () => normalizing.ReadMoments(statistics, mean, variance), null, ("variances", variance),
            ("means", mean));

    public void NormalizeGradient(NormalizationGeometry geometry, Buffer x, Buffer? gamma, Buffer? beta,
        Buffer statistics, Buffer? y, Buffer gradient,
        Buffer xGradient, Buffer gammaGradient, Buffer betaGradient, Buffer? residualGradient) =>
        DoAll("NormalizeGradient", () =>
            normalizing.NormalizeGradient(geometry, x, gamma, beta, statistics, y, gradient, xGradient, gammaGradient,
            betaGradient, residualGradient), gradient, (geometry, xGradient), ("gamma", gammaGradient),
            ("beta", betaGradient),
            ("residual", residualGradient));

    public void MaxPool(WindowGeometry geometry, Buffer x, Buffer y) =>
        Do("MaxPool", geometry, () => pooling.MaxPool(geometry, x, y), y, x);

    public void MaxPoolGradient(WindowGeometry geometry, Buffer x, Buffer gradient, Buffer xGradient) =>
        Do("MaxPoolGradient", geometry, () => pooling.MaxPoolGradient(geometry, x, gradient, xGradient), xGradient,
            gradient);
}
