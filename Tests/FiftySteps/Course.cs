using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Tapegrad.Layers;
using Tapegrad.Optimizers;

namespace Tapegrad.FiftySteps;

/// <summary>
/// ResNet-20 on images of noise: enough of everything (convolutions of stride 1 and 2, normalization, pooling, a linear
/// layer, a loss, momentum, weight decay, running statistics) that a bit which differs somewhere ends in other weights.
/// </summary>
/// <param name="normalization">As <see cref="Normalizations.Parse"/> reads it.</param>
/// <param name="size">Height and width of the images.</param>
/// <param name="batch">Images in a step.</param>
public sealed class Course(string normalization, int size, int batch)
{
    private readonly RandomSource random = new(7);
    private readonly Module model = ResNet.Cifar(20, Normalizations.Parse(normalization), 10, seed: 1);
    private Sgd? sgd;
    private int step;

    /// <summary>Takes some steps more.</summary>
    public void Take(int steps)
    {
        sgd ??= new Sgd(model.Parameters, momentum: 0.9, weightDecay: 5e-4);
        for (var end = step + steps; step < end; step++)
        {
            using var tape = Tape.Training(random.Split(step));
            var images = Tensor.Normal(new Shape(batch, size, size, 3), tape.NextRandom());
            var labels = new int[batch];
            for (var i = 0; i < batch; i++) labels[i] = random.Below(10, step * batch + i);
            sgd.Step(tape.Gradients(model.Apply(images).CrossEntropy(labels), release: true), 0.05);
        }
    }

    /// <summary>The SHA-256 of the bytes of all weights and running statistics.</summary>
    public string Hash()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var parameter in model.State)
        {
            var values = parameter.Value.ToFloats();
            if (values.FirstOrDefault(value => !float.IsFinite(value)) is not 0 and var bad)
                throw new ArithmeticException($"{parameter.Name} holds {bad}: equal weights would prove nothing.");
            hash.AppendData(MemoryMarshal.AsBytes(values.AsSpan()));
        }
        return Convert.ToHexString(hash.GetHashAndReset());
    }
}
