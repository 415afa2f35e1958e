using Tapegrad.Devices;
using Xunit;
using static Tapegrad.Laws.Formulas;
using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad.Tests.Devices;

/// <summary>
/// The specification itself, against examples worked by hand: everything else is checked against this device, so a
/// fault here must show here.
/// </summary>
public class ReferenceDeviceTests
{
    private static readonly Device Device = Device.Reference;

    private static double[] Result(int length, Action<Buffer> verb)
    {
        var y = Device.MakeUnwritten(length);
        verb(y);
        return Device.Read(y);
    }

    private static double[] Count(int count) => [.. Enumerable.Range(1, count).Select(i => (double)i)];

    [Fact]
    public void WritesAndReadsInBothTypes()
    {
        var buffer = Device.Make([0.1, -2]);
        Assert.Equal([0.1, -2], Device.Read(buffer));
        var floats = new float[2];
        Device.Read(buffer, floats);
        Assert.Equal([0.1f, -2f], floats);
        Device.Write([0.1f, 3f], buffer);
        Assert.Equal([(double)0.1f, 3], Device.Read(buffer));
        Device.Fill(buffer, 0.3);
        Assert.Equal([0.3, 0.3], Device.Read(buffer));
    }

    [Fact]
    public void MapsEachElement() =>
        Assert.Equal([4, -5, 1], Result(3, y => Device.Map(new Line(3, 1), Device.Make([1, -2, 0]), y)));

    [Fact]
    public void ZipsWithBroadcasting()
    {
        // [2, 1, 2] - [3, 1] over [2, 3, 2]; a = ((1, 2), (3, 4)), b = (10, 20, 30).
        var y = Result(12, y => Device.Zip(new Difference(), Device.Make([1, 2, 3, 4]), new Shape(2, 1, 2),
            Device.Make([10, 20, 30]), new Shape(3, 1), y,
            new Shape(2, 3, 2)));
        Assert.Equal([-9, -8, -19, -18, -29, -28, -7, -6, -17, -16, -27, -26], y);
    }

    [Fact]
    public void FoldsOverAnyAxes()
    {
        // [2, 3, 2] with the numbers 1 to 12.
        var (x, shape) = (Device.Make(Count(12)), new Shape(2, 3, 2));
        double[] Sum(int length, params int[] axes) => Result(length, y => Device.Fold(new Sum(), x, shape, axes, y));
        Assert.Equal([8, 10, 12, 14, 16, 18], Sum(6, 0));
        Assert.Equal([9, 12, 27, 30], Sum(4, 1));
        Assert.Equal([3, 7, 11, 15, 19, 23], Sum(6, 2));
        Assert.Equal([36, 42], Sum(2, 0, 1));
        Assert.Equal([18, 26, 34], Sum(3, 0, 2));
        Assert.Equal([21, 57], Sum(2, 1, 2));
        Assert.Equal([78], Sum(1, 0, 1, 2));
        Assert.Equal([7, 8, 9, 10, 11, 12], Result(6, y => Device.Fold(new Larger(), x, shape, [0], y)));
        Assert.Equal([7, 16, 27, 40, 55, 72], Result(6, y => Device.Fold(new Product(), x, shape, [0], y)));
    }

    [Fact]
    public void TheFoldOfNothingIsNeutral()
    {
        var empty = Device.Make([]);
        Assert.Equal([0, 0], Result(2, y => Device.Fold(new Sum(), empty, new Shape(2, 0), [1], y)));
        Assert.Equal([1], Result(1, y => Device.Fold(new Product(), empty, new Shape(0), [0], y)));
        Assert.Equal([double.NegativeInfinity],
            Result(1, y => Device.Fold(new Larger(), empty, new Shape(0, 3), [0, 1], y)));
    }

    [Fact]
    public void CopiesBetweenWalks()
    {
        var x = Device.Make(Count(6));   // [[1, 2, 3], [4, 5, 6]]
        Assert.Equal([1, 4, 2, 5, 3, 6],
            Result(6, y => Device.Copy(new Shape(3, 2), x, new Walk(0, [1, 3]), y, new Walk(0, [2, 1]))));
        Assert.Equal([1, 2, 3, 1, 2, 3],
            Result(6, y => Device.Copy(new Shape(2, 3), x, new Walk(0, [0, 1]), y, new Walk(0, [3, 1]))));
        Assert.Equal([6, 5, 4, 3, 2, 1],
            Result(6, y => Device.Copy(new Shape(6), x, new Walk(5, [-1]), y, new Walk(0, [1]))));
        // The middle column into the last place of each pair; the rest stays.
        Assert.Equal([double.NaN, 2, double.NaN, 5],
            Result(4, y => Device.Copy(new Shape(2), x, new Walk(1, [3]), y, new Walk(1, [2]))));
    }

    [Fact]
    public void MultipliesMatricesInAllFourOrientations()
    {
        // ((1, 2, 3), (4, 5, 6)) times ((7, 8), (9, 10), (11, 12)) = ((58, 64), (139, 154)): the usual schoolbook
        // example.
        double[] a = [1, 2, 3, 4, 5, 6], aT = [1, 4, 2, 5, 3, 6], b = [7, 8, 9, 10, 11, 12], bT = [7, 9, 11, 8, 10, 12];
        foreach (var (transposeA, transposeB) in new[] { (false, false), (false, true), (true, false), (true, true) })
            Assert.Equal([58, 64, 139, 154],
                Result(4, y =>
                    Device.MatrixProduct(new MatrixProductGeometry(2, 3, 2, transposeA, transposeB, [0], [0]),
                        Device.Make(transposeA ? aT : a), Device.Make(transposeB ? bT : b), y)));
    }

    [Fact]
    public void MultipliesBatchesFromTheirOffsets()
    {
        // Two batches [1, 2] x [2, 1] that share b: (1, 2)(5, 6) and (3, 4)(5, 6); then a is shared and b moves.
        var (four, two) = (Device.Make([1, 2, 3, 4]), Device.Make([5, 6]));
        Assert.Equal([17, 39],
            Result(2, y => Device.MatrixProduct(new(1, 2, 1, false, false, [0, 2], [0, 0]), four, two, y)));
        Assert.Equal([39, 17],
            Result(2, y => Device.MatrixProduct(new(1, 2, 1, false, false, [0, 0], [2, 0]), two, four, y)));
        Assert.Equal([0, 0],
            Result(2, y =>
                Device.MatrixProduct(new(1, 0, 2, false, false, [0], [0]), Device.Make([]), Device.Make([]), y)));
    }

    [Fact]
    public void ExtractsWindows()
    {
        // 3x2 image of two channels, 11 12 | 21 22 / 31 32 | 41 42 / 51 52 | 61 62; windows 2x1, stride (2, 1), one row
        // of padding above and below.
        var geometry = new WindowGeometry(1, 3, 2, 2, new Size2d(2, 1), new Size2d(2, 1), new Size2d(1, 0), 1);
        var x = Device.Make([11, 12, 21, 22, 31, 32, 41, 42, 51, 52, 61, 62]);
        Assert.Equal((2, 2), (geometry.OutputHeight, geometry.OutputWidth));
        Assert.Equal([0, 0, 11, 12, 0, 0, 21, 22, 31, 32, 51, 52, 41, 42, 61, 62],
            Result(16, y => Device.ExtractWindows(geometry, x, y)));
    }

    [Fact]
    public void ExtractsDilatedWindowsOfEachImage()
    {
        // Two images 1x4 of one channel; windows 1x2 that take every second pixel: (0, 2), (1, 3).
        var geometry = new WindowGeometry(2, 1, 4, 1, new Size2d(1, 2), 1, 0, new Size2d(1, 2));
        var x = Device.Make([1, 2, 3, 4, 5, 6, 7, 8]);
        Assert.Equal([1, 3, 2, 4, 5, 7, 6, 8], Result(8, y => Device.ExtractWindows(geometry, x, y)));
    }

    [Fact]
    public void AddsWindowsBack()
    {
        // Windows of 2 along four pixels, stride 1: (1, 2), (3, 4), (5, 6) give 1, 2 + 3, 4 + 5, 6.
        var geometry = new WindowGeometry(1, 1, 4, 1, new Size2d(1, 2), 1, 0, 1);
        Assert.Equal([1, 5, 9, 6], Result(4, x => Device.AddWindows(geometry, Device.Make([1, 2, 3, 4, 5, 6]), x)));
        // Windows of 1 with stride 2: the pixels between are seen by none.
        var sparse = new WindowGeometry(1, 1, 3, 1, 1, 2, 0, 1);
        Assert.Equal([1, 0, 2], Result(3, x => Device.AddWindows(sparse, Device.Make([1, 2]), x)));
        // What lies in the padding is dropped.
        var padded = new WindowGeometry(1, 1, 1, 1, new Size2d(1, 3), 1, new Size2d(0, 1), 1);
        Assert.Equal([2], Result(1, x => Device.AddWindows(padded, Device.Make([1, 2, 3]), x)));
    }

    [Fact]
    public void FillsFromTheRandomSource()
    {
        var random = new RandomSource(5);
        Assert.Equal([random.Uniform(0), random.Uniform(1), random.Uniform(2)],
            Result(3, y => Device.FillUniform(y, random)));
        Assert.Equal([random.Normal(0), random.Normal(1), random.Normal(2)],
            Result(3, y => Device.FillNormal(y, random)));
    }

    [Fact]
    public void UpdatesInPlace()
    {
        // first = 0.5 * 8 + 2 = 6; second = 0.25 * 4 + 2 * 2 = 5; parameter = 10 - 0.125 * 6 + 5 = 14.25.
        var (p, g, first, second) = (Device.Make([10]), Device.Make([2]), Device.Make([8]), Device.Make([4]));
        Device.Update(new Step(), p, g, first, second);
        Assert.Equal((14.25, 2.0, 6.0, 5.0),
            (Device.Read(p)[0], Device.Read(g)[0], Device.Read(first)[0], Device.Read(second)[0]));
        // States that are not there begin at 0: first = 2, second = 4, parameter = 10 - 0.25 + 4.
        p = Device.Make([10]);
        Device.Update(new Step(), p, g, null, null);
        Assert.Equal([13.75], Device.Read(p));
    }

    [Fact]
    public void FindsTheFirstNumberThatIsNotFinite()
    {
        Assert.Equal(-1, Device.FirstNonFinite(Device.Make([])));
        Assert.Equal(-1, Device.FirstNonFinite(Device.Make([1, double.MaxValue, -0.0])));
        Assert.Equal(1, Device.FirstNonFinite(Device.Make([1, double.NaN, double.PositiveInfinity])));
        Assert.Equal(0, Device.FirstNonFinite(Device.Make([double.NegativeInfinity, 1])));
    }
}
