using Tapegrad.Memory;

namespace Tapegrad.Devices.Cpu;

/// <summary>A convolution, or its input gradient, of one geometry.</summary>
internal unsafe interface IConvolutionPlan
{
    /// <summary>What <see cref="PrepareWeights"/> makes; null where the weights are used as they lie.</summary>
    WeightLayout? Weights { get; }

    /// <summary>Makes of w what the result is computed from, as many numbers as the layout says.</summary>
    void PrepareWeights(float* w, float* weights);

    /// <summary>
    /// The result from what is convolved (x, or the gradient of y), the weights as they were prepared, and a bias,
    /// which may be null.
    /// </summary>
    void Run(float* source, float* weights, float* bias, float* result);

    /// <summary>The same from the weights as they are.</summary>
    void Run(BufferPool pool, float* source, float* w, float* bias, float* result)
    {
        var weights = Weights is { } layout ? (HostBuffer<float>)pool.Rent(layout.Length) : null;
        if (weights is not null) PrepareWeights(w, weights.Pointer);
        Run(source, weights is null ? w : weights.Pointer, bias, result);
        if (weights is not null) pool.Return(weights);
    }
}

/// <summary>The weight gradient of a convolution of one geometry.</summary>
internal unsafe interface IWeightGradientPlan
{
    /// <summary>The gradient of w, given x and the gradient of y.</summary>
    void Run(BufferPool pool, float* x, float* g, float* w);
}

/// <summary>
/// Which kernel computes a convolution and its gradients: the shape alone decides, and whether Winograd's are wanted.
/// </summary>
internal static class Convolutions<TLanes> where TLanes : struct, ILanes<TLanes>
{
    // beyond, 36 numbers for each of them would be more than a network's images
    private const int MostWinogradWeights = 1 << 20;
    private const int WinogradWeightsOfTile = 1 << 16;
    private const int LeastWinogradChannels = 8;

    private static readonly Plans<(ConvolutionGeometry, bool, bool), IConvolutionPlan> plans =
        new(shape => Plan(shape.Item1, shape.Item2, shape.Item3));

    private static readonly Plans<(ConvolutionGeometry, bool), IWeightGradientPlan> weightGradients =
        new(shape => PlanWeightGradient(shape.Item1, shape.Item2));

    public static IConvolutionPlan For(ConvolutionGeometry geometry, bool isGradient, bool usesWinograd) =>
        plans.For((geometry, isGradient, usesWinograd));

    public static IWeightGradientPlan WeightGradientFor(ConvolutionGeometry geometry, bool usesWinograd) =>
        weightGradients.For((geometry, usesWinograd));

    private static IConvolutionPlan Plan(ConvolutionGeometry geometry, bool isGradient, bool usesWinograd) =>
        usesWinograd && SuitsTransformedWeights(geometry) ? new WinogradConvolution<TLanes>(geometry, isGradient)
            : IsDepthwise(geometry) ? new DepthwiseConvolution<TLanes>(geometry, isGradient)
            : new DirectConvolution<TLanes>(geometry, isGradient);

    private static IWeightGradientPlan PlanWeightGradient(ConvolutionGeometry geometry, bool usesWinograd) =>
        usesWinograd && SuitsWinograd(geometry) ? new WinogradWeightGradient<TLanes>(geometry)
            : IsDepthwise(geometry) ? new DepthwiseConvolution<TLanes>(geometry, isGradient: false)
            : new WeightGradient<TLanes>(geometry);

    // With one output a channel.
    private static bool IsDepthwise(ConvolutionGeometry geometry) => geometry.Groups > 1
        && geometry.Groups == geometry.Windows.Channels && geometry.OutputChannels == geometry.Groups;

    private static bool SuitsWinograd(ConvolutionGeometry geometry) => geometry.Groups == 1
        && geometry.Windows is { Kernel: (3, 3), Stride: (1, 1), Dilation: (1, 1), Channels: >= LeastWinogradChannels }
        && geometry.OutputChannels >= LeastWinogradChannels && Weights(geometry) <= MostWinogradWeights;

    // Where an image has few tiles and there are many weights, the weights' transform costs what the products save. The
    // size of the batch must not decide: a sample has the same bits alone and in a batch.
    private static bool SuitsTransformedWeights(ConvolutionGeometry geometry)
    {
        var tiles = ((geometry.Windows.OutputHeight + 3L) / 4) * ((geometry.Windows.OutputWidth + 3) / 4);
        return SuitsWinograd(geometry) && Weights(geometry) <= WinogradWeightsOfTile * tiles;
    }

    private static long Weights(ConvolutionGeometry geometry) =>
        (long)geometry.Windows.Channels * geometry.OutputChannels;
}
