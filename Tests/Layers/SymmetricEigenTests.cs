using FsCheck;
using FsCheck.Fluent;
using Tapegrad.Layers;
using Xunit;

namespace Tapegrad.Tests.Layers;

/// <summary>Eigenvectors against what they are, for matrices that are made of known ones.</summary>
public sealed class SymmetricEigenTests
{
    // Sizes, eigenvalues of which several are equal (or 0, or all), and a scale.
    private static readonly Gen<(double[] Values, double Scale, int Seed)> Matrices =
        from size in Gen.Choose(1, 16)
        from few in Gen.Elements(true, false)
        from values in (few ? Gen.Elements(-2.0, 0, 1, 1, 5) : Gen.Choose(-1000, 1000).Select(n => n / 7.0))
            .ArrayOf(size)
        from scale in Gen.Elements(1e-9, 1e-3, 1, 1e6)
        from seed in Gen.Choose(0, int.MaxValue)
        select (values, scale, seed);

    // Q diag(values) Q^T, with Q a product of reflections 1 - 2 u u^T.
    private static double[,] Matrix(double[] values, int seed)
    {
        var (n, random) = (values.Length, new Random(seed));
        var a = new double[n, n];
        for (var i = 0; i < n; i++) a[i, i] = values[i];
        for (var reflection = 0; reflection < n; reflection++)
        {
            double[] u = [.. Enumerable.Range(0, n).Select(_ => random.NextDouble() - 0.5)];
            var square = u.Sum(x => x * x);
            a = Times(a, u, square, byRows: true);
            a = Times(a, u, square, byRows: false);
        }
        for (var i = 0; i < n; i++)
            for (var j = 0; j < i; j++) a[i, j] = a[j, i];   // to the last bit
        return a;
    }

    private static double[,] Times(double[,] a, double[] u, double square, bool byRows)
    {
        var (n, result) = (u.Length, (double[,])a.Clone());
        for (var i = 0; i < n; i++)
        {
            var product = Enumerable.Range(0, n).Sum(k => u[k] * (byRows ? a[k, i] : a[i, k]));
            for (var k = 0; k < n; k++)
                if (byRows) result[k, i] -= 2 * u[k] * product / square;
                else result[i, k] -= 2 * u[k] * product / square;
        }
        return result;
    }

    [Fact]
    public void A_times_an_eigenvector_is_the_eigenvalue_times_it() => Prop.ForAll(Matrices.ToArbitrary(), drawn =>
    {
        double[] expected = [.. drawn.Values.Select(value => value * drawn.Scale).OrderDescending()];
        var (n, a) = (expected.Length, Matrix([.. drawn.Values.Select(value => value * drawn.Scale)], drawn.Seed));
        var (values, vectors) = SymmetricEigen.Of(a);
        var size = expected.Max(Math.Abs);
        for (var i = 0; i < n; i++)
        {
            Assert.Equal(expected[i], values[i], 1e-13 * n * size);
            for (var row = 0; row < n; row++)
                Assert.Equal(values[i] * vectors[i][row], Enumerable.Range(0, n).Sum(k => a[row, k] * vectors[i][k]),
                    1e-13 * n * size);
            for (var j = 0; j < n; j++)
                Assert.Equal(i == j ? 1 : 0, vectors[i].Zip(vectors[j], (x, y) => x * y).Sum(), 1e-13 * n);
        }
        Assert.Equal(values.OrderDescending(), values);
    }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));

    // Entries whose squares a double cannot hold, and one beside which the others are nothing.
    [Theory]
    [InlineData(0, 1e-300, 0)]
    [InlineData(1e300, 1e-300, -1e300)]
    [InlineData(1, 1e-200, 1)]
    [InlineData(1e200, 1, 1e-200)]
    public void Numbers_far_apart_end_too(double first, double between, double second)
    {
        var (values, vectors) = SymmetricEigen.Of(new[,] { { first, between }, { between, second } });
        Assert.All(values.Concat(vectors.SelectMany(vector => vector)), number => Assert.True(double.IsFinite(number)));
        Assert.True(values[0] >= values[1]);
        Assert.Equal(1, vectors[0][0] * vectors[0][0] + vectors[0][1] * vectors[0][1], 1e-15);
    }
}
