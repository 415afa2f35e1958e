namespace Tapegrad.Layers;

/// <summary>
/// How a network is trained where nobody says otherwise: what was found good for it, by a search or by its paper, in
/// the words of a training recipe. Each network says its own (<see cref="ModelSpec.UsualTraining"/>); what it does not
/// say is as for <c>resnet20</c>.
/// </summary>
public sealed record UsualTraining
{
    /// <summary>Its normalization.</summary>
    public string Normalization { get; init; } = "group:8+ws";

    /// <summary>
    /// The same where some layers have normalizations that look at one sample at a time, or none; null where it is the
    /// same.
    /// </summary>
    public UsualTraining? WithinSamples { get; init; }

    /// <summary>Passes over the training images.</summary>
    public int Epochs { get; init; } = 3;

    /// <summary>Images in a batch, where there are enough.</summary>
    public int BatchSize { get; init; } = 32;

    /// <summary>
    /// The learning rate of SGD at its highest. Other optimizers, whose steps have the length of the rate, do not take
    /// what is said here of SGD.
    /// </summary>
    public double LearningRate { get; init; } = 0.05;

    /// <summary>
    /// Whether the rate is that of batches of <see cref="BatchSize"/>, and in proportion for others.
    /// </summary>
    public bool RateFollowsBatch { get; init; }

    /// <summary>The course of the learning rate.</summary>
    public string Schedule { get; init; } = "cosine";

    /// <summary>Of SGD.</summary>
    public double Momentum { get; init; } = 0.9;

    /// <summary>Whether SGD looks ahead as Nesterov's does.</summary>
    public bool Nesterov { get; init; }

    /// <summary>The share of a parameter that SGD adds to its gradient.</summary>
    public double WeightDecay { get; init; } = 5e-4;

    /// <summary>How many times as high SGD's rate is for the betas of normalizations.</summary>
    public double BetaRate { get; init; } = 1;

    /// <summary>The share of a label that is spread over all classes.</summary>
    public double LabelSmoothing { get; init; }

    /// <summary>Whether slow weights follow the fast ones.</summary>
    public bool Lookahead { get; init; }

    /// <summary>How images are mirrored, where they are: <c>random</c> or <c>alternate</c>.</summary>
    public string Flip { get; init; } = "random";

    /// <summary>
    /// By how many pixels images are moved at most, what comes in being their reflection; null for the crops that are
    /// usual for the images.
    /// </summary>
    public int? Translate { get; init; }

    /// <summary>Which views of a test image are averaged: <c>none</c>, or <c>flip+shift</c>.</summary>
    public string TestViews { get; init; } = "none";
}
