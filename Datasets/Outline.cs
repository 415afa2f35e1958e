namespace Tapegrad.Datasets;

/// <summary>
/// A shape as the set of points inside it, in units of its radius around its middle, x to the right and y upwards.
/// Polynomials and comparisons only: see <see cref="Shapes10"/>.
/// </summary>
internal sealed record Outline(string Name, Func<double, double, bool> Contains)
{
    /// <summary>No point further from the middle than this is inside any of them.</summary>
    public const double Reach = 1.3;

    /// <summary>The ten kinds, in the order of their labels.</summary>
    public static IReadOnlyList<Outline> All { get; } =
    [
        new("circle", (x, y) => IsInCircle(x, y, 1)),
        new("ring", (x, y) => IsInCircle(x, y, 1) && !IsInCircle(x, y, 0.6)),
        new("crescent", (x, y) => IsInCircle(x, y, 1) && !IsInCircle(x - 0.5, y, 0.8)),
        new("square", (x, y) => IsInSquare(x, y, 0.85)),
        new("frame", (x, y) => IsInSquare(x, y, 0.9) && !IsInSquare(x, y, 0.5)),
        new("triangle", (x, y) => y >= -0.75 && Math.Abs(x) <= (1 - y) * 0.57),
        new("star", IsInStar),
        new("cross", (x, y) => IsInSquare(x, y, 1) && Math.Min(Math.Abs(x), Math.Abs(y)) <= 0.3),
        new("arrow", (x, y) => y > 0 ? Math.Abs(x) <= (1 - y) * 0.9 : y >= -1 && Math.Abs(x) <= 0.28),
        new("heart", IsInHeart),
    ];

    private static bool IsInCircle(double x, double y, double radius) => x * x + y * y <= radius * radius;

    private static bool IsInSquare(double x, double y, double half) => Math.Abs(x) <= half && Math.Abs(y) <= half;

    // The lines through every other corner of a regular pentagon cut out a smaller pentagon: a point of the star lies
    // on the outer side of at most one of them. A corner is at (cos, sin) of 18, 54 + 36, ... degrees; every line is
    // cos 72 = 0.309 from the middle.
    private static bool IsInStar(double x, double y)
    {
        const double cos18 = 0.951057, sin18 = 0.309017, cos54 = 0.587785, sin54 = 0.809017;
        var outside = 0;
        if (y > sin18) outside++;
        if (cos18 * x + sin18 * y > sin18) outside++;
        if (sin18 * y - cos18 * x > sin18) outside++;
        if (cos54 * x - sin54 * y > sin18) outside++;
        if (-cos54 * x - sin54 * y > sin18) outside++;
        return outside <= 1;
    }

    // (u^2 + v^2 - 1)^3 <= u^2 v^3, the well-known sextic curve.
    private static bool IsInHeart(double x, double y)
    {
        var (u, v) = (1.2 * x, 1.2 * y + 0.1);
        var radial = u * u + v * v - 1;
        return radial * radial * radial <= u * u * v * v * v;
    }
}
