namespace Tapegrad;

/// <summary>x as a constant: the same numbers, through which no gradient passes.</summary>
public static class StopGradientOperation
{
    /// <summary>The same numbers as a constant.</summary>
    public static Tensor StopGradient(this Tensor x) => x.View(x.Shape);
}
