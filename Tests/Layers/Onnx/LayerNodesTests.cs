using System.Reflection;
using Tapegrad.Devices;
using Tapegrad.Layers;
using Tapegrad.Onnx;
using Xunit;
using Module = Tapegrad.Layers.Module;

namespace Tapegrad.Tests.Layers.Onnx;

/// <summary>
/// Which nodes each layer is, with all its settings. That they compute the same is seen in onnxruntime: Tests/Peers.
/// </summary>
public sealed class LayerNodesTests
{
    private static readonly RandomSource Random = new(1);
    private static readonly Shape Image = new(6, 5, 4);

    private static void AssertNodes(Module layer, Shape sample, string output, string[] nodes, bool decompose = false)
    {
        var model = new OnnxExporter { Decompose = decompose }.Build(layer, sample);
        OnnxText.AssertWellFormed(model);
        Assert.Equal(nodes, OnnxText.Nodes(model));
        Assert.Equal(output, OnnxText.Shape(Assert.Single(model.Graph.Output)));
        Assert.Equal("output", model.Graph.Output[0].Name);
    }

    [Fact]
    public void Convolutions_have_all_their_settings()
    {
        AssertNodes(new Conv2d(4, 6, new Size2d(3, 2), Random, new Size2d(2, 1), new Size2d(1, 3), new Size2d(1, 2),
            groups: 2), Image,
            "[N, 6, 3, 9]", ["Conv(input, weight, bias) dilations=[1,2] group=2 pads=[1,3,1,3] strides=[2,1]"]);
        AssertNodes(new Conv2d(4, 6, 1, Random, bias: false), Image, "[N, 6, 6, 5]",
            ["Conv(input, weight) dilations=[1,1] group=1 pads=[0,0,0,0] strides=[1,1]"]);
        AssertNodes(new Conv1d(4, 6, 3, Random, stride: 2, padding: 1, dilation: 3, groups: 2), new Shape(11, 4),
            "[N, 6, 4]",
            ["Conv(input, weight, bias) dilations=[3] group=2 pads=[1,1] strides=[2]"]);
        AssertNodes(new ConvTranspose2d(4, 6, new Size2d(3, 2), Random, new Size2d(2, 3), new Size2d(1, 0),
            new Size2d(0, 2), new Size2d(1, 2), groups: 2), Image, "[N, 6, 11, 17]",
            ["ConvTranspose(input, weight, bias) dilations=[1,2] group=2 output_padding=[0,2] pads=[1,0,1,0] "
                + "strides=[2,3]"]);
        AssertNodes(new Whitening(4, new Size2d(3, 2)), Image, "[N, 48, 4, 4]", ["Conv(input, weight, bias)"]);
    }

    [Fact]
    public void A_linear_layer_is_a_product_or_at_every_position_a_convolution()
    {
        AssertNodes(new Linear(4, 3, Random), new Shape(4), "[N, 3]", ["Gemm(input, weight, bias) transB=1"]);
        AssertNodes(new Linear(4, 3, Random, bias: false), Image, "[N, 3, 6, 5]", ["Conv(input, weight)"]);
        var model = new OnnxExporter().Build(new Linear(4, 3, Random), new Shape(5, 4));
        Assert.Equal([3, 4, 1], OnnxText.Constant(model, "weight").Dims);
    }

    [Fact]
    public void Pooling_has_all_its_settings()
    {
        AssertNodes(new MaxPool2d(new Size2d(3, 2), new Size2d(2, 1), new Size2d(1, 0)), Image, "[N, 4, 3, 4]",
            ["MaxPool(input) kernel_shape=[3,2] pads=[1,0,1,0] strides=[2,1]"]);
        AssertNodes(new MaxPool2d(2), Image, "[N, 4, 3, 2]",
            ["MaxPool(input) kernel_shape=[2,2] pads=[0,0,0,0] strides=[2,2]"]);
        AssertNodes(new AveragePool2d(new Size2d(3, 2), 1, new Size2d(0, 1)), Image, "[N, 4, 4, 6]",
            ["AveragePool(input) count_include_pad=1 kernel_shape=[3,2] pads=[0,1,0,1] strides=[1,1]"]);
        AssertNodes(new AveragePool2d(new Size2d(3, 2), 1, new Size2d(1, 2)), Image, "[N, 4, 6, 8]",
            ["Conv(input, weight) group=4 pads=[1,2,1,2] strides=[1,1]"]);
        var weight = OnnxText.Constant(new OnnxExporter().Build(new AveragePool2d(new Size2d(1, 2), 1, 1), Image),
            "weight");
        Assert.Equal([4, 1, 1, 2], weight.Dims);
        Assert.All(OnnxText.Floats(weight), value => Assert.Equal(0.5f, value));
        AssertNodes(new GlobalAveragePool(), Image, "[N, 4]",
            ["GlobalAveragePool(input)", "Flatten(GlobalAveragePool) axis=1"]);
    }

    [Fact]
    public void Elementwise_layers()
    {
        AssertNodes(new Relu(), Image, "[N, 4, 6, 5]", ["Relu(input)"]);
        AssertNodes(new Sigmoid(), new Shape(3), "[N, 3]", ["Sigmoid(input)"]);
        AssertNodes(new Tanh(), new Shape(3, 2), "[N, 2, 3]", ["Tanh(input)"]);
        AssertNodes(new LeakyRelu(0.25), Image, "[N, 4, 6, 5]", ["LeakyRelu(input) alpha=0.25"]);
        AssertNodes(new Softplus(), Image, "[N, 4, 6, 5]", ["Softplus(input)"]);
        AssertNodes(new Silu(), Image, "[N, 4, 6, 5]", ["Sigmoid(input)", "Mul(input, Sigmoid)"]);
        AssertNodes(new Gelu(), Image, "[N, 4, 6, 5]", ["Gelu(input)"]);
        AssertNodes(new Scaling(0.25), Image, "[N, 4, 6, 5]", ["Mul(input, factor)"]);
        Assert.Equal([0.25f],
            OnnxText.Floats(OnnxText.Constant(new OnnxExporter().Build(new Scaling(0.25), Image), "factor")));
        AssertNodes(new Dropout(0.5), Image, "[N, 4, 6, 5]", ["Identity(input)"]);
        AssertNodes(new Gelu(), Image, "[N, 4, 6, 5]",
            ["Mul(input, root_half)", "Erf(Mul)", "Add(Erf, one)", "Mul(Add, half)", "Mul(input, Mul_2)"],
            decompose: true);
        var gelu = new OnnxExporter { Decompose = true }.Build(new Gelu(), Image);
        Assert.Equal([(float)Math.Sqrt(0.5), 1, 0.5f],
            ((string[])["root_half", "one", "half"])
            .Select(name => OnnxText.Floats(OnnxText.Constant(gelu, name)).Single()));
    }

    [Fact]
    public void Normalizations_are_who_shares_a_mean()
    {
        const string same = "[N, 4, 6, 5]";
        AssertNodes(new GroupNorm(4, GroupSpec.Count(2), eps: 0.25), Image, same,
            ["GroupNormalization(input, weight, bias) epsilon=0.25 num_groups=2"]);
        AssertNodes(new LayerNorm(4, eps: 0.25), Image, same,
            ["GroupNormalization(input, weight, bias) epsilon=0.25 num_groups=1"]);
        AssertNodes(new InstanceNorm(4, eps: 0.25), Image, same,
            ["InstanceNormalization(input, weight, bias) epsilon=0.25"]);
        AssertNodes(new InstanceNorm(4, eps: 0.25), new Shape(4), "[N, 4]",
            ["GroupNormalization(input, weight, bias) epsilon=0.25 num_groups=4"]);
        AssertNodes(new LayerNorm(4, perPosition: true, eps: 0.25), Image, same, ["Transpose(input) perm=[0,2,3,1]",
            "LayerNormalization(Transpose, weight, bias) axis=-1 epsilon=0.25",
            "Transpose(LayerNormalization) perm=[0,3,1,2]"]);
        AssertNodes(new LayerNorm(4, perPosition: true, eps: 0.25), new Shape(4), "[N, 4]",
            ["LayerNormalization(input, weight, bias) axis=-1 epsilon=0.25"]);
        var batch = new BatchNorm(4, BatchNormConvention.PyTorch with { Eps = 0.25 });
        batch.RunningMean.Value = Tensor.Ones(new Shape(4));
        AssertNodes(batch, Image, same,
            ["BatchNormalization(input, weight, bias, running_mean, running_var) epsilon=0.25"]);
    }

    [Fact]
    public void Without_an_affine_the_operators_get_ones_and_zeros()
    {
        var model = new OnnxExporter().Build(new GroupNorm(4, GroupSpec.Count(2), affine: false), Image);
        Assert.Equal([1, 1, 1, 1], OnnxText.Floats(OnnxText.Constant(model, "weight")));
        Assert.Equal([0, 0, 0, 0], OnnxText.Floats(OnnxText.Constant(model, "bias")));
    }

    [Fact]
    public void Decomposed_normalizations_subtract_the_mean_before_they_square()
    {
        string[] standardize = ["Sub(Reshape, ReduceMean)", "Mul(Sub, Sub)", "ReduceMean(Mul) axes=[2] keepdims=1",
            "Add(ReduceMean_2, epsilon)",
            "Sqrt(Add)", "Div(Sub, Sqrt)"];
        var norm = new GroupNorm(4, GroupSpec.Count(2), eps: 0.25);
        AssertNodes(norm, Image, "[N, 4, 6, 5]",
            ["Reshape(input, sets)", "ReduceMean(Reshape) axes=[2] keepdims=1", .. standardize,
            "Reshape(Div, shape)", "Mul(Reshape_2, weight)", "Add(Mul_2, bias)"], decompose: true);
        var model = new OnnxExporter { Decompose = true }.Build(norm, Image);
        Assert.Equal([0, 2, 60], OnnxText.Integers(OnnxText.Constant(model, "sets")));
        Assert.Equal([0, 4, 6, 5], OnnxText.Integers(OnnxText.Constant(model, "shape")));
        Assert.Equal([0.25f], OnnxText.Floats(OnnxText.Constant(model, "epsilon")));
        Assert.Equal([4, 1, 1], OnnxText.Constant(model, "weight").Dims);

        AssertNodes(new GroupNorm(4, GroupSpec.Count(2), affine: false), Image, "[N, 4, 6, 5]", ["Reshape(input, sets)",
            "ReduceMean(Reshape) axes=[2] keepdims=1", .. standardize, "Reshape(Div, shape)"], decompose: true);
        AssertNodes(new LayerNorm(4, perPosition: true), Image, "[N, 4, 6, 5]",
            ["ReduceMean(input) axes=[1] keepdims=1", "Sub(input, ReduceMean)",
            "Mul(Sub, Sub)", "ReduceMean(Mul) axes=[1] keepdims=1", "Add(ReduceMean_2, epsilon)", "Sqrt(Add)",
            "Div(Sub, Sqrt)", "Mul(Div, weight)",
            "Add(Mul_2, bias)"], decompose: true);
    }

    [Fact]
    public void Blocks_and_their_shortcuts()
    {
        static GroupNorm Norm() => new(4, GroupSpec.Count(2));
        AssertNodes(new BasicBlock(new Tanh(), Norm(), new Sigmoid(), Norm()), Image, "[N, 4, 6, 5]", ["Tanh(input)",
            "GroupNormalization(conv1.Tanh, bn1.weight, bn1.bias) epsilon=1E-05 num_groups=2",
            "Relu(bn1.GroupNormalization)", "Sigmoid(Relu)",
            "GroupNormalization(conv2.Sigmoid, bn2.weight, bn2.bias) epsilon=1E-05 num_groups=2",
            "Add(bn2.GroupNormalization, input)", "Relu(Add)"]);
        static NoNormalization None() => new(4);
        AssertNodes(new BasicBlock(new Tanh(), None(), new Sigmoid(), None(), new Softplus()), Image, "[N, 4, 6, 5]",
            ["Tanh(input)",
            "Relu(conv1.Tanh)", "Sigmoid(Relu)", "Softplus(input)", "Add(conv2.Sigmoid, downsample.Softplus)",
            "Relu(Add)"]);
        AssertNodes(new PreActivationBlock(None(), new Tanh(), None(), new Sigmoid()), Image, "[N, 4, 6, 5]",
            ["Relu(input)", "Tanh(Relu)",
            "Relu(conv1.Tanh)", "Sigmoid(Relu_2)", "Add(conv2.Sigmoid, input)"]);
        AssertNodes(new PreActivationBlock(None(), new Tanh(), None(), new Sigmoid(), new Softplus()), Image,
            "[N, 4, 6, 5]", ["Relu(input)",
            "Tanh(Relu)", "Relu(conv1.Tanh)", "Sigmoid(Relu_2)", "Softplus(Relu)",
            "Add(conv2.Sigmoid, convShortcut.Softplus)"]);
        AssertNodes(new NormalizedRelu(Norm()), Image, "[N, 4, 6, 5]",
            ["GroupNormalization(input, weight, bias) epsilon=1E-05 num_groups=2", "Relu(GroupNormalization)"]);
        AssertNodes(new PaddedShortcut(3), Image, "[N, 7, 3, 3]",
            ["Slice(input, starts, ends, axes, steps)", "Pad(Slice, pads)"]);
        var model = new OnnxExporter().Build(new PaddedShortcut(3), Image);
        Assert.Equal([0, 1, 0, 0, 0, 2, 0, 0], OnnxText.Integers(OnnxText.Constant(model, "pads")));
        Assert.Equal([2, 3], OnnxText.Integers(OnnxText.Constant(model, "axes")));
        Assert.Equal([2, 2], OnnxText.Integers(OnnxText.Constant(model, "steps")));
    }

    [Fact]
    public void A_flatten_waits_for_the_linear_layer_whose_columns_take_its_order()
    {
        var (x, linear) = (Tensor.Normal(new Shape(2, 3, 5, 4), Random), new Linear(60, 7, Random));
        var model = new Sequential(new Flatten(), new Relu(), new Dropout(0.5), linear);
        AssertNodes(model, new Shape(3, 5, 4), "[N, 7]",
            ["Relu(input)", "Flatten(1.Relu) axis=1", "Gemm(3.Flatten, 3.weight, 3.bias) transB=1"]);
        var weight = OnnxText.Constant(new OnnxExporter().Build(model, new Shape(3, 5, 4)), "3.weight");
        Assert.Equal([7, 60], weight.Dims);
        // What the file says, by hand: images as [N, C, H, W], flattened, times the weight's transpose.
        var columns = Tensor.From(OnnxText.Floats(weight), new Shape(7, 60)).Permute(1, 0);
        var byHand = x.Permute(0, 3, 1, 2).Relu().Reshape(2, 60).MatrixProduct(columns) + linear.Bias!;
        foreach (var (expected, actual) in model.Apply(x).ToDoubles().Zip(byHand.ToDoubles()))
            Assert.Equal(expected, actual, 1e-5);
    }

    [Fact]
    public void A_flatten_that_nothing_of_the_kind_follows_is_in_our_order()
    {
        string[] flat = ["Transpose(input) perm=[0,2,3,1]", "Flatten(Transpose) axis=1"];
        AssertNodes(new Flatten(), Image, "[N, 120]", flat);
        AssertNodes(new Flatten(), new Shape(1, 1, 4), "[N, 4]", ["Flatten(input) axis=1"]);
        AssertNodes(new Flatten(), new Shape(4), "[N, 4]", ["Identity(input)"]);
        AssertNodes(new Sequential(new Flatten(), new GroupNorm(120, GroupSpec.Count(2))), Image, "[N, 120]",
            [.. flat, "GroupNormalization(Flatten, 1.weight, 1.bias) epsilon=1E-05 num_groups=2"]);
    }

    // Whatever is added: it has nodes, or its own file says why it has none. What a convolution does to its weight is a
    // constant in the file.
    [Fact]
    public void Every_layer_can_be_written_or_says_why_not()
    {
        var exporter = new OnnxExporter();
        var layers = typeof(Module).Assembly.GetTypes()
            .Where(type => type.IsSubclassOf(typeof(Module)) && !type.IsAbstract
            && !type.IsSubclassOf(typeof(WeightTransform))).ToArray();
        Assert.True(layers.Length > 20);
        foreach (var layer in layers)
        {
            var reason = layer.GetField("WithoutOnnx",
                BindingFlags.Static | BindingFlags.NonPublic | BindingFlags.DeclaredOnly)?.GetValue(null) as string;
            Assert.True(exporter.Knows(layer) != reason is { Length: > 10 },
                $"{layer.Name}: define its nodes in Layers/Onnx, or say in its class "
                + "why there are none: internal const string WithoutOnnx = \"...\"; not both.");
        }
    }
}
