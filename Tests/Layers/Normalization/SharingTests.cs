using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Layers.Normalization;

public class SharingTests
{
    [Theory]
    [MemberData(nameof(Sets.Sharings), MemberType = typeof(Sets))]
    public void MomentsAreThoseOfEachElementsSet(bool batch, bool positions, int groups) => OnBothDevices(() =>
    {
        var sharing = new Sharing(batch, positions, groups);
        var x = Random(1, 2, 3, 5, 6);
        var (values, sets) = (x.ToDoubles(), Sets.Of(sharing, x.Shape));
        var perChannel = new Shape(batch ? 1 : 2, positions ? 1 : 3, positions ? 1 : 5, 6);
        var (mean, variance, meanSquare, center) = (new double[x.Count], new double[x.Count], new double[x.Count],
            new double[x.Count]);
        foreach (var set in sets)
        {
            var (m, v, s) = (Sets.Mean(values, set), Sets.Variance(values, set),
                set.Average(j => values[j] * values[j]));
            foreach (var i in set) (mean[i], variance[i], meanSquare[i], center[i]) = (m, v, s, values[i] - m);
        }
        void AreThose(double[] expected, Tensor actual)
        {
            Assert.Equal(perChannel, actual.Shape);
            Gives(actual.BroadcastTo(x.Shape), x.Shape, expected);
        }
        AreThose(mean, sharing.Mean(x));
        AreThose(variance, sharing.Variance(x));
        AreThose(meanSquare, sharing.MeanSquare(x));
        Gives(sharing.Center(x), x.Shape, center);
        var moments = sharing.Moments(x);
        Assert.Equal(sets[0].Length, moments.Count);
        Gives(moments.Mean, [.. sets.Select(set => Sets.Mean(values, set))]);
        Gives(moments.Variance, [.. sets.Select(set => Sets.Variance(values, set))]);
    });

    [Theory]
    [MemberData(nameof(Sets.Sharings), MemberType = typeof(Sets))]
    public void MomentsObeyTheLaws(bool batch, bool positions, int groups)
    {
        var sharing = new Sharing(batch, positions, groups);
        Laws.OperationLaws.Check(x => sharing.Mean(x) * sharing.Variance(x) + sharing.MeanSquare(x) * sharing.Center(x),
            Laws.Input.Of("N P 6"), new() { Cases = 3 });
    }

    [Fact]
    public void ALargeMeanCostsNoDigits() => OnBothDevices(() =>
    {
        var sharing = new Sharing(false, true, 1);
        var x = Of([1, 4, 1], 1e7, 1e7 + 1, 1e7 + 2, 1e7 + 5);
        Gives(sharing.Center(x), x.Shape, -2, -1, 0, 3);
        Gives(sharing.Variance(x), new Shape(1, 1, 1), 3.5);   // (4 + 1 + 0 + 9) / 4
        Gives(sharing.Mean(x), new Shape(1, 1, 1), 1e7 + 2);
    });

    [Fact]
    public void CountsSetsAndTheirElements()
    {
        var shape = new Shape(2, 3, 5, 6);
        (int, int) Count(Sharing sharing) => (sharing.Geometry(shape).Sets, sharing.Geometry(shape).SetSize);
        Assert.Equal((2, 90), Count(new Sharing(false, true, 1)));      // LayerNorm: one set a sample
        Assert.Equal((4, 45), Count(new Sharing(false, true, 2)));      // GroupNorm
        Assert.Equal((12, 15), Count(new Sharing(false, true, 6)));     // InstanceNorm
        Assert.Equal((6, 30), Count(new Sharing(true, true, 6)));       // BatchNorm
        Assert.Equal((30, 6), Count(new Sharing(false, false, 1)));     // LayerNorm per position
    }
}
