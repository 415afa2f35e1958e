using Tapegrad.Devices;

namespace Tapegrad;

/// <summary>
/// A choice, element by element with broadcasting: a where the condition is not 0, else b. The condition is a constant;
/// d/da = 1 where a was chosen, d/db = 1 where b was, else 0. (-0 comes out as 0: the two halves are added.)
/// </summary>
/// <remarks>
/// The value of what is not chosen is not looked at, be it NaN. But its gradient, 0, goes on to whatever computed it,
/// and 0 times an infinite derivative is NaN: that of <c>x.Greater(0).Where(x.Log(), zero)</c> is NaN at x = 0. Guard a
/// function by giving it to this operation:
/// <code>x.Greater(0).Where(x, v => v.Log(), otherwise: 0)</code>
/// computes it for a safe number in the places that are not chosen, and no gradient comes back from there, whatever its
/// order.
/// </remarks>
public static class WhereOperation
{
    /// <summary>a where this condition is not 0, else b.</summary>
    public static Tensor Where(this Tensor condition, Tensor a, Tensor b) =>
        a.Masked(condition) + b.Masked(condition.Equal(0));

    /// <summary>
    /// f(x) where this condition is not 0, else another value; f never meets an element of x that is not chosen.
    /// </summary>
    /// <param name="condition">Not 0 where f is chosen.</param>
    /// <param name="x">What f is computed from.</param>
    /// <param name="f">A function of each element by itself.</param>
    /// <param name="otherwise">The value where f is not chosen.</param>
    /// <param name="safe">What f is given there instead: a number where its value and derivatives are finite, which a
    /// tape that stops at others asks for.</param>
    public static Tensor Where(this Tensor condition, Tensor x, Func<Tensor, Tensor> f, Tensor otherwise,
        double safe = 1) =>
        condition.Where(f(condition.Where(x, x.Constant(safe))), otherwise);

    /// <inheritdoc cref="Where(Tensor, Tensor, Func{Tensor, Tensor}, Tensor, double)"/>
    public static Tensor Where(this Tensor condition, Tensor x, Func<Tensor, Tensor> f, double otherwise,
        double safe = 1) =>
        condition.Where(x, f, x.Constant(otherwise), safe);

    /// <summary>x where the condition is not 0, else 0.</summary>
    public static Tensor Masked(this Tensor x, Tensor condition)
    {
        Tape.Current?.AdoptFromInside(condition);   // the gradient will need it
        return Tape.Record("masked", x.Zip(condition, new Masking(), "masked"), (x, (_, g) => g.Masked(condition)));
    }

    internal readonly struct Masking : IZip
    {
        public T Apply<T>(T x, T condition) where T : struct, IReal<T> => T.Select(condition, x, T.Zero);
    }
}
