using Tapegrad.Devices;
using Tapegrad.Memory;
using Xunit;

namespace Tapegrad.Tests.Devices;

/// <summary>
/// Matrix products on the CPU against the reference: sizes around every tile, all orientations, batches that share
/// operands.
/// </summary>
public class MatrixProductTests
{
    private static double[] Multiply(Device device, MatrixProductGeometry geometry, double[] a, double[] b)
    {
        var y = device.MakeUnwritten(geometry.OffsetsA.Length * geometry.Rows * geometry.Columns);
        device.MatrixProduct(geometry, device.Make(a), device.Make(b), y);
        return device.Read(y);
    }

    private static void Compare(MatrixProductGeometry geometry)
    {
        var a = Numbers.Random(geometry.OffsetsA.DefaultIfEmpty().Max() + geometry.Rows * geometry.Inner, 1);
        var b = Numbers.Random(geometry.OffsetsB.DefaultIfEmpty().Max() + geometry.Inner * geometry.Columns, 2);
        // Each of the chain's roundings is half an ulp of a partial sum, and they lean both ways: a walk of sqrt(Inner)
        // steps, times 4 to be safe.
        var magnitudes = Multiply(Device.Reference, geometry, [.. a.Select(Math.Abs)], [.. b.Select(Math.Abs)]);
        var growth = 1 + Math.Sqrt(geometry.Inner);
        Numbers.Compare(device => Multiply(device, geometry, a, b), i => growth * Numbers.Eps * magnitudes[i],
            $"{geometry}");
    }

    private static void CompareAllOrientations(int rows, int inner, int columns)
    {
        foreach (var (transposeA, transposeB) in new[] { (false, false), (false, true), (true, false), (true, true) })
            Compare(new MatrixProductGeometry(rows, inner, columns, transposeA, transposeB, [0], [0]));
    }

    [Fact]
    public void EveryNumberOfRowsAndColumnsAroundATile()
    {
        foreach (var rows in (int[])[1, 2, 3, 4, 5, 6, 7, 12, 13])
            foreach (var columns in (int[])[1, 2, 7, 8, 9, 15, 16, 17, 33])
                CompareAllOrientations(rows, 5, columns);
    }

    [Theory]
    [InlineData(6, 256, 16)]
    [InlineData(7, 257, 17)]
    [InlineData(5, 600, 40)]
    [InlineData(6, 512, 16)]
    [InlineData(7, 1030, 17)]
    [InlineData(200, 3, 4)]
    [InlineData(25, 31, 130)]
    [InlineData(197, 70, 150)]
    [InlineData(24, 1000, 20)]
    [InlineData(1, 1, 300)]
    [InlineData(3, 0, 5)]
    [InlineData(0, 4, 5)]
    [InlineData(5, 4, 0)]
    public void SizesAroundEveryBlock(int rows, int inner, int columns) => CompareAllOrientations(rows, inner, columns);

    [Fact]
    public void BatchesThatShareOperands()
    {
        Compare(new MatrixProductGeometry(7, 5, 9, false, false, [0, 35, 70], [0, 45, 90]));
        Compare(new MatrixProductGeometry(7, 5, 9, true, false, [0, 0, 0], [90, 45, 0]));
        Compare(new MatrixProductGeometry(7, 5, 9, false, false, [0, 35, 70], [45, 0, 45]));
        Compare(new MatrixProductGeometry(7, 5, 9, false, true, [70, 0, 35], [0, 0, 0]));
        Compare(new MatrixProductGeometry(20, 30, 40, false, false, [.. Enumerable.Range(0, 12).Select(i => i * 600)],
            [.. new int[12]]));
        Compare(new MatrixProductGeometry(7, 5, 9, false, false, [], []));
        // So large that the second factor of each is copied first.
        Compare(new MatrixProductGeometry(300, 7, 4100, false, false, [0, 2100], [0, 28700]));
        Compare(new MatrixProductGeometry(300, 7, 4100, true, true, [2100, 0], [0, 28700]));
        Compare(new MatrixProductGeometry(300, 7, 4100, false, false, [0, 0], [28700, 0]));
    }

    [Fact]
    public void ARowsBitsDoNotDependOnTheOtherRows()
    {
        // The batch is the rows of a linear layer: a sample alone must have the bits that it has among others.
        var (a, b) = (Numbers.Random(37 * 300, 3), Numbers.Random(300 * 21, 4));
        var together = Multiply(Device.Cpu, new MatrixProductGeometry(37, 300, 21, false, false, [0], [0]), a, b);
        for (var row = 0; row < 37; row++)
            Assert.Equal(together[(row * 21)..((row + 1) * 21)],
                Multiply(Device.Cpu, new MatrixProductGeometry(1, 300, 21, false, false, [0], [0]),
                    a[(row * 300)..((row + 1) * 300)], b));
    }

    [Fact]
    public void EveryElementIsOneChainOfFusedMultiplyAdds()
    {
        var (a, b) = (Numbers.Random(700, 5), Numbers.Random(700, 6));
        var chain = 0f;
        for (var k = 0; k < 700; k++) chain = MathF.FusedMultiplyAdd((float)a[k], (float)b[k], chain);
        Assert.Equal([chain], Multiply(Device.Cpu, new MatrixProductGeometry(1, 700, 1, false, false, [0], [0]), a, b));
    }

    /// <summary>
    /// Memory for copies of b is only taken where one product is large enough for all threads to meet, and then for
    /// one product at a time: not for a batch of small ones, nor for a short inner axis.
    /// </summary>
    [Fact]
    public void Copies_take_little_memory()
    {
        var device = CpuDevice.Create();
        var rented = new List<int>();
        device.Pool.Renting = buffer => rented.Add(buffer.Length);
        int[] Each(int count, int length) => [.. Enumerable.Range(0, count).Select(i => i * length)];
        Multiply(new(3, 3, 3, false, false, Each(9000, 9), Each(9000, 9)));
        Multiply(new(1, 1, 300_000, false, false, [0], [0]));
        Multiply(new(3, 700, 5000, false, false, [0], [0]));
        Assert.Empty(rented);
        Multiply(new(400, 4, 9000, false, false, [0, 0, 0], Each(3, 36_000)));
        Assert.InRange(Assert.Single(rented), 36_000, 36_000 + 4 * 31);

        // Operands outside of the pool.
        void Multiply(MatrixProductGeometry of)
        {
            var (a, b) = (new HostBuffer<float>(of.OffsetsA[^1] + of.Rows * of.Inner),
                new HostBuffer<float>(of.OffsetsB[^1] + of.Inner * of.Columns));
            device.MatrixProduct(of, a, b, new HostBuffer<float>(of.OffsetsA.Length * of.Rows * of.Columns));
        }
    }
}
