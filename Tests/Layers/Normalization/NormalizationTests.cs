using Tapegrad.Devices;
using Tapegrad.Layers;
using Xunit;
using Norm = Tapegrad.Layers.Normalization;   // this namespace has the same name

namespace Tapegrad.Tests.Layers.Normalization;

/// <summary>
/// What every normalization has from its base class: the affine, the checks, the notice, no samples; and how groups are
/// chosen.
/// </summary>
public sealed class NormalizationTests
{
    private static readonly RandomSource Random = new(1);

    private static IReadOnlyList<string> NoticesNaming(string layer, Action action)
    {
        using var notices = HeardNotices.BeginningWith($"{layer}:");
        action();
        return notices.All;
    }

    [Fact]
    public void TheAffineFollowsTheNormalization()
    {
        using var device = Device.Use(Device.Reference);
        var layer = new GroupNorm(2, GroupSpec.Count(1), eps: 0);
        Assert.Equal([1.0, 1], layer.Weight!.Value.ToDoubles());
        Assert.Equal([0.0, 0], layer.Bias!.Value.ToDoubles());
        var x = Tensor.From([1.0, 3], new Shape(1, 2));   // mean 2, deviation 1
        Assert.Equal([-1.0, 1], layer.Apply(x).ToDoubles());
        layer.Weight.Value = Tensor.From([10.0, 100], new Shape(2));
        layer.Bias.Value = Tensor.From([0.5, 0.25], new Shape(2));
        Assert.Equal([-9.5, 100.25], layer.Apply(x).ToDoubles());
        Assert.Equal(["weight", "bias"], layer.State.Select(parameter => parameter.Name));
    }

    [Fact]
    public void WithoutAnAffineThereIsNothingToLearn()
    {
        using var device = Device.Use(Device.Reference);
        Norm[] layers = [new GroupNorm(2, GroupSpec.Count(1), eps: 0, affine: false),
            new LayerNorm(2, eps: 0, affine: false)];
        foreach (var layer in layers)
        {
            Assert.Empty(layer.Parameters);
            Assert.Null(layer.Weight);
            Assert.Equal([-1.0, 1], layer.Apply(Tensor.From([1.0, 3], new Shape(1, 2))).ToDoubles());
        }
        Assert.Empty(new InstanceNorm(2, affine: false).State);
        Assert.Equal(["running_mean", "running_var"],
            new BatchNorm(2, affine: false).State.Select(parameter => parameter.Name));
    }

    [Fact]
    public void EachSharesWithItsOwn()
    {
        Assert.Equal(new Sharing(false, true, 1), new LayerNorm(6).S);
        Assert.Equal(new Sharing(false, false, 1), new LayerNorm(6, perPosition: true).S);
        Assert.Equal(new Sharing(false, true, 6), new InstanceNorm(6).S);
        Assert.Equal(new Sharing(false, true, 3), new GroupNorm(6, GroupSpec.Count(3)).S);
        Assert.Equal(new Sharing(false, true, 2), new GroupNorm(6, GroupSpec.Size(3)).S);
        Assert.Equal(new Sharing(true, true, 6), new BatchNorm(6).S);
        Assert.Equal(1e-5, new LayerNorm(6).Eps);
        Assert.Equal(1e-5, new InstanceNorm(6).Eps);
        Assert.Equal(1e-5, new GroupNorm(6, GroupSpec.Count(3)).Eps);
        Assert.Equal(1e-5, new BatchNorm(6).Eps);
    }

    [Theory]
    [InlineData(new[] { 2, 4 })]
    [InlineData(new[] { 2, 5, 4 })]
    [InlineData(new[] { 2, 3, 5, 4 })]
    [InlineData(new[] { 2, 3, 1, 5, 4 })]
    public void TwoToFiveAxesAreTaken(int[] shape)
    {
        var layer = new Sequential(("deep", new GroupNorm(4, GroupSpec.Count(2))));
        Assert.Equal(new Shape(shape), layer.Apply(Tensor.Normal(new Shape(shape), Random)).Shape);
    }

    [Theory]
    [InlineData(new[] { 4 })]
    [InlineData(new[] { 2, 3 })]
    [InlineData(new[] { 2, 4, 3, 5 })]
    [InlineData(new[] { 1, 1, 1, 1, 1, 4 })]
    public void OtherShapesAreRefusedInWords(int[] shape)
    {
        var layer = new Sequential(("deep", new GroupNorm(4, GroupSpec.Count(2))));
        var error = Assert.Throws<ShapeException>(() => layer.Apply(Tensor.Zeros(new Shape(shape))));
        Assert.Equal("GroupNorm: made for 4 channels: [N, 4], [N, L, 4], [N, H, W, 4] or [N, D, H, W, 4]; given "
            + $"{new Shape(shape)}. "
            + "The channel axis is the last. (in layer deep)", error.Message);
    }

    [Fact]
    public void ImpossibleGroupsAreRefusedWithTheDivisors()
    {
        using var layer = LayerContext.Enter("layer2.0.bn1");
        Assert.Equal("GroupNorm: 12 channels do not form 5 groups of equal size; the number of groups must divide 12: "
            + "one of 1, 2, 3, 4, 6, 12. (in layer layer2.0.bn1)",
            Assert.Throws<ShapeException>(() => new GroupNorm(12, GroupSpec.Count(5))).Message);
        Assert.Equal("GroupNorm: 12 channels do not form groups of 8 channels; the size of groups must divide 12: one "
            + "of 1, 2, 3, 4, 6, 12. (in layer layer2.0.bn1)",
            Assert.Throws<ShapeException>(() => new GroupNorm(12, GroupSpec.Size(8))).Message);
        Assert.Throws<ShapeException>(() => new GroupNorm(4, GroupSpec.Count(8)));
        Assert.Throws<ShapeException>(() => new GroupNorm(4, default));
        Assert.Throws<ArgumentOutOfRangeException>(() => GroupSpec.Count(0));
        Assert.Throws<ArgumentOutOfRangeException>(() => GroupSpec.Size(-1));
        Assert.Throws<ShapeException>(() => new LayerNorm(0));
        Assert.Throws<ShapeException>(() => new OwnNorm(4, new Sharing(false, true, 3)));
        Assert.Throws<ArgumentOutOfRangeException>(() => new LayerNorm(4, eps: -1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new LayerNorm(4, eps: double.NaN));
    }

    [Fact]
    public void GroupsAreCountedOrSized()
    {
        Assert.Equal(8, GroupSpec.Count(8).Groups(64));
        Assert.Equal(4, GroupSpec.Size(16).Groups(64));
        Assert.Equal("group:8", $"{GroupSpec.Count(8)}");
        Assert.Equal("size:16", $"{GroupSpec.Size(16)}");
    }

    [Fact]
    public void NoSamplesGiveNoOutputAndZeroGradients()
    {
        foreach (var device in (Device[])[Device.Reference, Device.Cpu])
        {
            using var _ = Device.Use(device);
            Norm[] layers =
                [new LayerNorm(3), new InstanceNorm(3), new GroupNorm(3, GroupSpec.Count(3)), new BatchNorm(3),
                    new OwnNorm(3, new(true, true, 1))];
            foreach (var layer in layers)
                foreach (var shape in (Shape[])[new(0, 3), new(0, 2, 2, 3), new(2, 0, 3)])
                {
                    using var tape = Tape.Training(Random);
                    var x = tape.Watch(Tensor.Zeros(shape));
                    var y = layer.Apply(x);
                    Assert.Equal(shape, y.Shape);
                    var gradients = tape.Gradients(y, [x, layer.Weight!, layer.Bias!]);
                    Assert.Equal(shape, gradients[0].Shape);
                    Assert.Equal([0.0, 0, 0], gradients[1].ToDoubles());
                    Assert.Equal([0.0, 0, 0], gradients[2].ToDoubles());
                }
        }
    }

    [Fact]
    public void ASetOfOneElementIsNoticedOnce()
    {
        var model = new Sequential(("only-here", new InstanceNorm(4)), ("not-here", new LayerNorm(4)));
        model.State[1].Value = Tensor.From([1.0, 2, 3, 4], new Shape(4));
        var notice = Assert.Single(NoticesNaming("only-here", () =>
        {
            using var tape = Tape.Training(Random);
            var x = tape.Watch(Tensor.Normal(new Shape(2, 1, 4), Random));
            var y = model.Children[0].Apply(x);
            Assert.Equal([1.0, 2, 3, 4, 1, 2, 3, 4], y.ToDoubles());   // beta, whatever x is
            Assert.All(tape.Gradients(y, [x], Tensor.Normal(y.Shape, Random))[0].ToDoubles(), gradient =>
                Assert.Equal(0, gradient));
            model.Children[0].Apply(x);
        }));
        Assert.Contains("InstanceNorm: with the input [2, 1, 4] each set that shares a mean has one element", notice);
        Assert.Contains("Remedies: fewer groups", notice);
        using (var alone = HeardNotices.BeginningWith("InstanceNorm: with the input [3, 1, 4]"))
        {
            new InstanceNorm(4).Apply(Tensor.Ones(new Shape(3, 1, 4)));   // it has no path to be named by
            Assert.Single(alone.All);
        }
        Assert.Empty(NoticesNaming("not-here", () => model.Children[1].Apply(Tensor.Ones(new Shape(2, 4)))));
        Assert.Empty(NoticesNaming("several", () =>
            new Sequential(("several", new InstanceNorm(4))).Apply(Tensor.Ones(new Shape(2, 2, 4)))));
        Assert.Empty(NoticesNaming("none", () =>
            new Sequential(("none", new InstanceNorm(4))).Apply(Tensor.Ones(new Shape(0, 1, 4)))));
    }

    private sealed class Uncentered(int channels)
        : Norm(channels, new Sharing(Batch: false, Positions: true, channels, IsCentered: false));

    [Fact]
    public void OfASetOfOneElementThatIsNotCenteredTheSignIsLeft()
    {
        var layer = new Uncentered(3);
        layer.Weight!.Value = Tensor.From([1.0, 2, 3], new Shape(3));
        _ = new Sequential(("uncentered-here", layer));
        var notice = Assert.Single(NoticesNaming("uncentered-here", () =>
            Assert.All(layer.Apply(Tensor.From([5.0, -7, 0], new Shape(1, 3))).ToDoubles().Zip([1.0, -2, 0]), pair =>
                Assert.Equal(pair.Second, pair.First, 1e-4))));
        Assert.Contains("so of each element nearly its sign alone is left", notice);
        Assert.DoesNotContain("output is beta", notice);
    }

    [Fact]
    public void BatchNormNoticesItInTrainingOnly()
    {
        var layer = new BatchNorm(4);
        layer.RunningMean.Value = Tensor.Ones(new Shape(4));
        var model = new Sequential(("batch-of-one", layer));
        Assert.Empty(NoticesNaming("batch-of-one", () => model.Apply(Tensor.Ones(new Shape(1, 4)))));
        Assert.Contains("a larger batch", Assert.Single(NoticesNaming("batch-of-one", () =>
        {
            using var tape = Tape.Training(Random);
            model.Apply(Tensor.Ones(new Shape(1, 4)));
        })));
    }

    // Ten lines, as a researcher writes them: the mean absolute deviation in place of the standard one.
    private sealed class OwnNorm(int channels, Sharing sharing) : Norm(channels, sharing)
    {
        protected override Tensor Normalize(Tensor x)
        {
            var centered = S.Center(x);
            return centered / (S.Mean(centered.Abs()) + Eps);
        }
    }

    [Fact]
    public void ANormalizationOfOnesOwnHasAllOfThis()
    {
        using var device = Device.Use(Device.Reference);
        var layer = new OwnNorm(2, new Sharing(Batch: false, Positions: true, Groups: 1));
        layer.Weight!.Value = Tensor.From([2.0, 3], new Shape(2));
        // Mean 3, mean absolute deviation (2 + 2 + 2 + 2) / 4 = 2.
        var y = layer.Apply(Tensor.From([1.0, 5, 1, 5], new Shape(1, 2, 2))).ToDoubles();
        var scale = 2 / (2 + 1e-5);
        Assert.Equal([-2 * scale, 3 * scale, -2 * scale, 3 * scale], y.Select(value => Math.Round(value, 14)), (a, b) =>
            Math.Abs(a - b) < 1e-13);
        Assert.Equal("OwnNorm", layer.Variant);
        Assert.Contains("OwnNorm, 2 channels, eps 1e-5", layer.Settings);
    }
}
