using Tapegrad.Devices;
using Tapegrad.Devices.Cpu;
using Xunit;
using static Tapegrad.Tests.Devices.Cuts;

namespace Tapegrad.Tests.Devices;

/// <summary>
/// Every kernel on shapes that take every piece of its work: see <see cref="Cuts"/>. What a kernel reads of memory that
/// it did not write shows: results, rented buffers and the thread's scratch are full of NaN before each call.
/// </summary>
[Collection(ThreadCount.Name)]
public sealed class KernelCutsTests : IDisposable
{
    private readonly int before = Workers.Threads;

    public void Dispose() => Workers.Threads = before;

    private static readonly Dictionary<string, Lazy<List<Subject>>> Kernels = new(VerbCuts.All)
    {
        ["Winograd's convolution"] = Cut(typeof(WinogradConvolution<>), WinogradShapes, usesWinograd: true, new()
        {
            ["<Real32x8>.inputBlocks: one, smaller"] = "it is not used for fewer than 8 channels",
            ["<Real32x8>.vectors: one, smaller"] = "it is not used for fewer than 8 channels",
            ["<Real32x16>.cached: at most"] = "with as few lanes as there are, 16 and 16, there is room for 65 tiles",
            [".rowTiles: several, one left"] = "a block that is not the last is made of whole tiles",
            [".rowTiles: several, all but one left"] = "a block that is not the last is made of whole tiles",
        }),
        ["Winograd's weight gradient"] = Cut(typeof(WinogradWeightGradient<>), WinogradShapes, usesWinograd: true, new()
        {
            [".rowTiles: one, smaller"] = "it is not used for fewer than 8 channels",
            [".blocks: several, one left"] =
            "blocks are of nearly equal size: a hundred of them would leave so much less for the last one",
        }),
        ["the direct convolution"] = Cut(typeof(DirectConvolution<>), DirectShapes, usesWinograd: false, new()
        {
            [".blocks: one, smaller"] = "no more images come together than there are",
            [".Images: one, smaller"] = "no more images come together than there are",
        }),
        ["the direct weight gradient"] = Cut(typeof(WeightGradient<>), DirectShapes, usesWinograd: false, new()
        {
            [".Images: one, smaller"] = "no more images come together than there are",
            ["trips: one, smaller"] = "strips are of nearly equal size",
        }),
        ["the depthwise convolution"] = Cut(typeof(DepthwiseConvolution<>), DepthwiseShapes, usesWinograd: false, []),
        ["normalization"] = new(Normalizations),
    };

    public static TheoryData<string> Names => [.. Kernels.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Shapes_that_take_every_cut_equal_the_definition(string name)
    {
        Workers.Threads = 1;   // all scratch is this thread's
        foreach (var subject in Kernels[name].Value) subject.Check();
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Shapes_that_take_every_cut_have_the_same_bits_on_any_number_of_threads(string name)
    {
        var device = CpuDevice.Create();
        foreach (var (shape, _, _, compute) in Kernels[name].Value)
        {
            Workers.Threads = 1;
            var expected = compute(device);
            foreach (var threads in (int[])[2, 3, 7])
            {
                Workers.Threads = threads;
                KernelTesting.AssertSameBits(expected, compute(device), $"{shape}, {threads} threads");
            }
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Shapes_that_take_every_cut_have_the_same_bits_with_vectors_of_any_width(string name)
    {
        var widths = KernelTesting.Widths();
        foreach (var (shape, _, _, compute) in Kernels[name].Value)
        {
            var expected = compute(widths[0]);
            foreach (var device in widths[1..]) KernelTesting.AssertSameBits(expected, compute(device), $"{shape}");
        }
    }

    /// <summary>A kernel with cuts that has no shapes here is missing above.</summary>
    [Fact]
    public void Every_type_with_cuts_is_part_of_some_plan()
    {
        var seen = Cuts.Of([.. Kernels.Values.SelectMany(kernel => kernel.Value)
            .SelectMany(subject => subject.Plans)]).Types;
        Assert.Empty(Cuts.TypesWithCuts().Except(seen));
    }

    // ---- normalization ----------------------------------------------------------------------------------------------

    private static List<Subject> Normalizations()
    {
        static object[] Plans(SharingGeometry sharing) => [sharing, new SharedSets(sharing)];
        var chosen = Cuts.Cover(NormalizationShapes(), Plans, sharing =>
            (double)sharing.Batch * sharing.Positions * sharing.Channels, budget: 1e6,
            new()
            {
                [".items: one, smaller"] = "an item has no more slabs than there are",
                [".joined: one, smaller"] = "no more rows are joined than there are",
                [".lastPairs: one, whole"] = "rows that make whole pairs of vectors are not joined with others",
                [".lastPairs: several, none left"] = "rows that make whole pairs of vectors are not joined with others",
            });
        return [.. chosen.Select((sharing, i) => new Subject(sharing, Plans(sharing),
            () =>
            {
                // All of them is too much; every shape has the whole chain, and one of the others.
                NormalizationKernelsTests.Check(sharing, NormalizationKernelsTests.Family.Ordinary,
                    NormalizationKernelsTests.Extras.Number(i % 16), i);
                NormalizationKernelsTests.Check(sharing, NormalizationKernelsTests.Family.LargeMean,
                    NormalizationKernelsTests.Extras.Number(7), i);
            },
            device =>
            {
                var count = sharing.Batch * sharing.Positions * sharing.Channels;
                return NormalizationKernelsTests.Compute(sharing, KernelTesting.Normal(count, 1),
                    KernelTesting.Normal(count, 2), NormalizationKernelsTests.Extras.Number(i % 8), device: device).All;
            }))];
    }

    private static IEnumerable<SharingGeometry> NormalizationShapes()
    {
        for (var i = 0; i < 6000; i++)
        {
            var (random, next) = (new RandomSource(4).Split(i), 0);
            int Pick(params ReadOnlySpan<int> values) => values[random.Below(values.Length, next++)];
            var (groups, batch, sub) = (Pick(1, 1, 2, 3, 8), Pick(0, 1) == 1, Pick(0, 0, 1, 2, 5));
            var sharing = new SharingGeometry(Pick(1, 2, 3, 7, 40) * (batch && sub > 0 ? sub : 1),
                Pick(1, 1, 2, 5, 16, 63, 64, 65, 127, 128, 191, 513, 4099, 20000),
                groups * Pick(1, 2, 3, 5, 8, 16, 17, 31, 32, 64), groups, batch, Pick(0, 1) == 1, batch ? sub : 0,
                Pick(0, 1) == 1);
            if ((long)sharing.Batch * sharing.Positions * sharing.Channels < 3_000_000) yield return sharing;
        }
    }

    // ---- convolutions -----------------------------------------------------------------------------------------------

    private static Lazy<List<Subject>> Cut(Type kernel, Func<IEnumerable<ConvolutionGeometry>> shapes,
        bool usesWinograd, Dictionary<string, string> impossible) => new(() =>
    {
        object[] OfWidth<TLanes>(ConvolutionGeometry geometry) where TLanes : struct, ILanes<TLanes> =>
        [
            Convolutions<TLanes>.For(geometry, isGradient: false, usesWinograd),
            Convolutions<TLanes>.For(geometry, isGradient: true, usesWinograd),
            Convolutions<TLanes>.WeightGradientFor(geometry, usesWinograd),
        ];
        object[] Plans(ConvolutionGeometry geometry) =>
            [.. OfWidth<Real32x8>(geometry).Concat(OfWidth<Real32x16>(geometry))
                .Where(plan => plan.GetType().GetGenericTypeDefinition() == kernel)];
        float[] Compute(CpuDevice device, ConvolutionGeometry geometry)
        {
            device.UsesWinograd = usesWinograd;
            var (x, w, g) = (KernelTesting.Normal(ConvolutionKernelsTests.XLength(geometry), 1),
                KernelTesting.Normal(ConvolutionKernelsTests.WeightLength(geometry), 2),
                KernelTesting.Normal(ConvolutionKernelsTests.YLength(geometry), 3));
            var (y, xGradient, wGradient) = ConvolutionKernelsTests.Compute(device, geometry, x, w, g);
            return [.. y, .. xGradient, .. wGradient];
        }
        // Products: the definition's plain loops do some ten million of them in a second.
        var chosen = Cuts.Cover(shapes().Where(geometry => Plans(geometry).Length > 0), Plans, Products, budget: 4e7,
            impossible);
        return [.. chosen.Select(geometry => new Subject(geometry, Plans(geometry),
            () => (usesWinograd ? WinogradTests.CheckAll
                : (Action<ConvolutionGeometry>)ConvolutionKernelsTests.CheckAll)(geometry),
            device => Compute(device, geometry)))];
    });

    private static double Products(ConvolutionGeometry geometry) => (double)ConvolutionKernelsTests.YLength(geometry)
        * ConvolutionKernelsTests.WeightLength(geometry) / geometry.OutputChannels;

    // From many images of one tile to one image of many channels: the channels of networks, and those around vectors,
    // sixes and panels.
    private static IEnumerable<ConvolutionGeometry> WinogradShapes() => Draw(1, Pick =>
        new ConvolutionGeometry(new WindowGeometry(Pick([1, 1, 2, 3, 7, Pick([.. Enumerable.Range(1, 300)])]),
            Pick([1, 2, 3, 4, 5, 7, 8, 9, 12]), Pick([1, 3, 4, 5, 8, 13, 15, 16, 17]),
            Pick([8, 9, 11, 12, 16, 17, 24, 31, 32, 64, 100, 128, 256, 320, 512]), 3, 1,
            new Size2d(Pick([0, 1, 1, 2, 3]), Pick([0, 1, 1, 2, 4])), 1),
            Pick([8, 10, 13, 15, 16, 17, 31, 32, 33, 63, 64, 128, 320, 512]), 1));

    // Kernels, strides, paddings and dilations of every kind; the first layer's three channels, shortcuts, groups; many
    // small images and large ones.
    private static IEnumerable<ConvolutionGeometry> DirectShapes() => Draw(2, Pick =>
    {
        var groups = Pick([1, 1, 1, 2, 3]);
        return new ConvolutionGeometry(
            DirectWindows(Pick) with { Channels = groups * Pick([1, 2, 3, 4, 5, 6, 7, 16, 64, 192]) },
            groups * Pick([1, 2, 5, 15, 16, 17, 31, 32, 33, 48, 63, 256, 1024]), groups);
    });

    private static IEnumerable<ConvolutionGeometry> DepthwiseShapes() => Draw(3, Pick =>
    {
        var channels = Pick([2, 3, 7, 8, 9, 15, 16, 17, 24, 31, 32]);
        return new ConvolutionGeometry(DirectWindows(Pick) with { Channels = channels }, channels, channels);
    });

    private static WindowGeometry DirectWindows(Func<int[], int> pick) =>
        new(pick([1, 1, 2, 3, 5, pick([.. Enumerable.Range(1, 100)])]),
        pick([1, 2, 3, 4, 5, 6, 8, 9, 16, 32]), pick([1, 2, 3, 4, 5, 7, 8, 9, 13, 16, 33]), 1,
        new Size2d(pick([1, 2, 3, 3, 5]), pick([1, 2, 3, 3, 7])),
        new Size2d(pick([1, 1, 2, 3]), pick([1, 1, 2, 3])), new Size2d(pick([0, 1, 2, 3]), pick([0, 1, 2, 3])),
        new Size2d(pick([1, 1, 2]), pick([1, 1, 2])));

    private static IEnumerable<ConvolutionGeometry> Draw(int seed, Func<Func<int[], int>, ConvolutionGeometry> draw)
    {
        for (var i = 0; i < 4000; i++)
        {
            var (random, next) = (new RandomSource(seed).Split(i), 0);
            var geometry = draw(values => values[random.Below(values.Length, next++)]);
            if (geometry.Windows is { OutputHeight: > 0, OutputWidth: > 0 } && Products(geometry) < 5e7)
                yield return geometry;
        }
    }
}
