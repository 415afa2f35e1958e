using Tapegrad.Devices;
using Tapegrad.Layers;
using Xunit;
using static Tapegrad.Tests.Worked;
using Norm = Tapegrad.Layers.Normalization;

namespace Tapegrad.Tests.Layers.Normalization;

/// <summary>
/// What follows x^: scale, shift, both, neither, from a condition; and activations that belong to a normalization.
/// </summary>
public class AffineTests
{
    private sealed class AnyNorm(int channels, Affine? affine)
        : Norm(channels, new Sharing(Batch: false, Positions: true, 2), affine);

    private static Tensor Hat(Tensor x) => x.Normalize(new Sharing(Batch: false, Positions: true, 2), 1e-5);

    [Theory]
    [InlineData(1.0, 0.0, "weight bias", "")]
    [InlineData(0.5, null, "weight", "scale only")]
    [InlineData(null, -2.0, "bias", "shift only")]
    [InlineData(null, null, "", "no affine")]
    public void Has_the_parts_that_it_was_made_of_and_starts_where_it_was_told(double? scale, double? shift,
        string names, string settings) =>
        OnBothDevices(() =>
        {
            var norm = new AnyNorm(4, new Affine(4, scale, shift));
            Assert.Equal(names.Split(' ', StringSplitOptions.RemoveEmptyEntries),
                norm.State.Select(parameter => parameter.Name));
            Assert.Equal(settings != "", norm.Settings.EndsWith($", {settings}"));
            var x = Random(1, 3, 5, 4);
            Same((Hat(x) * (scale ?? 1) + (shift ?? 0)).ToDoubles(), norm.Apply(x).ToDoubles(), 1e-6);
            var model = new Sequential(("norm", norm));
            Assert.Equal(names.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(name => $"norm.{name}"),
                model.Parameters.Select(p => p.Name));
            Assert.DoesNotContain("Affine", model.Summary());
            Same((x * (scale ?? 1) + (shift ?? 0)).ToDoubles(), norm.Affine!.Apply(x).ToDoubles(), 1e-6);   // alone
            Refuses<ArgumentException>(() => norm.Apply(x, condition: Random(2, 3, 8)), "depend on none");
        });

    // One of the two for each sample, the other for all or left out: no operation takes both with x^.
    private sealed class HalfConditional(bool isScale, bool hasOther)
        : Affine(4, hasOther && !isScale ? 3 : null, hasOther && isScale ? 3 : null)
    {
        public override (Tensor? Gamma, Tensor? Beta) For(Shape x, Tensor? condition) =>
            isScale ? (condition!, Shift?.Value) : (Scale?.Value, condition!);
    }

    [Theory]
    [InlineData(true, true)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(false, false)]
    public void Either_of_the_two_may_be_conditional_alone(bool isScale, bool hasOther) => OnBothDevices(() =>
    {
        var (x, condition) = (Random(1, 2, 5, 4), Random(2, 2, 1, 4));
        var norm = new AnyNorm(4, new HalfConditional(isScale, hasOther));
        var expected = isScale ? Hat(x) * condition + (hasOther ? 3 : 0) : Hat(x) * (hasOther ? 3 : 1) + condition;
        Same(expected.ToDoubles(), norm.Apply(x, condition: condition).ToDoubles(), 1e-6);
    });

    [Fact]
    public void A_condition_gives_each_sample_or_each_position_its_own()
    {
        using var device = Device.Use(Device.Reference);
        var (x, residual) = (Random(1, 2, 3, 5, 4), Random(2, 2, 3, 5, 4));
        // AdaIN: the condition is the scales and shifts themselves.
        var style = Random(3, 2, 8);
        Tensor Of(Tensor numbers, int start) => numbers.Slice(1, start, 4).Reshape(2, 1, 1, 4);
        var expected = (Hat(x) * Of(style, 0) + Of(style, 4) + residual).Relu();
        Same(expected.ToDoubles(), new AnyNorm(4, new ConditionalAffine(4, offset: 0))
            .Apply(x, residual, relu: true, style).ToDoubles(), 1e-12);
        // From a vector, by a layer of its own, which is trained and saved.
        var random = new RandomSource(4);
        var norm = new AnyNorm(4, new ConditionalAffine(4, new Linear(3, 8, random)));
        Assert.Equal(["condition.weight", "condition.bias"], norm.Parameters.Select(parameter => parameter.Name));
        var vector = Random(5, 2, 3);
        var numbers = ((ConditionalAffine)norm.Affine!).Children[0].Apply(vector);
        Same((Hat(x) * (Of(numbers, 0) + 1) + Of(numbers, 4)).ToDoubles(),
            norm.Apply(x, condition: vector).ToDoubles(), 1e-12);
        using (var tape = Tape.Training(random))
        {
            var watched = tape.Watch(vector);
            var gradients = tape.Gradients(norm.Apply(x, condition: watched),
                [watched, .. norm.Parameters.Select(p => p.Value)], residual);
            Assert.All(gradients, gradient => Assert.Contains(gradient.ToDoubles(), slope => slope != 0));
        }
        // From a map with x's positions: SPADE.
        var spade = new AnyNorm(4, new ConditionalAffine(4, new Conv2d(1, 8, 3, random, padding: 1)));
        var map = Random(6, 2, 3, 5, 1);
        var maps = ((ConditionalAffine)spade.Affine!).Children[0].Apply(map);
        Same((Hat(x) * (maps.Slice(3, 0, 4) + 1) + maps.Slice(3, 4, 4)).ToDoubles(),
            spade.Apply(x, condition: map).ToDoubles(), 1e-12);
    }

    [Fact]
    public void A_condition_that_does_not_fit_is_refused_in_words()
    {
        var (x, norm) = (Random(1, 2, 3, 5, 4), new AnyNorm(4, new ConditionalAffine(4)));
        Refuses<ArgumentException>(() => norm.Apply(x), "none was given");
        Refuses<ArgumentException>(() => new Sequential(norm).Apply(x), "none was given");
        foreach (var dimensions in (int[][])[[2, 7], [3, 8], [2, 3, 4, 8], [8]])
            Refuses<ShapeException>(() => norm.Apply(x, condition: Random(2, dimensions)), "[2, 3, 5, 4]", "[N, 8]");
        Refuses<ShapeException>(() => new AnyNorm(4, new Affine(6)), "4 channels", "6");
    }

    // Filter response with a thresholded linear unit, of a threshold of 0.5: it ends with an activation of its own.
    private sealed class Thresholded(int channels)
        : Norm(channels, new Sharing(Batch: false, Positions: true, channels))
    {
        public override bool ContainsActivation => true;

        protected override Tensor Normalize(Tensor x) => x / (S.MeanSquare(x) + Eps).Sqrt();

        protected override Tensor Forward(Tensor x, Tensor? residual, bool relu, Tensor? condition)
        {
            var y = base.Forward(x, null, relu: false, condition).Maximum(0.5);
            y = residual is null ? y : y + residual;
            return relu ? y.Relu() : y;
        }
    }

    [Fact]
    public void An_activation_of_its_own_is_not_followed_by_another()
    {
        using var device = Device.Use(Device.Reference);
        var (x, norm) = (Random(1, 2, 3, 5, 4), new Thresholded(4));
        var plain = norm.Apply(x);
        Assert.Equal(0.5, plain.ToDoubles().Min());
        var residual = Random(2, 2, 3, 5, 4) * 3;
        Assert.Equal((plain + residual).ToDoubles(), norm.Apply(x, residual, relu: true).ToDoubles());
        Assert.Contains(norm.Apply(x, residual, relu: true).ToDoubles(), value => value < 0);
        Assert.Equal(plain.ToDoubles(), new NormalizedRelu(norm).Apply(x).ToDoubles());
    }
}
