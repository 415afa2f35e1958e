using Tapegrad.Devices;

namespace Tapegrad.Laws;

/// <summary>
/// The verbs that add. Sums of small whole numbers are exact in any order, so that one number too many or too few shows
/// however many there are; sums of others show how they are rounded.
/// </summary>
internal static class DeviceLawsOfSums
{
    public static IEnumerable<DeviceCase> All(string? verb) =>
        new (string Verb, Func<IEnumerable<DeviceCase>> Cases)[]
        {
            ("Fold", Folds), ("MatrixProduct", Products), ("ExtractWindows", Windows), ("AddWindows", AddedWindows),
                ("AddGathered", AddedGathers),
        }.Where(one => verb is null || one.Verb == verb).SelectMany(one => one.Cases());

    /// <summary>From -4 to 4.</summary>
    public static double[] Whole(int count, int seed)
    {
        var random = new RandomSource(seed);
        var result = new double[count];
        for (var i = 0; i < count; i++) result[i] = random.Below(9, i) - 4;
        return result;
    }

    private static IEnumerable<DeviceCase> Folds()
    {
        foreach (var (dimensions, axes) in ((int[], int[])[])[
            ([], []), ([0], [0]), ([3, 0], [1]), ([3, 0], [0]), ([0, 3], [0]), ([1], [0]), ([7], [0]), ([17], [0]),
            ([1023], [0]), ([1024], [0]), ([1025], [0]),
            ([70_001], [0]), ([3, 2051], [1]), ([63, 7], [0]), ([64, 8], [0]), ([65, 33], [0]), ([3, 513], [0]),
            ([300, 601], [0]), ([300, 601], [1]),
            ([70_001, 2], [0]), ([2, 3, 4, 5], [0, 2]), ([2, 3, 4, 5], [1, 3]), ([2, 3, 4, 5], [0, 1, 2, 3]),
            ([1, 7, 1, 3, 1], [0, 3]), ([5, 1, 1, 11], [1, 3]),
            ([40, 3, 50, 2], [0, 2]), ([2, 2, 2, 2, 2, 2, 2, 2], [0, 2, 4, 6]), ([12, 900, 8, 3], [1, 3]),
            ([97, 89, 11], [2])])
        {
            if (axes.Length == 0) continue;
            var (shape, what) = (new Shape(dimensions), $"{new Shape(dimensions)} over ({string.Join(", ", axes)})");
            var length = shape.Reduce(axes, keepAxes: false).Count;
            DeviceCase Fold<TFold>(string name, TFold fold, double[] values) where TFold : struct, IFold =>
                new("Fold", $"{name} of {what}", [values], length, (device, x, y) =>
                    device.Fold(fold, x[0], shape, axes, y));
            yield return Fold("sum", new Formulas.Sum(), Whole(shape.Count, 1));
            yield return Fold("largest", new Formulas.Larger(), DeviceCase.Normal(shape.Count, 2));
            yield return Fold("sum", new Formulas.Sum(), DeviceCase.Normal(shape.Count, 3))
                .Summing(8 + 2 * Math.Sqrt((double)shape.Count / Math.Max(1, length)));
            yield return Fold("product", new Formulas.Product(),
                [.. Whole(shape.Count, 4).Select(value => value < 0 ? -1.0 : 1)]);
        }
    }

    private static IEnumerable<DeviceCase> Products()
    {
        foreach (var (rows, inner, columns) in ((int, int, int)[])[
            (1, 1, 1), (6, 5, 16), (7, 5, 17), (5, 1, 15), (13, 3, 33), (1, 1, 300), (3, 0, 5), (0, 4, 5), (5, 4, 0),
            (6, 512, 16), (7, 513, 17), (2, 1031, 3),
            (197, 70, 151), (331, 301, 77), (401, 7, 263)])
            foreach (var (transposeA, transposeB) in ((bool, bool)[])[(false, false), (false, true), (true, false),
                (true, true)])
            {
                var geometry = new MatrixProductGeometry(rows, inner, columns, transposeA, transposeB, [0], [0]);
                yield return Product(geometry, Whole);
                yield return Product(geometry, DeviceCase.Normal).Summing(8 + 2 * Math.Sqrt(inner));
            }
        yield return Product(new(7, 5, 9, false, false, [0, 35, 70], [0, 45, 90]), Whole);
        yield return Product(new(7, 5, 9, true, false, [0, 0, 0], [90, 45, 0]), Whole);
        yield return Product(new(7, 5, 9, false, true, [70, 0, 35], [0, 0, 0]), Whole);
        yield return Product(new(20, 30, 41, false, false, [.. Enumerable.Range(0, 12).Select(i => i * 600)],
            [.. new int[12]]), Whole);
        yield return Product(new(7, 5, 9, false, false, [], []), Whole);
    }

    private static DeviceCase Product(MatrixProductGeometry geometry, Func<int, int, double[]> draw)
    {
        var (rows, inner, columns, _, _, offsetsA, offsetsB) = geometry;
        double[] a = draw(offsetsA.Append(0).Max() + rows * inner, 1),
            b = draw(offsetsB.Append(0).Max() + inner * columns, 2);
        return new("MatrixProduct",
            $"{offsetsA.Length} of [{rows}, {inner}] [{inner}, {columns}], transposed {geometry.TransposeA}, "
                + $"{geometry.TransposeB}",
            [a, b], offsetsA.Length * rows * columns, (device, x, y) => device.MatrixProduct(geometry, x[0], x[1], y));
    }

    /// <summary>Kernels, strides, paddings and dilations that meet every edge of the image.</summary>
    public static IEnumerable<WindowGeometry> WindowGeometries =>
    [
        new(2, 5, 7, 3, 3, 1, 1, 1), new(1, 8, 8, 16, 3, 2, 1, 1),
        new(2, 9, 6, 5, new Size2d(2, 3), new Size2d(3, 2), new Size2d(1, 2), new Size2d(2, 1)),
        new(1, 7, 7, 1, 3, 1, 2, 2), new(3, 1, 1, 9, 1, 1, 0, 1), new(1, 4, 4, 8, 1, 2, 0, 1),
        new(1, 2, 3, 2, 5, 1, 2, 1), new(1, 3, 3, 2, 2, 1, 4, 1),
        new(0, 5, 5, 3, 3, 1, 1, 1), new(2, 5, 5, 0, 3, 1, 1, 1), new(3, 37, 31, 7, 3, 1, 1, 1),
        new(2, 4, 11, 12, new Size2d(1, 4), new Size2d(1, 3), new Size2d(0, 1), 1),
    ];

    private static IEnumerable<DeviceCase> Windows() =>
        WindowGeometries.Select(geometry => new DeviceCase("ExtractWindows", $"{geometry}",
        [DeviceCase.Normal(Pixels(geometry), 1)], Elements(geometry), (device, x, y) =>
        device.ExtractWindows(geometry, x[0], y)));

    private static IEnumerable<DeviceCase> AddedWindows() =>
        WindowGeometries.Select(geometry => new DeviceCase("AddWindows", $"{geometry}",
        [Whole(Elements(geometry), 1)], Pixels(geometry), (device, x, y) => device.AddWindows(geometry, x[0], y)));

    private static int Pixels(WindowGeometry g) => g.Batch * g.Height * g.Width * g.Channels;

    private static int Elements(WindowGeometry g) =>
        g.Batch * g.OutputHeight * g.OutputWidth * g.Kernel.Height * g.Kernel.Width * g.Channels;

    /// <summary>Slices in any order, some of them never, some often.</summary>
    public static IEnumerable<GatherGeometry> Gathers =>
    [
        new(1, 1, 1, [0]), new(2, 3, 5, [2, 0, 2, 2]), new(1, 4, 7, []), new(0, 4, 7, [1, 3]), new(3, 4, 0, [1]),
        new(3, 40, 77, [.. Enumerable.Range(0, 501).Select(i => i * i % 40)]),
        new(1, 10, 1031, [9, 0, 9]), new(7, 11, 257, [10, 0, 0, 10, 5]),
    ];

    public static string Describe(GatherGeometry g) =>
        $"{g.Indices.Length} slices of [{g.Outer}, {g.Length}, {g.Inner}]";

    private static IEnumerable<DeviceCase> AddedGathers() =>
        Gathers.Select(geometry => new DeviceCase("AddGathered", Describe(geometry),
        [Whole(geometry.Outer * geometry.Indices.Length * geometry.Inner, 1)],
        geometry.Outer * geometry.Length * geometry.Inner,
        (device, x, y) => device.AddGathered(geometry, x[0], y)));
}
