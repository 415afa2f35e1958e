using Tapegrad.Devices;
using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class Conv2dOperationTests
{
    private sealed record Setting(Size2d Kernel, Size2d Stride, Size2d Padding, Size2d Dilation, int Groups)
    {
        public Tensor Convolve(Tensor x, Tensor w, Tensor? bias = null) =>
            x.Conv2d(w, bias, Stride, Padding, Dilation, Groups);

        public ConvolutionGeometry Geometry(Shape x, int outputs) =>
            new(new WindowGeometry(x[0], x[1], x[2], x[3], Kernel, Stride, Padding, Dilation), outputs, Groups);

        // Images just large enough for one window, or larger; channels in whole groups.
        public Input Images => Input.Of($"n H+{Reach.Height} W+{Reach.Width} {Groups}C");

        public Input Weights => Input.Of($"{Kernel.Height} {Kernel.Width} C {Groups}O");

        private Size2d Reach => new(
            Math.Max(0, Dilation.Height * (Kernel.Height - 1) - 2 * Padding.Height),
            Math.Max(0, Dilation.Width * (Kernel.Width - 1) - 2 * Padding.Width));
    }

    private static readonly Dictionary<string, Setting> Table = new()
    {
        ["1x1"] = new(1, 1, 0, 1, 1),
        ["1x1, stride 2"] = new(1, 2, 0, 1, 1),
        ["3x3, padded"] = new(3, 1, 1, 1, 1),
        ["3x3, stride 2"] = new(3, 2, 1, 1, 1),
        ["1x3"] = new(new(1, 3), 1, 0, 1, 1),
        ["sides that differ"] = new(new(2, 3), new(1, 2), new(1, 0), new(2, 1), 1),
        ["dilated"] = new(3, 1, 2, 2, 1),
        ["two groups"] = new(new(2, 1), 1, 0, 1, 2),
        ["three groups, stride 2"] = new(2, 2, 1, 1, 3),
    };

    public static TheoryData<string> Settings => [.. Table.Keys];

    [Theory]
    [MemberData(nameof(Settings))]
    public void ObeysTheLaws(string name)
    {
        var setting = Table[name];
        OperationLaws.Check((x, w) => setting.Convolve(x, w), setting.Images, setting.Weights, new() { Cases = 10 });
    }

    [Fact]
    public void ObeysTheLawsWithABias() =>
        OperationLaws.Check((x, w, bias) => x.Conv2d(w, bias, stride: 2, padding: 1, groups: 2),
        Input.Of("n H W 2C"), Input.Of("2 3 C 2O"), Input.Of("2O"), new() { Cases = 6 });

    [Fact]
    public void ADepthwiseConvolutionObeysTheLaws() =>
        OperationLaws.Check((x, w) => x.Conv2d(w, padding: 1, groups: 5), Input.Of("n H W 5"), Input.Of("3 3 1 5O"),
            new() { Cases = 6 });

    // Windows of 2 x 3, stride (2, 1), padding (1, 0), dilation (1, 2), two groups: P x Q outputs come from 2 P x (Q +
    // 4) pixels, of which the last row is seen
    // by no window when the padding is taken off.
    private static readonly Setting Uneven = new(new(2, 3), new(2, 1), new(1, 0), new(1, 2), 2);

    [Fact]
    public void TheInputGradientObeysTheLaws() => OperationLaws.Check(
        (g, w) =>
        {
            var images = new Shape(g.Shape[0], 2 * g.Shape[1] - 1, g.Shape[2] + 4, 2 * w.Shape[2]);
            return Conv2dOperation.InputGradient(g, w, Uneven.Geometry(images, w.Shape[3]));
        },
        Input.Of("n P Q 2O"), Input.Of("2 3 C 2O"), new() { Cases = 10 });

    [Fact]
    public void TheWeightGradientObeysTheLaws() => OperationLaws.Check(
        (x, g) => Conv2dOperation.WeightGradient(x, g, Uneven.Geometry(x.Shape, g.Shape[3])),
        Input.Of("n 2P Q+4 2C"), Input.Of("n P+1 Q 2O"), new() { Cases = 10 });

    // The definition, as four nested sums: cross-correlation, groups as contiguous blocks.
    private static double[] Definition(Setting setting, Tensor x, Tensor w)
    {
        var geometry = setting.Geometry(x.Shape, w.Shape[3]);
        var (images, weights, result) = (x.ToDoubles(), w.ToDoubles(), new List<double>());
        var (height, width, channels, perGroup, outputs) = (x.Shape[1], x.Shape[2], x.Shape[3], w.Shape[2], w.Shape[3]);
        for (var n = 0; n < x.Shape[0]; n++)
            for (var i = 0; i < geometry.Windows.OutputHeight; i++)
                for (var j = 0; j < geometry.Windows.OutputWidth; j++)
                    for (var o = 0; o < outputs; o++)
                    {
                        var sum = 0.0;
                        for (var k = 0; k < setting.Kernel.Height; k++)
                            for (var l = 0; l < setting.Kernel.Width; l++)
                                for (var c = 0; c < perGroup; c++)
                                {
                                    var row = i * setting.Stride.Height
                                        + k * setting.Dilation.Height - setting.Padding.Height;
                                    var column = j * setting.Stride.Width
                                        + l * setting.Dilation.Width - setting.Padding.Width;
                                    if (row < 0 || row >= height || column < 0 || column >= width) continue;
                                    var channel = o / (outputs / setting.Groups) * perGroup + c;
                                    sum += images[((n * height + row) * width + column) * channels + channel]
                                        * weights[((k * setting.Kernel.Width + l) * perGroup + c) * outputs + o];
                                }
                        result.Add(sum);
                    }
        return [.. result];
    }

    [Theory]
    [MemberData(nameof(Settings))]
    public void IsItsDefinition(string name) => OnBothDevices(() =>
    {
        var setting = Table[name];
        var x = Random(1, 2, 5, 7, 2 * setting.Groups);
        var w = Random(2, setting.Kernel.Height, setting.Kernel.Width, 2, 3 * setting.Groups);
        Same(Definition(setting, x, w), setting.Convolve(x, w).ToDoubles(), x.Device == Device.Reference ? 1e-12
            : 1e-5);
    });

    // y(0, 0) = 0 * 1 + 1 * 2 + 3 * 3 + 4 * 4 = 27; each step to the right adds 1 + 2 + 3 + 4, each step down three
    // times that.
    [Fact]
    public void ByHand() => OnBothDevices(() =>
    {
        var (x, w) = (Counting(1, 3, 3, 1), Of([2, 2, 1, 1], 1, 2, 3, 4));
        Gives(x.Conv2d(w), new Shape(1, 2, 2, 1), 27, 37, 57, 67);
        Gives(x.Conv2d(w, Vector(100)), new Shape(1, 2, 2, 1), 127, 137, 157, 167);
        // With the covector at the last output alone, dw is its window, and dx is w there.
        var gradients = Gradients(x => x[0].Conv2d(x[1], x[2]), [x, w, Vector(100)], 0, 0, 0, 1);
        Gives(gradients[0], new Shape(1, 3, 3, 1), 0, 0, 0, 0, 1, 2, 0, 3, 4);
        Gives(gradients[1], new Shape(2, 2, 1, 1), 4, 5, 7, 8);
        Gives(gradients[2], 1);
    });

    // Channels 1, 2 | 3, 4 in two groups of one output each, weights 1, 10: 1 + 20 and 3 + 40. Interleaved groups would
    // give 1 + 30 and 2 + 40.
    [Fact]
    public void GroupsAreContiguousBlocks() => OnBothDevices(() =>
        Gives(Of([1, 1, 1, 4], 1, 2, 3, 4).Conv2d(Of([1, 1, 2, 2], 1, 1, 10, 10), groups: 2), new Shape(1, 1, 1, 2),
            21, 43));

    // Whatever the CPU device computes in a kernel of its own is what windows and matrix products give: the triple, and
    // its gradients of order 1 and 2.
    [Theory]
    [MemberData(nameof(Settings))]
    public void TheKernelIsTheComposite(string name)
    {
        var setting = Table[name];
        var (x, w) = (Random(1, 3, 9, 11, 5 * setting.Groups),
            Random(2, setting.Kernel.Height, setting.Kernel.Width, 5, 7 * setting.Groups));
        var geometry = setting.Geometry(x.Shape, w.Shape[3]);
        var bias = Random(5, w.Shape[3]);
        var y = Conv2dOperation.Convolve(x, w, bias, geometry);
        var g = Random(3, y.Shape.Dimensions.ToArray());
        void Agree(Tensor kernel, Tensor composite)
        {
            Assert.Equal(composite.Shape, kernel.Shape);
            Same(composite.ToDoubles(), kernel.ToDoubles(), 1e-5);
        }
        Agree(y, Conv2dOperation.ConvolveComposite(x, w, bias, geometry));
        Agree(Conv2dOperation.InputGradient(g, w, geometry), Conv2dOperation.InputGradientComposite(g, w, geometry));
        Agree(Conv2dOperation.WeightGradient(x, g, geometry), Conv2dOperation.WeightGradientComposite(x, g, geometry));
        var kernels = FirstAndSecond(inputs => Conv2dOperation.Convolve(inputs[0], inputs[1], inputs[2], geometry), x,
            w, bias);
        var composites = FirstAndSecond(inputs =>
            Conv2dOperation.ConvolveComposite(inputs[0], inputs[1], inputs[2], geometry), x, w, bias);
        foreach (var (kernel, composite) in kernels.Zip(composites)) Agree(kernel, composite);
    }

    // The plain gradients, the recorded ones, and the gradients of a random product with the recorded ones.
    private static Tensor[] FirstAndSecond(Func<Tensor[], Tensor> function, params Tensor[] inputs)
    {
        using var tape = Tape.Evaluating();
        Tensor[] variables = [.. inputs.Select(tape.Watch)];
        var y = function(variables);
        var seed = Random(4, y.Shape.Dimensions.ToArray());
        var first = tape.Gradients(y, variables, seed);
        var recorded = tape.Gradients(y, variables, seed, createGraph: true);
        var product = recorded.Select((slope, i) => (slope * Random(5 + i, slope.Shape.Dimensions.ToArray())).Sum())
            .Aggregate((a, b) => a + b);
        return [.. first.Concat(recorded).Concat(tape.Gradients(product, variables)).Select(tensor => tensor.Keep())];
    }

    [Fact]
    public void RefusesShapesThatDoNotFit()
    {
        var x = Counting(1, 4, 4, 6);
        Refuses<ShapeException>(() => Counting(4, 4, 6).Conv2d(Counting(3, 3, 6, 2)), "conv2d", "[4, 4, 6]",
            "[N, H, W, C]");
        Refuses<ShapeException>(() => x.Conv2d(Counting(3, 6, 2)), "conv2d", "[3, 6, 2]", "[KH, KW, C / groups, O]");
        Refuses<ShapeException>(() => x.Conv2d(Counting(3, 3, 5, 2)), "conv2d", "[1, 4, 4, 6]", "[KH, KW, 6, O]",
            "[3, 3, 5, 2]");
        Refuses<ShapeException>(() => x.Conv2d(Counting(3, 3, 6, 2), groups: 2), "2 groups", "[KH, KW, 3, O]",
            "[3, 3, 6, 2]");
        Refuses<ShapeException>(() => x.Conv2d(Counting(3, 3, 1, 4), groups: 4), "conv2d", "4 groups",
            "6 input channels", "4 output channels");
        Refuses<ShapeException>(() => x.Conv2d(Counting(3, 3, 2, 4), groups: 3), "conv2d", "3 groups",
            "4 output channels");
        Refuses<ShapeException>(() => x.Conv2d(Counting(3, 3, 6, 2), groups: 0), "conv2d", "0 groups");
        Refuses<ShapeException>(() => x.Conv2d(Counting(3, 3, 6, 2), Counting(3)), "conv2d", "[3]", "[2]");
        Refuses<ShapeException>(() => x.Conv2d(Counting(5, 5, 6, 2)), "conv2d", "kernel of 5", "[1, 4, 4, 6]",
            "padding 0");
        Refuses<ShapeException>(() => x.Conv2d(Counting(3, 3, 6, 2), dilation: 2), "conv2d", "dilation 2");
        Refuses<ShapeException>(() => x.Conv2d(Counting(3, 3, 6, 2), stride: new Size2d(1, 0)), "conv2d", "stride 1x0");
    }

    [Fact]
    public void RefusesABiasOnAnotherDevice()
    {
        using var device = Device.Use(Device.Cpu);
        var (x, w) = (Counting(1, 3, 3, 2), Counting(3, 3, 2, 2));
        Tensor bias;
        using (Device.Use(Device.Reference)) bias = Vector(1, 2);
        Refuses<InvalidOperationException>(() => x.Conv2d(w, bias), "conv2d", "CPU", "device");
        Refuses<InvalidOperationException>(() => x.ConvTranspose2d(w, bias), "conv-transpose 2d", "device");
    }
}
