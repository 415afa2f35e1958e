using Tapegrad.Devices;
using Xunit;
using static Tapegrad.Laws.Formulas;

namespace Tapegrad.Tests.Devices;

/// <summary>
/// Folds on the CPU against the reference: all subsets of axes, lengths around every block, empty axes, accuracy of
/// long sums.
/// </summary>
public class FoldTests
{
    private static double[] Fold<TFold>(Device device, TFold fold, double[] values, Shape shape, int[] axes)
        where TFold : struct, IFold
    {
        var y = device.MakeUnwritten(shape.Reduce(axes, keepAxes: false).Count);
        device.Fold(fold, device.Make(values), shape, axes, y);
        return device.Read(y);
    }

    private static void CompareAll(Shape shape, int[] axes)
    {
        var values = Numbers.Random(shape.Count, shape.Count);
        var what = $"fold of {shape} over ({string.Join(", ", axes)})";
        // An error of half an ulp of a partial sum in each addition; partial sums are at most the sum of magnitudes.
        var magnitudes = Fold(Device.Reference, new Sum(), [.. values.Select(Math.Abs)], shape, axes);
        var depth = 1 + Math.Log2(1.0 + shape.Count);
        Numbers.Compare(device => Fold(device, new Sum(), values, shape, axes), i =>
            depth * Numbers.Eps * magnitudes[i], what);
        Numbers.Compare(device => Fold(device, new Larger(), values, shape, axes), 0, what);
    }

    [Fact]
    public void FoldsOfEveryLength()
    {
        for (var length = 0; length <= 257; length++)
        {
            CompareAll(new Shape(length), [0]);
            CompareAll(new Shape(3, length), [1]);
            CompareAll(new Shape(3, length), [0]);
            CompareAll(new Shape(length, 5), [0]);
        }
    }

    [Theory]
    [InlineData(1023)]
    [InlineData(1024)]
    [InlineData(1025)]
    [InlineData(2051)]
    [InlineData(70001)]
    public void FoldsAcrossBlocksOfElements(int length)
    {
        CompareAll(new Shape(length), [0]);
        CompareAll(new Shape(3, length), [1]);
    }

    [Theory]
    [InlineData(63, 7)]
    [InlineData(64, 8)]
    [InlineData(65, 33)]
    [InlineData(1000, 100)]
    [InlineData(3, 513)]
    [InlineData(5, 1100)]
    [InlineData(300, 600)]
    [InlineData(70000, 2)]
    public void FoldsAcrossBlocksOfRows(int rows, int columns)
    {
        CompareAll(new Shape(rows, columns), [0]);
        CompareAll(new Shape(2, rows, columns), [1]);
    }

    public static TheoryData<int[]> Shapes => new()
    {
        new[] { 2, 3, 4, 5 }, new[] { 1, 7, 1, 3, 1 }, new[] { 5, 1, 1, 11 }, new[] { 2, 2, 2, 2, 2, 2 }, new[] { 1 },
            new[] { 1, 1 },
        new[] { 3, 0, 2 }, new[] { 2, 300, 4, 2 }, new[] { 40, 3, 50, 2 },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void FoldsOverEverySubsetOfAxes(int[] dimensions)
    {
        for (var subset = 1; subset < 1 << dimensions.Length; subset++)
            CompareAll(new Shape(dimensions),
                [.. Enumerable.Range(0, dimensions.Length).Where(axis => (subset >> axis & 1) != 0)]);
    }

    [Fact]
    public void TheProductOfAnEmptyAxisIsOne()
    {
        foreach (var device in (Device[])[Device.Reference, Device.Cpu])
        {
            Assert.Equal([1, 1, 1], Fold(device, new Product(), [], new Shape(3, 0), [1]));
            Assert.Equal([], Fold(device, new Product(), [], new Shape(3, 0), [0]));
        }
        Numbers.Compare(device => Fold(device, new Product(), Numbers.Random(21, 1), new Shape(21), [0]), 1e-5,
            "product of 21");
    }

    [Fact]
    public void ALongSumIsAccurate()
    {
        // A million times 0.1f: a chain of float additions is wrong in the third digit (100958.34), a tree in the
        // seventh. Equal terms are the worst case: the roundings of a chain of 64 all lean the same way.
        var sum = Fold(Device.Cpu, new Sum(), [.. Enumerable.Repeat((double)0.1f, 1_000_000)], new Shape(1_000_000),
            [0])[0];
        Assert.Equal(1_000_000 * (double)0.1f, sum, 0.2);
        var columns = Fold(Device.Cpu, new Sum(), [.. Enumerable.Repeat((double)0.1f, 1_000_000)],
            new Shape(500_000, 2), [0]);
        Assert.All(columns, column => Assert.Equal(500_000 * (double)0.1f, column, 0.1));
    }

    [Fact]
    public void ARowsSumDoesNotDependOnTheOthers()
    {
        var values = Numbers.Random(6 * 4, 5);
        foreach (var columns in (int[])[4, 8])
        {
            var together = Fold(Device.Cpu, new Sum(), values, new Shape(values.Length / columns, columns), [1]);
            for (var row = 0; row < together.Length; row++)
            {
                var alone = values[(row * columns)..((row + 1) * columns)];
                Assert.Equal(together[row], Fold(Device.Cpu, new Sum(), alone, new Shape(1, columns), [1])[0]);
            }
        }
    }

    [Fact]
    public void TemporariesGoBackToThePool()
    {
        var device = CpuDevice.Create();
        var shape = new Shape(40, 3, 50, 2);
        var (x, y) = (device.Make(Numbers.Random(shape.Count, 1)), device.MakeUnwritten(3 * 2));
        device.Fold(new Sum(), x, shape, [0, 2], y);
        var created = device.Pool.Created;
        for (var i = 0; i < 5; i++) device.Fold(new Sum(), x, shape, [0, 2], y);
        Assert.Equal(created, device.Pool.Created);
    }
}
