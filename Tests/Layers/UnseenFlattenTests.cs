using FsCheck;
using FsCheck.Fluent;
using Tapegrad.Devices;
using Tapegrad.Layers;
using Tapegrad.Layers.Files;
using Xunit;
using Norm = Tapegrad.Layers.Normalization;

namespace Tapegrad.Tests.Layers;

/// <summary>
/// Networks with a Forward of their own: with the weights that are written for PyTorch, PyTorch computes what is
/// computed here, or a word is said.
/// </summary>
public sealed class UnseenFlattenTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("forward").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private string FilePath => Path.Combine(folder, "torch.npz");

    // Layers of somebody else's.
    private sealed class OwnFlatten : Module
    {
        protected override Tensor Forward(Tensor x) => x.Reshape(x.Shape[0], -1);
    }

    private sealed class OwnActivation : Module
    {
        protected override Tensor Forward(Tensor x) => x * x.Sigmoid();
    }

    // How the value of a convolution becomes one axis.
    private enum Way
    {
        Pooled,
        PooledAndActivated,
        Joined,
        Flattened,
        FlattenedAndActivated,
        FlattenedInForward,
        FlattenedByALayerOfItsOwn,
    }

    // conv, what makes one axis of its value, maybe a normalization, and heads; each of linear layers.
    private sealed class Net : Module
    {
        private readonly Way way;
        private readonly Module conv;
        private readonly Norm? norm;
        private readonly Module[] between, heads;

        public Net(Way way, int inputs, int channels, Norm? norm, int[][] widths)
        {
            var random = new RandomSource(1);
            this.way = way;
            conv = Child("unseen_conv", new Conv2d(inputs, channels, 1, random));
            Module[] made = way switch
            {
                Way.PooledAndActivated => [new OwnActivation()],
                Way.Flattened => [new Flatten()],
                Way.FlattenedAndActivated => [new Flatten(), new OwnActivation()],
                Way.FlattenedByALayerOfItsOwn => [new OwnFlatten()],
                _ => [],
            };
            between = [.. made.Select((layer, i) => Child($"between{i}", layer))];
            this.norm = norm is null ? null : Child("unseen_norm", norm);
            heads = [.. widths.Select((width, i) => Child($"unseen_head{i}",
                new Sequential(width.Zip(width[1..], (inputs, outputs) => new Linear(inputs, outputs, random)))))];
        }

        protected override Tensor Forward(Tensor x) => Heads(OneAxis(conv.Apply(x)), null);

        private Tensor OneAxis(Tensor y)
        {
            if (way is Way.Pooled or Way.PooledAndActivated) y = y.GlobalAveragePool();
            if (way == Way.Joined) y = y.GlobalAveragePool().Concatenate(-1, y.Square().GlobalAveragePool());
            if (way == Way.FlattenedInForward) y = y.Reshape(y.Shape[0], -1);
            foreach (var layer in between) y = layer.Apply(y);
            return y;
        }

        private Tensor Heads(Tensor y, IReadOnlyDictionary<string, Tensor>? inPyTorch)
        {
            if (norm is not null) y = norm.Apply(y);
            return Head(0).Concatenate(-1, [.. Enumerable.Range(1, heads.Length - 1).Select(Head)]);

            Tensor Head(int index)
            {
                var z = y;
                foreach (var layer in heads[index].Children.Cast<Linear>())
                    z = inPyTorch is null ? layer.Apply(z)
                        : z.MatrixProduct(inPyTorch[$"{layer.Path}.weight"].Permute(1, 0))
                        + inPyTorch[$"{layer.Path}.bias"];
                return z;
            }
        }

        // With the weights of a file; of the convolution each position is computed for itself, in any order.
        public Tensor InPyTorch(Tensor x, IReadOnlyDictionary<string, Tensor> weights)
        {
            if (norm is not null)
                foreach (var parameter in norm.State) parameter.Value = weights[parameter.Name];
            var y = conv.Apply(x);
            if (way >= Way.Flattened) y = y.Permute(0, 3, 1, 2).Reshape(y.Shape[0], 1, 1, -1);   // [N, C H W]
            return Heads(OneAxis(y), weights);
        }
    }

    private sealed record Case(Way Way, int Inputs, int Channels, int Positions, bool HasNorm, int[][] Widths);

    private static readonly Gen<Case> Cases =
        from way in Gen.Elements(Enum.GetValues<Way>())
        from inputs in Gen.Choose(1, 6)
        from channels in Gen.Choose(1, 4)
        from positions in Gen.Choose(1, 4)
        from hasNorm in Gen.Frequency((3, Gen.Constant(false)), (1, Gen.Constant(true)))
        let features = channels * (way switch { < Way.Joined => 1, Way.Joined => 2, _ => positions })
        from widths in Gen.Elements(1, 2, 3, 5, features).ArrayOf().Where(widths => widths.Length is 1 or 2)
            .Select(widths => (int[])[features, .. widths]).ArrayOf().Where(heads => heads.Length is 1 or 2)
        select new Case(way, inputs, channels, positions, hasNorm, widths);

    [Fact]
    public void What_is_written_without_a_word_computes_in_PyTorch_what_it_does_here() =>
        Prop.ForAll(Cases.ToArbitrary(), drawn =>
        {
            using var device = Device.Use(Device.Reference);   // FsCheck's thread may be another one
            var (way, inputs, channels, positions, hasNorm, widths) = drawn;
            var net = new Net(way, inputs, channels, hasNorm ? new BatchNorm(widths[0][0]) : null, widths);
            foreach (var (i, parameter) in net.State.Index())
                parameter.Value = Tensor.Normal(parameter.Shape, new RandomSource(i)).Square() + 0.1;
            var x = Tensor.Normal(new Shape(3, positions, 1, inputs), new RandomSource(7));
            using var notices = HeardNotices.Containing("unseen_");
            try
            {
                StateDict.Save(net, FilePath);
            }
            catch (ArgumentException)
            {
                // What is all right is refused only where a Flatten is missing, or values are joined unseen.
                Assert.True(way is Way.FlattenedInForward or Way.Joined);
                return;
            }
            // Words for nothing are said only where somebody else's layer, or a Forward, may have flattened; or where a
            // head may take what an earlier one gives, or what that one takes: both are as long.
            if (notices.All.Count > 0)
            {
                Assert.True(way is not (Way.Pooled or Way.PooledAndActivated) && (way != Way.Flattened
                    || widths.Any(width => width[1..].Contains(width[0]))));
                return;
            }
            var weights = ArrayFile.Read(FilePath)
                .ToDictionary(array => array.Name, array => Tensor.From(array.ToDoubles(), array.Shape));
            var here = net.Apply(x).ToDoubles();
            Worked.Same(net.InPyTorch(x, weights).ToDoubles(), here, 1e-9);
            StateDict.Load(net, FilePath);
            Worked.Same(here, net.Apply(x).ToDoubles(), 1e-9);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(400));

    private sealed class Chain : Module
    {
        public Chain(params (string Name, Module Layer)[] layers)
        {
            foreach (var (name, layer) in layers) Child(name, layer);
        }

        protected override Tensor Forward(Tensor x) => throw new NotSupportedException("only its layers are looked at");
    }

    private static readonly RandomSource Random = new(1);

    // A file with the module's own names and shapes, so that nothing but the order could be wrong.
    private void Refused(Module module, params string[] words)
    {
        module.Save(FilePath + ".safetensors");
        var before = module.State.Select(parameter => parameter.Value.ToDoubles()).ToArray();
        Worked.Refuses<ArgumentException>(() => StateDict.Load(module, FilePath + ".safetensors"), words);
        Worked.Refuses<ArgumentException>(() => StateDict.Save(module, FilePath), words);
        Assert.Equal(before, module.State.Select(parameter => parameter.Value.ToDoubles()));
        Assert.False(File.Exists(FilePath));
    }

    private IReadOnlyList<string> Notices(string about, Module module)
    {
        using var notices = HeardNotices.BeginningWith(about);
        StateDict.Save(module, FilePath);
        return notices.All;
    }

    [Fact]
    public void A_linear_layer_behind_a_Forward_that_flattens_is_refused_with_what_to_do() =>
        Refused(new Chain(("conv", new Conv2d(3, 16, 3, Random)), ("fc", new Linear(16 * 8 * 8, 10, Random))),
            "fc: its 1024 inputs", "16 channels", "Flatten");

    [Fact]
    public void So_is_one_whose_input_is_said_to_have_channels()
    {
        var module = new Chain(("fc", new Linear(12, 10, Random)));
        StateDict.Save(module, FilePath);   // of features, for all that is known
        Worked.Refuses<ArgumentException>(() => StateDict.Save(module, FilePath, inputChannels: 3), "12 inputs",
            "3 channels");
        StateDict.Save(module, FilePath, inputChannels: 12);
    }

    [Fact]
    public void A_normalization_that_may_be_of_flattened_features_is_noticed()
    {
        Assert.Contains("Flatten", Assert.Single(Notices("seen_bn1:", new Chain(("conv", new Conv2d(3, 4, 3, Random)),
            ("seen_bn1", new BatchNorm(24)), ("fc", new Linear(24, 2, Random))))));
        Assert.Single(Notices("seen_bn2:", new Sequential(("conv", new Conv2d(3, 4, 3, Random)),
            ("flatten", new OwnFlatten()), ("seen_bn2", new BatchNorm(24)), ("fc", new Linear(24, 2, Random)))));
    }

    [Fact]
    public void A_convolution_of_what_may_be_made_of_flat_features_is_noticed()
    {
        foreach (Module[] reshape in (Module[][])[[], [new OwnFlatten()]])
            Assert.Contains("Flatten", Assert.Single(Notices("seen_up:", new Chain(
                [("fc", new Linear(5, 4 * 6, Random)), .. reshape.Select(layer => ("reshape", layer)),
                    ("seen_up", new ConvTranspose2d(4, 3, 2, Random))]))));
    }

    // It may be of what the first head gave, at several positions, or of what that took.
    [Fact]
    public void A_head_with_a_flatten_of_its_own_behind_one_without_is_noticed() =>
        Assert.Contains("Flatten", Assert.Single(Notices("seen_policy:", new Chain(
            ("conv", new Conv2d(3, 4, 3, Random)), ("value", new Linear(4, 1, Random)), ("flatten", new Flatten()),
            ("seen_policy", new Linear(24, 2, Random))))));

    // Parameters that a layer has itself are turned by nobody.
    private sealed class OwnLinear : Module
    {
        private readonly Parameter weight;

        public OwnLinear(int inputs, int outputs) =>
            weight = Parameter("weight", Tensor.Ones(new Shape(inputs, outputs)));

        protected override Tensor Forward(Tensor x) => x.MatrixProduct(weight);
    }

    [Fact]
    public void A_layer_of_somebody_elses_with_parameters_behind_a_flatten_is_noticed() =>
        Assert.Contains("Flatten", Assert.Single(Notices("seen_own:", new Sequential(
            ("conv", new Conv2d(3, 4, 3, Random)), ("flatten", new Flatten()), ("seen_own", new OwnLinear(24, 2))))));

    // A normalization within another one is the outer one's affair.
    private sealed class Doubled : Norm
    {
        private readonly Norm inner;

        public Doubled(int channels) : base(channels, new Sharing(Batch: false, Positions: true, Groups: 1)) =>
            inner = Child("inner", new LayerNorm(channels));

        protected override Tensor Normalize(Tensor x) => inner.Apply(x);
    }

    [Fact]
    public void All_of_a_normalization_behind_a_flatten_is_turned()
    {
        var module = new Sequential(("conv", new Conv2d(3, 2, 1, Random)), ("flatten", new Flatten()),
            ("norm", new Doubled(6)));
        StateDict.Save(module, FilePath);
        Assert.Equal(["norm.weight", "norm.bias", "norm.inner.weight", "norm.inner.bias"],
            StateDict.Load(module, FilePath).Turned);
    }

    [Fact]
    public void What_is_usual_is_neither_refused_nor_noticed()
    {
        using var notices = HeardNotices.BeginningWith("fine_");
        Module[] usual =
        [
            // an autoencoder of features, with two heads
            new Chain(("fine_fc1", new Linear(784, 400, Random)), ("fine_mean", new Linear(400, 20, Random)),
                ("fine_deviation", new Linear(400, 20, Random)), ("fine_fc3", new Linear(30, 400, Random)),
                ("fine_fc4", new Linear(400, 784, Random))),
            // normalizations behind all convolutions, a shortcut, squeeze and excitation
            new Chain(("fine_conv1", new Conv2d(3, 16, 3, Random)), ("fine_conv2", new Conv2d(16, 32, 3, Random)),
                ("fine_bn1", new BatchNorm(16)), ("fine_bn2", new BatchNorm(32)),
                ("fine_squeeze", new Linear(32, 4, Random)), ("fine_excite", new Linear(4, 32, Random)),
                ("fine_conv3", new Conv2d(32, 8, 3, Random)), ("fine_fc", new Linear(8, 10, Random))),
            // as many hidden features as flattened ones, and a linear layer at each position, one after the other
            new Sequential(("fine_conv", new Conv2d(3, 4, 3, Random)), ("fine_flatten", new Flatten()),
                ("fine_fc1", new Linear(24, 24, Random)), ("fine_fc2", new Linear(24, 2, Random))),
            new Sequential(("fine_conv", new Conv2d(3, 4, 3, Random)), ("fine_each", new Linear(4, 2, Random)),
                ("fine_flatten", new Flatten()), ("fine_fc", new Linear(12, 2, Random))),
            // two heads behind one flatten, each with its own
            new Chain(("fine_conv", new Conv2d(3, 4, 3, Random)),
                ("fine_value", new Sequential(new Flatten(), new Linear(24, 1, Random))),
                ("fine_policy", new Sequential(new Flatten(), new Linear(24, 6, Random)))),
        ];
        foreach (var module in usual) StateDict.Save(module, FilePath);
        Assert.Empty(notices.All);
        Assert.Equal(["fine_value.1.weight", "fine_policy.1.weight"], StateDict.Load(usual[^1], FilePath).Turned);
        // PyTorch's number 6 channel + position is 4 position + channel here.
        var (policy, inFile) = (usual[^1].State[^2].Value, ArrayFile.Read(FilePath)[^2].ToDoubles());
        for (var at = 0; at < 24; at++) Assert.Equal(policy.At(at % 6 * 4 + at / 6, 0), inFile[at]);
        foreach (var name in (string[])["resnet8", "resnet18", "wrn10-1", "vgg", "fast"])
            StateDict.Save(new ModelSpec(name, "batch", Classes: 2).Build(seed: 1), FilePath);
    }
}
