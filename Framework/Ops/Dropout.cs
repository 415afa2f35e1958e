namespace Tapegrad;

/// <summary>
/// In training, each element is 0 with probability p, else divided by 1 - p, so that the mean stays; in evaluation, x
/// itself (Srivastava et al., 2014). The gradient passes where the element did. The random numbers are the tape's.
/// </summary>
public static class DropoutOperation
{
    /// <summary>Drops elements at random while training.</summary>
    /// <param name="x">Any shape.</param>
    /// <param name="rate">The probability p of dropping, from 0 up to, not including, 1.</param>
    public static Tensor Dropout(this Tensor x, double rate)
    {
        if (!(rate is >= 0 and < 1))
            throw new ArgumentOutOfRangeException(nameof(rate), rate, "dropout: the rate lies in [0, 1).");
        if (rate == 0 || Tape.Current is not { IsTraining: true } tape) return x;
        using (Devices.Device.Use(x.Device))
        {
            var kept = Tensor.Uniform(x.Shape, tape.NextRandom()).GreaterOrEqual(rate);
            return x * (kept / (1 - rate));
        }
    }
}
