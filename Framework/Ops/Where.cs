using Tapegrad.Devices;

namespace Tapegrad;

/// <summary>
/// A choice, element by element with broadcasting: a where the condition is not 0, else b. What is not chosen is not looked at:
/// its NaN does no harm. d/da = 1 where a was chosen, d/db = 1 where b was; the condition is a constant. (-0 comes out as 0: the
/// two halves are added.)
/// </summary>
public static class WhereOperation
{
    /// <summary>a where this condition is not 0, else b.</summary>
    public static Tensor Where(this Tensor condition, Tensor a, Tensor b) => a.Masked(condition) + b.Masked(condition.Equal(0));

    /// <summary>x where the condition is not 0, else 0.</summary>
    public static Tensor Masked(this Tensor x, Tensor condition)
    {
        Tape.Current?.AdoptFromInside(condition);   // the gradient will need it
        return Tape.Record("masked", x.Zip(condition, new Masking(), "masked"), (x, (_, g) => g.Masked(condition)));
    }

    private readonly struct Masking : IZip
    {
        public T Apply<T>(T x, T condition) where T : struct, IReal<T> => T.Select(condition, x, T.Zero);
    }
}
