using Tapegrad.Devices;
using Tapegrad.Devices.Cpu;
using Xunit;
using static Tapegrad.Laws.Formulas;
using static Tapegrad.Tests.Devices.Cuts;
using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad.Tests.Devices;

/// <summary>
/// Shapes for the verbs of <see cref="Device"/> and for pooling that take every piece of their work. The numbers are
/// whole and small, so that every sum is exact in float, whatever its order, and the CPU must give what the reference
/// does, to the bit.
/// </summary>
internal static class VerbCuts
{
    private static readonly CpuDevice Cpu = KernelTesting.Poisoned();

    // What a verb is called with: the lengths of its inputs and of its result, how, and how far it may write beyond the
    // result.
    private sealed record Call(int[] Inputs, int Result, Action<Device, Buffer[], Buffer> Verb, int Padding = 0);

    // What no shape takes, and why.
    private const string Small = "a range holds many things so small";

    private static readonly Dictionary<string, string> Ranges = new()
    {
        [".ranges: one, smaller"] = "one range is as large as all there is",
        [".size: at most"] = "what is cut fills two ranges",
    };

    private static readonly Dictionary<string, string> SmallThings = new(Ranges) { [".size: at least"] = Small };

    private static readonly Dictionary<string, string> OfZip = new(Ranges) { ["only.ranges.size: at least"] = Small };

    private static readonly Dictionary<string, string> OfProducts = new(Ranges)
    {
        [".RowItems: one, smaller"] = "items are of nearly equal size",
        [".ColumnItems: one, smaller"] = "items are of nearly equal size",
        ["<Real32x8>.copies.size: at least"] = "a panel of sixteen columns has at most 8192 elements",
    };

    public static readonly Dictionary<string, Lazy<List<Subject>>> All = new()
    {
        ["fill"] = Verb(Lengths(1, 16384), SmallThings, length => length, length => [new ConstantFill(length)],
            length => new([], length, (device, _, y) => device.Fill(y, 0.1))),
        ["uniform"] = Verb(Lengths(4, 512), SmallThings, length => length,
            length => [new RandomFill<UniformDraw>(length)],
            length => new([], length, (device, _, y) => device.FillUniform(y, new RandomSource(length)), Padding: 3)),
        ["normal"] = Verb(Lengths(2, 512), SmallThings, length => length,
            length => [new RandomFill<NormalDraw>(length)],
            length => new([], length, (device, _, y) => device.FillNormal(y, new RandomSource(length)), Padding: 1)),
        ["map"] = Verb(Vectors, SmallThings, length => length,
            length => [new ElementMap<Real32x8>(length), new ElementMap<Real32x16>(length)],
            length => new([length], length, (device, x, y) => device.Map(new Line(3, 1), x[0], y), Padding: 15)),
        ["update"] = Verb(Vectors, SmallThings, length => length,
            length => [new ElementUpdate<Real32x8>(length), new ElementUpdate<Real32x16>(length)],
            length => new([length, length, length, length], length, Update, Padding: 15)),
        ["check of an update"] = Verb(Vectors, SmallThings, length => length,
            length => [new UpdateCheck<Real32x8>(length), new UpdateCheck<Real32x16>(length)],
            length => new([length, length, length, length], 8, CheckUpdate)),
        ["zip"] = Verb(ZipShapes(), OfZip, pair => pair.Of.Count, pair =>
            [new BroadcastZip<Real32x8>(pair.A, pair.B, pair.Of), new BroadcastZip<Real32x16>(pair.A, pair.B, pair.Of)],
            pair => new([pair.A.Count, pair.B.Count], pair.Of.Count,
                (device, x, y) => device.Zip(new Difference(), x[0], pair.A, x[1], pair.B, y, pair.Of))),
        ["copy"] = Verb(CopyShapes(), Ranges, rows => rows.Of.Count,
            rows => [new StridedCopy(rows.Of, rows.From, rows.To)], rows => new([rows.Length], rows.Of.Count,
                (device, x, y) => device.Copy(rows.Of, x[0], new Walk(0, rows.From), y, new Walk(0, rows.To)))),
        ["fold"] = Verb(FoldShapes(), Ranges, shape => shape.Count,
            shape => [new MiddleFold<Real32x8>(shape[0], shape[1], shape[2]),
                new MiddleFold<Real32x16>(shape[0], shape[1], shape[2])],
            shape => new([shape.Count], shape[0] * shape[2],
                (device, x, y) => device.Fold(new Sum(), x[0], shape, [1], y))),
        ["matrix product"] = Verb(Products(), OfProducts, Cost, product =>
            [product, new MatrixMultiplication<Real32x8>(product), new MatrixMultiplication<Real32x16>(product)],
            product => new([product.OffsetsA[^1] + product.Rows * product.Inner,
                    product.OffsetsB[^1] + product.Inner * product.Columns],
                product.OffsetsA.Length * product.Rows * product.Columns,
                (device, x, y) => device.MatrixProduct(product, x[0], x[1], y))),
        ["gather"] = Verb(Gathers(), Ranges, Cost, gather => [new SliceGather(gather)],
            gather => new([Slices(gather)], Picked(gather), (device, x, y) => device.Gather(gather, x[0], y))),
        ["gathered added"] = Verb(Gathers(), Ranges, Cost, gather => [new SliceAddition(gather)],
            gather => new([Picked(gather)], Slices(gather), (device, x, y) => device.AddGathered(gather, x[0], y))),
        ["windows"] = Verb(Windows(), Ranges, Elements, windows => [new WindowExtraction(windows)],
            windows => new([PoolingKernelsTests.XLength(windows)], Elements(windows),
                (device, x, y) => device.ExtractWindows(windows, x[0], y))),
        ["windows added"] = Verb(Windows(), Ranges, Elements, windows =>
            [new WindowAddition<Real32x8>(windows), new WindowAddition<Real32x16>(windows)],
            windows => new([Elements(windows)], PoolingKernelsTests.XLength(windows),
                (device, x, y) => device.AddWindows(windows, x[0], y))),
        ["max pooling"] = new(Pooling),
    };

    // The result is the parameter, or one of its two states; or there are no states.
    private static void Update(Device device, Buffer[] x, Buffer y)
    {
        var result = y.Length % 4;
        CopyTo(device, x[result], y, 0);
        if (result == 3) device.Update(new Step(), y, x[0], null, null);
        else device.Update(new Step(), result == 0 ? y : x[0], x[3], result == 1 ? y : x[1], result == 2 ? y : x[2]);
    }

    // One verdict for each of seven places where something is not finite, and one where nothing is.
    private static void CheckUpdate(Device device, Buffer[] x, Buffer y)
    {
        var verdict = device.MakeUnwritten(1);
        for (var i = 0; i < 8; i++)
        {
            device.Fill(verdict, 0);
            var place = i == 7 ? -1 : (int)((x[0].Length - 1L) * i / 6);
            if (place >= 0) CopyTo(device, device.Make([double.NaN]), x[i % 4], place);
            device.CheckUpdate(new Step(), x[0], x[3], x[1], x[2], verdict);
            if (place >= 0) CopyTo(device, device.Make([2]), x[i % 4], place);
            CopyTo(device, verdict, y, i);
        }
    }

    private static void CopyTo(Device device, Buffer x, Buffer y, int place) =>
        device.Copy(new Shape(x.Length), x, new Walk(0, [1]), y, new Walk(place, [1]));

    private static List<Subject> Pooling()
    {
        static object[] Plans(WindowGeometry windows) =>
        [
            new MaxPooling<Real32x8>(windows), new MaxPooling<Real32x16>(windows),
            new MaxPoolingGradient<Real32x8>(windows), new MaxPoolingGradient<Real32x16>(windows),
        ];
        return [.. Cover(Windows(), Plans, windows => Elements(windows), Budget, Ranges).Select(windows =>
        {
            var x = KernelTesting.Normal(PoolingKernelsTests.XLength(windows), 1);
            var g = KernelTesting.Normal(PoolingKernelsTests.YLength(windows), 2);
            return new Subject(windows, Plans(windows), () => PoolingKernelsTests.Check(windows, x, g),
                device => PoolingKernelsTests.Compute(windows, x, g, device) is var (y, gradient) ? [.. y, .. gradient]
                    : []);
        })];
    }

    private const double Budget = 1e6;

    private static Lazy<List<Subject>> Verb<TShape>(IEnumerable<TShape> shapes, Dictionary<string, string> impossible,
        Func<TShape, int> cost, Func<TShape, object[]> plans, Func<TShape, Call> call) => new(() =>
            [.. Cover(shapes, plans, shape => cost(shape), Budget, impossible).Select(shape =>
                new Subject(shape!, plans(shape), () => Check(shape!, call(shape)),
                    device => Compute(device, call(shape))))]);

    private static void Check(object shape, Call call)
    {
        var inputs = call.Inputs.Select((length, i) => Whole(length, i)).ToArray();
        var reference = Device.Reference.MakeUnwritten(call.Result);
        Buffer[] exact = [.. inputs.Select(x => Device.Reference.Make(Array.ConvertAll(x, value => (double)value)))];
        call.Verb(Device.Reference, exact, reference);
        var expected = Array.ConvertAll(Device.Reference.Read(reference), value => (float)value);
        // Behind the inputs lies what shows in a result, then what shows behind it: there it would be NaN in any case.
        foreach (var padding in (float[])[float.NaN, 3])
        {
            var actual = KernelTesting.Result(call.Result,
                y => call.Verb(Cpu, [.. inputs.Select(x => KernelTesting.Filled(x, padding))], y), call.Padding);
            KernelTesting.AssertSameBits(expected, actual, $"{shape}");
        }
    }

    private static float[] Compute(CpuDevice device, Call call)
    {
        Buffer[] inputs = [.. call.Inputs.Select((length, i) => KernelTesting.Filled(KernelTesting.Normal(length, i)))];
        var y = device.MakeUnwritten(call.Result);
        call.Verb(device, inputs, y);
        return Array.ConvertAll(device.Read(y), value => (float)value);
    }

    // From -4 to 4, without 0: what is left out shows.
    private static float[] Whole(int length, int seed)
    {
        var random = new RandomSource(seed);
        return [.. Enumerable.Range(0, length).Select(i => random.Below(8, i))
            .Select(number => number < 4 ? number - 4 : number - 3)];
    }

    // ---- shapes ----------------------------------------------------------------------------------------------------

    // Lengths around one piece and several, where some elements make a piece and some pieces a range.
    private static IEnumerable<int> Lengths(int piece, int range) =>
        from pieces in (int[])[1, 2, 3, 5, 2 * range - 1, 2 * range, 2 * range + 1, 3 * range - 1, 3 * range, 5 * range]
        from last in (int[])[1, piece / 2, piece - 1, piece]
        where last > 0
        select (pieces - 1) * piece + last;

    // Around vectors of every width.
    private static IEnumerable<int> Vectors => Lengths(8, 2048).Concat(Lengths(16, 1024));

    private sealed record Operands(Shape A, Shape B, Shape Of);

    private static IEnumerable<Operands> ZipShapes() => [
        .. Vectors.Select(length => new Operands(new Shape(length), new Shape(length), new Shape(length))),
        .. Vectors.Select(length => new Operands(new Shape(length), new Shape(1), new Shape(length))),
        .. Draw(1, pick =>
        {
            var shape = Rows(pick);
            var (row, column) = (new Shape(shape[1]), new Shape(shape[0], 1));
            return pick([0, 1, 2]) switch
            {
                0 => new Operands(shape, row, shape),
                1 => new Operands(shape, column, shape),
                _ => new Operands(column, shape, shape),
            };
        }, operands => operands.Of.Count < Most)];

    private sealed record Reading(Shape Of, int[] From, int Length)
    {
        public int[] To { get; } = Of.Strides();
    }

    private static IEnumerable<Reading> CopyShapes() => Draw(2, pick =>
    {
        var shape = Rows(pick);
        var (rows, length) = (shape[0], shape[1]);
        return pick([0, 1, 2]) switch
        {
            0 => new Reading(shape, [1, rows], rows * length),               // the axes swapped
            1 => new Reading(shape, [length + 3, 1], rows * (length + 3)),   // the first ones of longer rows
            _ => new Reading(shape, [1, 0], rows),                           // each element, repeated
        };
    }, rows => rows.Of.Count < Most);

    private static Shape Rows(Func<int[], int> pick) => new(
        pick([1, 2, 3, 4, 5, 7, 8, 9, 13, 33, 100, 129, pick([.. Enumerable.Range(1, 400)]), 5000]),
        pick([1, 2, 5, 7, 8, 9, 15, 16, 17, 31, 32, 47, 64, 300, 1000, 4096, 5461, 8192, 8193, 16384, 16385]));

    private static IEnumerable<Shape> FoldShapes() => Draw(3, pick => new Shape(
        pick([1, 1, 2, 3, 5, 8, 17, 40, 100, pick([.. Enumerable.Range(1, 400)])]),
        pick([2, 3, 15, 16, 17, 31, 63, 64, 65, 127, 128, 129, 200, 1023, 1024, 1025, 1039, 1040, 1041, 2047, 2048,
            2049, 5000]),
        pick([1, 1, 2, 7, 31, 32, 33, 63, 64, 65, 100, 511, 512, 513, 543, 544, 545, 1023, 1024, 1025, 1055])),
        shape => shape.Count < Most);

    private static IEnumerable<MatrixProductGeometry> Products() => Draw(4, pick =>
    {
        var rows = pick([1, 2, 5, 6, 7, 8, 9, 11, 12, 13, 15, 16, 17, 24, 25, 48, 54, 65, 78, 90, 150, 192, 198, 400,
            pick([.. Enumerable.Range(1, 300)])]);
        var inner = pick([0, 1, 2, 3, 9, 64, 100, 511, 512, 513, 1023, 1024, 1025]);
        var columns = pick([1, 2, 5, 15, 16, 17, 31, 32, 33, 100, 240, 255, 256, 257, 272, 287, 480, 481, 496, 511, 512,
            513]);
        var batch = pick([1, 1, 1, 2, 3, 7, 9, 64, pick([.. Enumerable.Range(1, 300)])]);
        // Each of the batch has an operand of its own, or all have the same.
        int[] Offsets(int length) =>
            pick([0, 1]) == 1 ? new int[batch] : [.. Enumerable.Range(0, batch).Select(i => i * length)];
        return new MatrixProductGeometry(rows, inner, columns, pick([0, 1]) == 1, pick([0, 1]) == 1,
            Offsets(rows * inner), Offsets(inner * columns));
    }, product => Cost(product) < 4_000_000 && product.OffsetsA.Length * product.Rows * product.Columns < Most)
        .Concat(from columns in (int[])[480, 512, 544, 736]   // large ones, whose panels are copied first
                from transposed in (bool[])[false, true]
                select new MatrixProductGeometry(280, 64, columns, false, transposed, [0], [0]));

    private static int Cost(MatrixProductGeometry product) => (int)Math.Min(int.MaxValue,
        (long)product.OffsetsA.Length * product.Rows * product.Columns * (product.Inner + 1) / 4);

    private static IEnumerable<GatherGeometry> Gathers() => Draw(5, pick =>
    {
        var length = pick([1, 2, 5, 40]);
        var count = pick([1, 2, 3, 7, 50, 300, pick([.. Enumerable.Range(1, 200)])]);
        return new GatherGeometry(pick([1, 2, 3, 5, 10, pick([.. Enumerable.Range(1, 200)])]), length,
            pick([1, 2, 5, 100, 255, 256, 257, 300, 511, 512, 513, 767, 4000, 5461, 8193, 16385]),
            [.. Enumerable.Range(0, count).Select(i => i * i % length)]);
    }, gather => Cost(gather) < Most);

    private static int Cost(GatherGeometry gather) =>
        (int)Math.Min(int.MaxValue, (long)gather.Outer * (gather.Length + gather.Indices.Length) * gather.Inner);

    private static int Slices(GatherGeometry gather) => gather.Outer * gather.Length * gather.Inner;

    private static int Picked(GatherGeometry gather) => gather.Outer * gather.Indices.Length * gather.Inner;

    private static IEnumerable<WindowGeometry> Windows() => Draw(6, pick => new WindowGeometry(
        pick([1, 1, 2, 3, 5, 9, pick([.. Enumerable.Range(1, 100)])]), pick([1, 2, 3, 5, 8, 9, 13]),
        pick([1, 2, 3, 4, 7, 8, 16]),
        pick([1, 3, 7, 8, 9, 15, 16, 17, 24, 31, 32, 300, 1000, 5000]), new Size2d(pick([1, 2, 3]), pick([1, 2, 3, 5])),
        new Size2d(pick([1, 1, 2, 3]), pick([1, 1, 2])), new Size2d(pick([0, 1, 2]), pick([0, 1, 3])),
        new Size2d(pick([1, 1, 2]), pick([1, 1, 2]))),
        windows => windows is { OutputHeight: > 0, OutputWidth: > 0 } && Elements(windows) < Most
            && PoolingKernelsTests.XLength(windows) < Most);

    private static int Elements(WindowGeometry windows) =>
        PoolingKernelsTests.YLength(windows) * windows.Kernel.Height * windows.Kernel.Width;

    private const int Most = 300_000;   // elements

    private static IEnumerable<TShape> Draw<TShape>(int seed, Func<Func<int[], int>, TShape> draw,
        Func<TShape, bool> isWanted)
    {
        for (var i = 0; i < 3000; i++)
        {
            var (random, next) = (new RandomSource(seed).Split(i), 0);
            var shape = draw(values => values[random.Below(values.Length, next++)]);
            if (isWanted(shape)) yield return shape;
        }
    }
}
