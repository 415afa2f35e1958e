using Tapegrad.Devices;
using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;
using Base = Tapegrad.Layers.Normalization;

namespace Tapegrad.Tests.Layers.Normalization;

/// <summary>Two names for one thing: values, and the gradients of x, gamma and beta, are the same.</summary>
internal static class Twins
{
    /// <summary>
    /// Compares two normalizations with the same random affine on the same random input, in training, on both devices.
    /// </summary>
    /// <param name="first">Makes one.</param>
    /// <param name="second">Makes the other.</param>
    /// <param name="shape">The input's shape.</param>
    /// <param name="secondShape">The shape under which the other one sees the same input, if it is another.</param>
    public static void Agree(Func<int, Base> first, Func<int, Base> second, int[] shape, int[]? secondShape = null) =>
        OnBothDevices(() =>
    {
        var (one, other) = (Sweep(first, shape), Sweep(second, secondShape ?? shape));
        foreach (var (a, b) in one.Zip(other)) Same(a, b, Device.Current == Device.Reference ? 1e-12 : 1e-5);
    });

    /// <summary>The value, dx, dgamma and dbeta.</summary>
    private static double[][] Sweep(Func<int, Base> create, int[] shape)
    {
        var layer = create(shape[^1]);
        layer.Weight!.Value = Random(1, shape[^1]);
        layer.Bias!.Value = Random(2, shape[^1]);
        using var tape = Tape.Training(new RandomSource(3));
        var x = tape.Watch(Random(4, shape) * 2 + 1);
        var y = layer.Apply(x);
        return [y.ToDoubles(), .. tape.Gradients(y, [x, layer.Weight, layer.Bias], Random(5, shape))
            .Select(gradient => gradient.ToDoubles())];
    }

    /// <summary>A normalization by any sharing.</summary>
    public sealed class Shared(int channels, Sharing sharing) : Base(channels, sharing)
    {
        protected override Tensor Normalize(Tensor x) => x.Normalize(S, Eps);
    }

    /// <summary>Both sets of laws, but for those that are named.</summary>
    public static void ObeyTheLaws(Func<int, Base> create, params string[] except)
    {
        NormalizationLaws.Check(create, except: except);
        NormalizationLaws.CheckMeanAndVariance(create);
    }
}
