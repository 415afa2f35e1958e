using Tapegrad.Datasets;
using Tapegrad.Layers;
using Tapegrad.Optimizers;
using Xunit;

namespace Tapegrad.Tests.Learning;

/// <summary>
/// All parts together must be able to learn: a network of a quarter of a million weights can know 64 images by heart.
/// </summary>
public sealed class OverfitTests
{
    [Theory]
    [InlineData("group:8")]
    [InlineData("batch")]
    public void ResNet20_learns_64_images_by_heart(string normalization)
    {
        var images = Shapes10.Load(trainCount: 64, testCount: 0).Train;
        var model = ResNet.Cifar(20, Normalizations.Parse(normalization), images.Classes, seed: 1);
        var adam = new Adam(model.Parameters);
        var correct = 0;
        foreach (var batch in images.Batches(64, epochs: 150, seed: 1))
        {
            using var tape = Tape.Training(batch.Random);
            var logits = model.Apply(batch.Images);
            correct = Evaluation.CountCorrect(logits, batch.Labels);
            if (correct == 64) break;
            adam.Step(tape.Gradients(logits.CrossEntropy(batch.Labels), release: true), rate: 3e-3);
        }
        Assert.Equal(64, correct);
    }
}
