namespace Tapegrad;

/// <summary>
/// The mean over all positions, channel by channel: [N, .., C] -> [N, C]. The gradient is spread evenly.
/// </summary>
public static class GlobalAveragePoolOperation
{
    /// <summary>The mean over all positions.</summary>
    /// <exception cref="ShapeException">There is no axis of positions, or no position.</exception>
    public static Tensor GlobalAveragePool(this Tensor x) => x.Shape.Rank >= 3
        ? x.Mean([.. Enumerable.Range(1, x.Shape.Rank - 2)], keepAxes: false)
        : throw new ShapeException($"global average pool: the input {x.Shape} must be [N, positions.., C].");
}
