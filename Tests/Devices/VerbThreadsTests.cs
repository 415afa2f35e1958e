using Tapegrad.Devices;
using Tapegrad.Devices.Cpu;
using Xunit;
using static Tapegrad.Laws.Formulas;
using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad.Tests.Devices;

/// <summary>
/// What every verb of the device owes to threads: the same bits on any number of them, no number beyond its own. That
/// they make no garbage is a law of a whole process: see <see cref="Learning.FiftyStepsTests"/>.
/// </summary>
[Collection(ThreadCount.Name)]
public sealed class VerbThreadsTests : IDisposable
{
    private readonly int before = Workers.Threads;

    public void Dispose() => Workers.Threads = before;

    // ---- the same bits ----------------------------------------------------------------------------------------------

    // Each verb at a size that is cut into several items, with a remainder: the length of its result, and the call.
    private static readonly Dictionary<string, (int Length, Action<Device, Buffer> Verb)> Verbs = new()
    {
        ["map"] = (100_003, (device, y) => device.Map(new Exponential(), Random(device, 100_003), y)),
        ["zip"] = (100_003, (device, y) =>
        {
            var shape = new Shape(100_003);
            device.Zip(new Quotient(), Random(device, shape.Count), shape, Random(device, shape.Count), shape,
                y, shape);
        }
        ),
        ["zip in rows"] = (40_000 * 5, (device, y) =>
        {
            var shape = new Shape(40_000, 5);
            device.Zip(new Product(), Random(device, shape.Count), shape, Random(device, 5), new Shape(5), y, shape);
        }
        ),
        ["sum of all"] =
        (1, (device, y) => device.Fold(new Sum(), Random(device, 200_003), new Shape(200_003), [0], y)),
        ["sum of rows"] =
        (77, (device, y) => device.Fold(new Sum(), Random(device, 77 * 2003), new Shape(77, 2003), [1], y)),
        ["sum of columns"] =
        (77, (device, y) => device.Fold(new Sum(), Random(device, 77 * 2003), new Shape(2003, 77), [0], y)),
        ["sum of two axes"] = (96, (device, y) =>
            device.Fold(new Sum(), Random(device, 12 * 900 * 8 * 3), new Shape(12, 900, 8, 3), [1, 3], y)),
        ["copy"] = (60_000, (device, y) =>
            device.Copy(new Shape(200, 300), Random(device, 60_000), new Walk(0, [1, 200]), y, new Walk(0, [300, 1]))),
        ["matrix product"] = (331 * 77, (device, y) =>
            device.MatrixProduct(new(331, 301, 77, true, true, [0], [0]), Random(device, 331 * 301),
                Random(device, 301 * 77), y)),
        ["windows"] = (3 * 400 * 45, (device, y) =>
            device.ExtractWindows(new(3, 20, 20, 5, 3, 1, 1, 1), Random(device, 3 * 400 * 5), y)),
        ["windows added"] = (3 * 400 * 5, (device, y) =>
            device.AddWindows(new(3, 20, 20, 5, 3, 1, 1, 1), Random(device, 3 * 400 * 45), y)),
        ["gather"] = (3 * 500 * 77, (device, y) => device.Gather(Picks, Random(device, 3 * 40 * 77), y)),
        ["gathered added"] = (3 * 40 * 77, (device, y) => device.AddGathered(Picks, Random(device, 3 * 500 * 77), y)),
        ["uniform"] = (50_003, (device, y) => device.FillUniform(y, new RandomSource(9))),
        ["normal"] = (50_003, (device, y) => device.FillNormal(y, new RandomSource(9))),
        ["update"] = (100_003, (device, y) =>
        {
            device.Fill(y, 1);
            device.Update(new Step(), y, Random(device, 100_003), Random(device, 100_003), null);
        }
        ),
    };

    private static GatherGeometry Picks => new(3, 40, 77, [.. Enumerable.Range(0, 500).Select(i => i * i % 40)]);

    public static TheoryData<string> VerbNames => [.. Verbs.Keys];

    private static Buffer Random(Device device, int count) => device.Make(Numbers.Random(count, count));

    [Theory]
    [MemberData(nameof(VerbNames))]
    public void AnyNumberOfThreadsGivesTheSameBits(string name)
    {
        var (length, verb) = Verbs[name];
        uint[] Run(int threads)
        {
            Workers.Threads = threads;
            var y = Device.Cpu.MakeUnwritten(length);
            verb(Device.Cpu, y);
            return Numbers.Bits(y);
        }
        var expected = Run(1);
        foreach (var threads in (int[])[1, 2, 3, 5, 8]) Assert.Equal(expected, Run(threads));
    }

    // ---- borders between threads ------------------------------------------------------------------------------------

    // A sum that waits at the marker until other threads have made a number of calls.
    private readonly struct LateSum : IFold
    {
        public const float Marker = 1 << 20;
        public static int Calls;

        public required int Wait { get; init; }

        public double Neutral => 0;

        public T Apply<T>(T a, T b) where T : struct, IReal<T>
        {
            var wait = Wait;
            if (IsMarked(a) || IsMarked(b))
                Assert.True(SpinWait.SpinUntil(() => Volatile.Read(ref Calls) >= wait, Waiting.Long),
                    "no other thread came to work");
            Interlocked.Increment(ref Calls);
            return a + b;
        }

        private static bool IsMarked<T>(T numbers) => numbers switch
        {
            Real32x8 eight => eight[0] == Marker,
            Real32x16 sixteen => sixteen[0] == Marker,
            _ => false,
        };
    }

    // The thread that does the first rows ends when the next rows, which begin in the middle of its last vector, have
    // long been written.
    [Fact]
    public void TheLastVectorOfAThreadsRowsSparesTheNextOnes()
    {
        Workers.Threads = 2;
        LateSum.Calls = 0;
        var values = Numbers.Random(40_000 * 5, 1);
        values[0] = LateSum.Marker;
        var shape = new Shape(40_000, 5);
        var y = Device.Cpu.MakeUnwritten(shape.Count);
        Device.Cpu.Zip(new LateSum { Wait = 20_000 }, Device.Cpu.Make(values), shape, Device.Cpu.Make([1, 2, 3, 4, 5]),
            new Shape(5), y, shape);
        var sums = Device.Cpu.Read(y);
        for (var i = 0; i < values.Length; i++)
            if ((float)values[i] + (i % 5 + 1) != sums[i]) Assert.Fail($"element {i}");
    }

    [Fact]
    public void TheLastVectorOfAFoldedBlockSparesTheNextOne()
    {
        Workers.Threads = 2;
        LateSum.Calls = 0;
        var values = Numbers.Random(20_000 * 3 * 5, 1);
        values[0] = LateSum.Marker;
        var y = Device.Cpu.MakeUnwritten(20_000 * 5);
        Device.Cpu.Fold(new LateSum { Wait = 30_000 }, Device.Cpu.Make(values), new Shape(20_000, 3, 5), [1], y);
        var sums = Device.Cpu.Read(y);
        for (var i = 0; i < sums.Length; i++)
        {
            var first = i / 5 * 15 + i % 5;
            if ((float)values[first] + (float)values[first + 5] + (float)values[first + 10] != sums[i])
                Assert.Fail($"element {i}");
        }
    }
}
