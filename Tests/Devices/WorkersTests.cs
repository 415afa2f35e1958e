using Tapegrad.Devices;
using Xunit;
using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad.Tests.Devices;

/// <summary>The number of threads is one for the whole process, and so are the pools: tests that set the one or count in the others run alone.</summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public class ThreadCount
{
    public const string Name = "number of threads";
}

/// <summary>Work is done once each, errors come through, and the number of threads changes no bit of any verb.</summary>
[Collection(ThreadCount.Name)]
public sealed class WorkersTests : IDisposable
{
    private readonly int before = Workers.Threads;

    public void Dispose() => Workers.Threads = before;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void EveryItemIsDoneOnce(int threads)
    {
        Workers.Threads = threads;
        foreach (var items in (int[])[0, 1, 2, 3, 100, 1000])
        {
            var done = new int[items];
            Workers.Run(items, item => Interlocked.Increment(ref done[item]));
            Assert.All(done, count => Assert.Equal(1, count));
        }
    }

    [Fact]
    public void OneThreadIsTheCallersOwn()
    {
        Workers.Threads = 1;
        var threads = new HashSet<int>();
        Workers.Run(50, _ => threads.Add(Environment.CurrentManagedThreadId));
        Assert.Equal([Environment.CurrentManagedThreadId], threads);
    }

    [Fact]
    public void SeveralThreadsWorkAtTheSameTime()
    {
        // Two items that each wait for the other: with one thread this could not end.
        Workers.Threads = 2;
        using var barrier = new Barrier(2);
        var met = 0;
        Workers.Run(2, _ =>
        {
            if (barrier.SignalAndWait(TimeSpan.FromSeconds(30))) Interlocked.Increment(ref met);
        });
        Assert.Equal(2, met);
    }

    [Fact]
    public void WorkInsideWorkStaysOnItsThread()
    {
        Workers.Threads = 4;
        var strays = 0;
        Workers.Run(8, _ =>
        {
            var thread = Environment.CurrentManagedThreadId;
            Workers.Run(16, _ =>
            {
                if (Environment.CurrentManagedThreadId != thread) Interlocked.Increment(ref strays);
            });
        });
        Assert.Equal(0, strays);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void AnErrorComesThroughAsItIsAndWorkGoesOn(int threads)
    {
        Workers.Threads = threads;
        var error = Assert.Throws<InvalidOperationException>(() => Workers.Run(10, item =>
        {
            if (item == 4) throw new InvalidOperationException("four");
        }));
        Assert.Equal("four", error.Message);
        var done = 0;
        Workers.Run(10, _ => Interlocked.Increment(ref done));
        Assert.Equal(10, done);
    }

    [Fact]
    public void TheNumberOfThreadsIsReadFromTheEnvironmentInWords()
    {
        Assert.Equal(Environment.ProcessorCount, Workers.Parse(null));
        Assert.Equal(Environment.ProcessorCount, Workers.Parse(""));
        Assert.Equal(3, Workers.Parse("3"));
        foreach (var bad in (string[])["0", "-1", "two", "1.5", "1,5", " 2", "99999999999"])
            Assert.Contains($"'{bad}'", Assert.Throws<InvalidOperationException>(() => Workers.Parse(bad)).Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => Workers.Threads = 0);
    }

    // ---- the same bits ---------------------------------------------------------------------------------------------------------------------

    // Each verb at a size that is cut into several items, with a remainder.
    private static readonly Dictionary<string, Func<Device, Buffer>> Verbs = new()
    {
        ["map"] = device => Result(device, 100_003, y => device.Map(new Exponential(), Random(device, 100_003), y)),
        ["zip"] = device => Result(device, 100_003, y => device.Zip(new Over(), Random(device, 100_003), new Shape(100_003), Random(device, 100_003), new Shape(100_003), y,
            new Shape(100_003))),
        ["zip in rows"] = device => Result(device, 3000 * 37, y => device.Zip(new Times(), Random(device, 3000 * 37), new Shape(3000, 37), Random(device, 37), new Shape(37), y,
            new Shape(3000, 37))),
        ["sum of all"] = device => Result(device, 1, y => device.Fold(new Plus(), Random(device, 200_003), new Shape(200_003), [0], y)),
        ["sum of rows"] = device => Result(device, 77, y => device.Fold(new Plus(), Random(device, 77 * 2003), new Shape(77, 2003), [1], y)),
        ["sum of columns"] = device => Result(device, 77, y => device.Fold(new Plus(), Random(device, 77 * 2003), new Shape(2003, 77), [0], y)),
        ["sum of two axes"] = device => Result(device, 12 * 8, y => device.Fold(new Plus(), Random(device, 12 * 900 * 8 * 3), new Shape(12, 900, 8, 3), [1, 3], y)),
        ["copy"] = device => Result(device, 60_000, y => device.Copy(new Shape(200, 300), Random(device, 60_000), new Walk(0, [1, 200]), y, new Walk(0, [300, 1]))),
        ["matrix product"] = device => Result(device, 331 * 77, y => device.MatrixProduct(new(331, 301, 77, true, true, [0], [0]), Random(device, 331 * 301),
            Random(device, 301 * 77), y)),
        ["windows"] = device => Result(device, 3 * 20 * 20 * 9 * 5, y => device.ExtractWindows(new(3, 20, 20, 5, 3, 1, 1, 1), Random(device, 3 * 400 * 5), y)),
        ["windows added"] = device => Result(device, 3 * 400 * 5, y => device.AddWindows(new(3, 20, 20, 5, 3, 1, 1, 1), Random(device, 3 * 400 * 45), y)),
        ["uniform"] = device => Result(device, 50_003, y => device.FillUniform(y, new RandomSource(9))),
        ["normal"] = device => Result(device, 50_003, y => device.FillNormal(y, new RandomSource(9))),
        ["update"] = device => Result(device, 100_003, y =>
        {
            device.Fill(y, 1);
            device.Update(new Step(), y, Random(device, 100_003), Random(device, 100_003), null);
        }),
    };

    public static TheoryData<string> VerbNames => [.. Verbs.Keys];

    private static Buffer Random(Device device, int count) => device.Make(Numbers.Random(count, count));

    private static Buffer Result(Device device, int length, Action<Buffer> verb)
    {
        var y = device.MakeUnwritten(length);
        verb(y);
        return y;
    }

    [Theory]
    [MemberData(nameof(VerbNames))]
    public void AnyNumberOfThreadsGivesTheSameBits(string verb)
    {
        Workers.Threads = 1;
        var expected = Numbers.Bits(Verbs[verb](Device.Cpu));
        foreach (var threads in (int[])[1, 2, 3, 5, 8])
        {
            Workers.Threads = threads;
            Assert.Equal(expected, Numbers.Bits(Verbs[verb](Device.Cpu)));
        }
    }
}
