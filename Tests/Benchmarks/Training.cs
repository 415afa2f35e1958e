using Tapegrad.Layers;
using Tapegrad.Optimizers;

namespace Tapegrad.Benchmarks;

/// <summary>
/// A model with a batch of random 32x32 images and labels: what a step of training it, or applying it, needs. As a user
/// would write it.
/// </summary>
internal sealed class Training
{
    private static readonly RandomSource Random = new(1);

    private readonly Tensor images;
    private readonly int[] labels;
    private readonly Sgd sgd;
    private int step;

    public Training(Module model, int batch)
    {
        (Model, Batch) = (model, batch);
        images = Tensor.Normal(new Shape(batch, 32, 32, 3), Random).Keep();
        labels = [.. Enumerable.Range(0, batch).Select(i => Random.Below(10, i))];
        sgd = new Sgd(model.Parameters, momentum: 0.9, weightDecay: 1e-4);
    }

    public Training(string architecture, string normalization, int batch)
        : this(new ModelSpec(architecture, normalization, Classes: 10).Build(seed: 1), batch) { }

    public Module Model { get; }

    public int Batch { get; }

    /// <summary>Loss, gradients, and a step against them.</summary>
    public void Step()
    {
        using var tape = Tape.Training(Random.Split(step++));
        var loss = Model.Apply(images).CrossEntropy(labels);
        sgd.Step(tape.Gradients(loss, release: true), 0.1);
    }

    /// <summary>Logits, without a tape.</summary>
    public void Infer()
    {
        using var scope = new Scope();
        Model.Apply(images);
    }
}
