namespace Tapegrad.Datasets;

/// <summary>A few images with their labels: what one step of training, or of evaluation, looks at.</summary>
/// <param name="Images">
/// [N, H, W, C], each channel shifted and scaled to about mean 0 and deviation 1. Good until the next batch is asked
/// for: its memory is used again then, and reading it throws; <see cref="Tensor.Keep"/> takes it out.
/// </param>
/// <param name="Labels">N class indices. This array is never used again.</param>
/// <param name="Step">The number of the step, from 0 over all epochs.</param>
/// <param name="Epoch">The number of the epoch, from 1.</param>
/// <param name="Random">
/// The step's random numbers: a function of the seed and of <paramref name="Step"/> alone, so that a resumed run draws
/// the same.
/// </param>
public sealed record Batch(Tensor Images, int[] Labels, int Step, int Epoch, RandomSource Random)
{
    /// <summary>The number of images.</summary>
    public int Count => Labels.Length;
}
