using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using Tapegrad.Memory;
using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad.Devices.Cpu;

/// <summary>
/// The CPU device with vectors of one width: loops over them (<see cref="ILanes{T}"/>) on several threads
/// (<see cref="Workers"/>). This file is the table of contents: each verb names its kernel, a type of its own in this
/// folder, which says what plain loop it equals, what its lanes are, and what becomes of a remainder.
/// </summary>
/// <remarks>
/// Where a run of elements ends between two whole vectors, the last vector is computed like any other, from what
/// happens to lie behind the run (buffers are padded), and only the lanes that belong to the run are kept. So an
/// element's bits do not depend on where it stands. Inner loops ask for AggressiveOptimization, which skips the
/// runtime's slow first compilation: a short program would spend most of its time there. They are never inlined: in a
/// caller the compiler's budget may be spent before a formula is, and then each of its operations is a call. Work is
/// handed to the threads as structs (<see cref="IRangeBody"/>, <see cref="IItemBody"/>), which are no garbage.
/// </remarks>
internal sealed unsafe class VectorDevice<TLanes> : CpuDevice, IConvolutionKernels, INormalizationKernels,
    IPoolingKernels where TLanes : struct, ILanes<TLanes>
{
    /// <inheritdoc/>
    public override Type Element => typeof(float);

    /// <inheritdoc/>
    protected override Buffer Create(int length) => new HostBuffer<float>(length);

    // A verb keeps its buffers alive to its end: pointers and spans do not, and the collector would hand their memory
    // to somebody else.
    private static float* Pointer(Buffer buffer) => ((HostBuffer<float>)buffer).Pointer;

    private static float* PointerOrNull(Buffer? buffer) => buffer is null ? null : Pointer(buffer);

    private static Span<float> Numbers(Buffer buffer) => ((HostBuffer<float>)buffer).Span;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void KeepAlive(Buffer? a, Buffer? b = null, Buffer? c = null, Buffer? d = null, Buffer? e = null)
    {
        GC.KeepAlive(a);
        GC.KeepAlive(b);
        GC.KeepAlive(c);
        GC.KeepAlive(d);
        GC.KeepAlive(e);
    }

    // ---- numbers in and out -----------------------------------------------------------------------------------------

    /// <inheritdoc/>
    public override void Write(ReadOnlySpan<double> source, Buffer target)
    {
        TensorPrimitives.ConvertTruncating(source, Numbers(target));
        KeepAlive(target);
    }

    /// <inheritdoc/>
    public override void Write(ReadOnlySpan<float> source, Buffer target)
    {
        source.CopyTo(Numbers(target));
        KeepAlive(target);
    }

    /// <inheritdoc/>
    public override void Read(Buffer source, Span<double> target)
    {
        TensorPrimitives.ConvertTruncating<float, double>(Numbers(source), target);
        KeepAlive(source);
    }

    /// <inheritdoc/>
    public override void Read(Buffer source, Span<float> target)
    {
        Numbers(source).CopyTo(target);
        KeepAlive(source);
    }

    /// <inheritdoc/>
    public override (int Buffer, int Element)? FirstNonFinite(ReadOnlySpan<Buffer> buffers)
    {
        for (var buffer = 0; buffer < buffers.Length; buffer++)
        {
            var element = NonFiniteSearch.Find(Numbers(buffers[buffer]));
            KeepAlive(buffers[buffer]);
            if (element >= 0) return (buffer, element);
        }
        return null;
    }

    // ---- elements ---------------------------------------------------------------------------------------------------

    /// <inheritdoc/>
    public override void Fill(Buffer target, double value)
    {
        new ConstantFill(target.Length).Run((float)value, Pointer(target));
        KeepAlive(target);
    }

    /// <inheritdoc/>
    public override void FillUniform(Buffer target, RandomSource random)
    {
        new RandomFill<UniformDraw>(target.Length).Run(random, Pointer(target));
        KeepAlive(target);
    }

    /// <inheritdoc/>
    public override void FillNormal(Buffer target, RandomSource random)
    {
        new RandomFill<NormalDraw>(target.Length).Run(random, Pointer(target));
        KeepAlive(target);
    }

    /// <inheritdoc/>
    public override void Map<TMap>(TMap map, Buffer x, Buffer y)
    {
        new ElementMap<TLanes>(y.Length).Run(map, Pointer(x), Pointer(y));
        KeepAlive(x, y);
    }

    /// <inheritdoc/>
    public override void Zip<TZip>(TZip zip, Buffer a, Shape shapeA, Buffer b, Shape shapeB, Buffer y, Shape shape)
    {
        if (shape.Count == 0) return;
        new BroadcastZip<TLanes>(shapeA, shapeB, shape).Run(zip, Pointer(a), Pointer(b), Pointer(y));
        KeepAlive(a, b, y);
    }

    /// <inheritdoc/>
    public override void Update<TUpdate>(TUpdate update, Buffer parameter, Buffer gradient, Buffer? first,
        Buffer? second)
    {
        new ElementUpdate<TLanes>(parameter.Length)
            .Run(update, Pointer(parameter), Pointer(gradient), PointerOrNull(first), PointerOrNull(second));
        KeepAlive(parameter, gradient, first, second);
    }

    /// <inheritdoc/>
    public override void CheckUpdate<TUpdate>(TUpdate update, Buffer parameter, Buffer gradient, Buffer? first,
        Buffer? second, Buffer y)
    {
        new UpdateCheck<TLanes>(parameter.Length)
            .Run(update, Pointer(parameter), Pointer(gradient), PointerOrNull(first), PointerOrNull(second),
                Pointer(y));
        KeepAlive(parameter, gradient, first, second, y);
    }

    // ---- axes -------------------------------------------------------------------------------------------------------

    /// <inheritdoc/>
    public override void Copy(Shape extent, Buffer source, Walk from, Buffer target, Walk to)
    {
        if (extent.Count == 0) return;
        new StridedCopy(extent, from.Strides, to.Strides)
            .Run(Pointer(source) + from.Offset, Pointer(target) + to.Offset);
        KeepAlive(source, target);
    }

    /// <inheritdoc/>
    public override void Fold<TFold>(TFold fold, Buffer x, Shape shape, ReadOnlySpan<int> axes, Buffer y)
    {
        if (shape.Count == 0) Fill(y, fold.Neutral);
        else AxesFold<TLanes>.Run(Pool, fold, Pointer(x), shape.Dimensions, axes, Pointer(y));
        KeepAlive(x, y);
    }

    /// <inheritdoc/>
    public override void MatrixProduct(MatrixProductGeometry geometry, Buffer a, Buffer b, Buffer y)
    {
        if (y.Length == 0) return;
        new MatrixMultiplication<TLanes>(geometry).Run(Pool, Pointer(a), Pointer(b), Pointer(y));
        KeepAlive(a, b, y);
    }

    /// <inheritdoc/>
    public override void Gather(GatherGeometry geometry, Buffer x, Buffer y)
    {
        new SliceGather(geometry).Run(Pointer(x), Pointer(y));
        KeepAlive(x, y);
    }

    /// <inheritdoc/>
    public override void AddGathered(GatherGeometry geometry, Buffer y, Buffer x)
    {
        new SliceAddition(geometry).Run(Pointer(y), Pointer(x));
        KeepAlive(y, x);
    }

    // ---- windows of images ------------------------------------------------------------------------------------------

    /// <inheritdoc/>
    public override void ExtractWindows(WindowGeometry geometry, Buffer x, Buffer windows)
    {
        if (windows.Length == 0) return;
        new WindowExtraction(geometry).Run(Pointer(x), Pointer(windows));
        KeepAlive(x, windows);
    }

    /// <inheritdoc/>
    public override void AddWindows(WindowGeometry geometry, Buffer windows, Buffer x)
    {
        if (x.Length == 0) return;
        new WindowAddition<TLanes>(geometry).Run(Pointer(windows), Pointer(x));
        KeepAlive(windows, x);
    }

    /// <inheritdoc/>
    public void MaxPool(WindowGeometry geometry, Buffer x, Buffer y)
    {
        if (y.Length == 0) return;
        new MaxPooling<TLanes>(geometry).Run(Pointer(x), Pointer(y));
        KeepAlive(x, y);
    }

    /// <inheritdoc/>
    public void MaxPoolGradient(WindowGeometry geometry, Buffer x, Buffer gradient, Buffer xGradient)
    {
        if (xGradient.Length == 0) return;
        new MaxPoolingGradient<TLanes>(geometry).Run(Pointer(x), Pointer(gradient), Pointer(xGradient));
        KeepAlive(x, gradient, xGradient);
    }

    // ---- convolution ------------------------------------------------------------------------------------------------

    /// <inheritdoc/>
    public void Convolve(ConvolutionGeometry geometry, Buffer x, Buffer w, Buffer? bias, Buffer y)
    {
        if (y.Length == 0) return;
        Plan(geometry, isGradient: false).Run(Pool, Pointer(x), Pointer(w), PointerOrNull(bias), Pointer(y));
        KeepAlive(x, w, bias, y);
    }

    /// <inheritdoc/>
    public void Convolve(ConvolutionGeometry geometry, Buffer x, Buffer w, Buffer? bias, Buffer y, ref object? kept)
    {
        if (y.Length == 0) return;
        var plan = Plan(geometry, isGradient: false);
        var weights = PreparedWeights.Find(geometry, plan, Pointer(w), ref kept);
        if (weights is null) plan.Run(Pool, Pointer(x), Pointer(w), PointerOrNull(bias), Pointer(y));
        else plan.Run(Pointer(x), Pointer(weights), PointerOrNull(bias), Pointer(y));
        KeepAlive(x, w, bias, y, weights);
    }

    /// <inheritdoc/>
    public void ConvolveInputGradient(ConvolutionGeometry geometry, Buffer gradient, Buffer w, Buffer xGradient)
    {
        if (xGradient.Length == 0) return;
        Plan(geometry, isGradient: true).Run(Pool, Pointer(gradient), Pointer(w), null, Pointer(xGradient));
        KeepAlive(gradient, w, xGradient);
    }

    /// <inheritdoc/>
    public void ConvolveWeightGradient(ConvolutionGeometry geometry, Buffer x, Buffer gradient, Buffer wGradient)
    {
        if (gradient.Length == 0) Fill(wGradient, 0);
        else if (wGradient.Length > 0)
            WeightGradientPlan(geometry).Run(Pool, Pointer(x), Pointer(gradient), Pointer(wGradient));
        KeepAlive(x, gradient, wGradient);
    }

    private IConvolutionPlan Plan(ConvolutionGeometry geometry, bool isGradient) =>
        IsFasterWithEight((isGradient ? geometry.Windows.Channels : geometry.OutputChannels) / geometry.Groups)
            ? Convolutions<Real32x8>.For(geometry, isGradient, UsesWinograd)
            : Convolutions<TLanes>.For(geometry, isGradient, UsesWinograd);

    private IWeightGradientPlan WeightGradientPlan(ConvolutionGeometry geometry) =>
        IsFasterWithEight(geometry.OutputChannels / geometry.Groups)
            ? Convolutions<Real32x8>.WeightGradientFor(geometry, UsesWinograd)
            : Convolutions<TLanes>.WeightGradientFor(geometry, UsesWinograd);

    // Tiles of one vector of sixteen columns, or of two of eight.
    private static bool IsFasterWithEight(int columns) => columns <= Real32x16.Count && Processor.HalvesVectors;

    // ---- normalization ----------------------------------------------------------------------------------------------

    /// <inheritdoc/>
    public void Normalize(NormalizationGeometry geometry, Buffer x, Buffer? gamma, Buffer? beta, Buffer? residual,
        Buffer statistics, Buffer y)
    {
        if (x.Length == 0) Fill(statistics, 0);
        else
            new NormalizationPass<TLanes>(geometry, Pointer(x), PointerOrNull(gamma), PointerOrNull(beta),
                Pointer(statistics))
                .WriteValue(PointerOrNull(residual), Pointer(y));
        KeepAlive(x, gamma, beta, residual, statistics);
        KeepAlive(y);
    }

    /// <inheritdoc/>
    public void ReadMoments(Buffer statistics, Buffer mean, Buffer variance)
    {
        Span<float> numbers = Numbers(statistics), means = Numbers(mean), variances = Numbers(variance);
        TensorPrimitives.Add(numbers[..means.Length], numbers.Slice(means.Length, means.Length), means);
        numbers.Slice(2 * means.Length, means.Length).CopyTo(variances);
        KeepAlive(statistics, mean, variance);
    }

    /// <inheritdoc/>
    public void NormalizeGradient(NormalizationGeometry geometry, Buffer x, Buffer? gamma, Buffer? beta,
        Buffer statistics, Buffer? y, Buffer gradient, Buffer xGradient, Buffer gammaGradient, Buffer betaGradient,
        Buffer? residualGradient)
    {
        if (x.Length == 0)
        {
            Fill(gammaGradient, 0);
            Fill(betaGradient, 0);
            return;
        }
        new NormalizationPass<TLanes>(geometry, Pointer(x), PointerOrNull(gamma), PointerOrNull(beta),
            Pointer(statistics))
            .WriteGradients(Pool, Pointer(gradient), PointerOrNull(y), PointerOrNull(residualGradient),
                Pointer(xGradient), Pointer(gammaGradient), Pointer(betaGradient));
        KeepAlive(x, gamma, beta, statistics, y);
        KeepAlive(gradient, xGradient, gammaGradient, betaGradient, residualGradient);
    }
}
