using Tapegrad.Devices;
using Tapegrad.Layers;
using Xunit;

namespace Tapegrad.Tests.Golden;

/// <summary>
/// A training pass of the whole ResNet-20: loss, logits, and the gradient of each parameter (its sum and the sum of its
/// magnitudes), as PyTorch has them.
/// </summary>
public sealed class ResNetGoldenTests
{
    // On the float device: 1e-4 for the loss and the logits, as for single operations, and for the gradients too.
    [Theory]
    [InlineData("group:8", false, 1e-9, 1e-9)]
    [InlineData("group:8", true, 1e-4, 1e-4)]
    [InlineData("batch", false, 1e-9, 1e-9)]
    [InlineData("batch", true, 1e-4, 1e-4)]
    public void ATrainingPassIsPyTorchs(string normalization, bool inFloat, double tolerance, double gradientTolerance)
    {
        using var device = Device.Use(inFloat ? Device.Cpu : Device.Reference);
        var golden = Assert.Single(GoldenCase.Read("resnet20.json", "resnet20"), c =>
            c.Arguments.GetProperty("norm").GetString() == normalization);
        var model = ResNet.Cifar(20, Normalizations.Parse(normalization), classes: 10, seed: 1);
        var parameters = model.Parameters;
        for (var k = 0; k < parameters.Count; k++) parameters[k].Value = Initial(golden, parameters[k], k);
        var labels = golden.Arguments.GetProperty("labels").EnumerateArray().Select(label => label.GetInt32())
            .ToArray();

        using var tape = Tape.Training(new RandomSource(1));
        var logits = model.Apply(golden.Fill([labels.Length, 3, 32, 32], k: 200, name: "x"));
        var loss = logits.CrossEntropy(labels);
        golden.AssertClose("loss", [golden.Outputs.GetProperty("loss").GetDouble()], loss.ToDoubles(), tolerance);
        golden.AssertClose("logits", golden.Array(golden.Outputs.GetProperty("logits"), "").ToDoubles(),
            logits.ToDoubles(), tolerance);

        var gradients = tape.Gradients(loss);
        var sums = golden.Json.GetProperty("grad_sums").EnumerateArray().ToArray();
        Assert.Equal(sums.Length, parameters.Count);
        for (var k = 0; k < sums.Length; k++)
        {
            var (gradient, sum, magnitude) = (gradients[parameters[k]].ToDoubles(), sums[k][1].GetDouble(),
                sums[k][2].GetDouble());
            Assert.Equal(sums[k][0].EnumerateArray().Select(length => length.GetInt32()), FileShape(parameters[k]));
            Assert.True(Math.Abs(gradient.Sum() - sum) <= gradientTolerance * magnitude,
                $"{parameters[k].Name}: the sum is {gradient.Sum():R}, expected {sum:R}");
            Assert.True(Math.Abs(gradient.Sum(Math.Abs) - magnitude) <= gradientTolerance * magnitude,
                $"{parameters[k].Name}: the sum of magnitudes is {gradient.Sum(Math.Abs):R}, expected {magnitude:R}");
        }
    }

    // Numbered in PyTorch's order of parameters, which is that of model.Parameters.
    private static Tensor Initial(GoldenCase golden, Parameter parameter, int k)
    {
        var shape = FileShape(parameter);
        return parameter.Name switch
        {
            "fc.weight" => golden.Fill(shape, k, scale: 0.2, name: "weight"),
            "fc.bias" => golden.Fill(shape, k, scale: 0.1),
            _ when shape.Length == 4 => golden.Fill(shape, k, scale: Math.Sqrt(2.0 / (9 * shape[1])), name: "weight"),
            _ when parameter.Name.EndsWith("weight", StringComparison.Ordinal) =>
            golden.Fill(shape, k, scale: 0.2, offset: 1),
            _ => golden.Fill(shape, k, scale: 0.1),
        };
    }

    private static int[] FileShape(Parameter parameter) => parameter.Shape.Rank switch
    {
        4 => parameter.Shape.Permute(3, 2, 0, 1).Dimensions.ToArray(),
        2 => parameter.Shape.Permute(1, 0).Dimensions.ToArray(),
        _ => parameter.Shape.Dimensions.ToArray(),
    };
}
