using Tapegrad.Memory;

namespace Tapegrad.Devices.Cpu;

/// <summary>How a convolution lays out the numbers that it makes of its weights, and how many they are.</summary>
/// <param name="Kernel">The plan's type, which says how.</param>
/// <param name="Of">The convolution, without what the layout does not depend on.</param>
/// <param name="IsGradient">Whether they are for the input gradient.</param>
/// <param name="Length">How many numbers there are.</param>
internal sealed record WeightLayout(Type Kernel, ConvolutionGeometry Of, bool IsGradient, int Length);

/// <summary>
/// The numbers that a convolution makes of its weights, kept beside those, as
/// <see cref="IConvolutionKernels.Convolve(ConvolutionGeometry, Buffer, Buffer, Buffer, Buffer, ref object)"/> says.
/// They are made when the same weights come for the second time, and never written again. So any number of threads may
/// use them while another one, which came at the same moment, puts equal ones in their place.
/// </summary>
internal sealed unsafe class PreparedWeights
{
    // Of a larger batch they are a small part of the work.
    private const int MostPixels = 4096;

    private static readonly object usedOnce = new();

    private readonly WeightLayout layout;
    private readonly HostBuffer<float> numbers;

    private PreparedWeights(WeightLayout layout, IConvolutionPlan plan, float* w)
    {
        (this.layout, numbers) = (layout, new HostBuffer<float>(layout.Length));
        plan.PrepareWeights(w, numbers.Pointer);
    }

    /// <summary>
    /// What a plan of this geometry makes of the weights; null where it is not kept: of weights that have come for the
    /// first time, or that another layout was kept of, or that are read where they lie.
    /// </summary>
    public static HostBuffer<float>? Find(ConvolutionGeometry geometry, IConvolutionPlan plan, float* w,
        ref object? kept)
    {
        var windows = geometry.Windows;
        if (plan.Weights is not { } layout
            || (long)windows.Batch * windows.OutputHeight * windows.OutputWidth > MostPixels) return null;
        var found = Volatile.Read(ref kept);
        if (found is PreparedWeights all) return all.layout == layout ? all.numbers : null;
        var made = found == usedOnce ? new PreparedWeights(layout, plan, w) : null;
        Volatile.Write(ref kept, made ?? usedOnce);
        return made?.numbers;
    }
}
