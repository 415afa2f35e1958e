using Tapegrad.Datasets;

namespace Tapegrad.Training;

/// <summary>How far training has come, after a step. Loss and accuracy are means over the epoch until now.</summary>
/// <param name="Epoch">From 1.</param>
/// <param name="Step">Batches of the epoch until now, from 1.</param>
/// <param name="Steps">Batches in an epoch.</param>
/// <param name="Loss">What the optimizer makes small.</param>
/// <param name="Accuracy">The share of the images that were classified right before the step that they led to.</param>
/// <param name="ImagesPerSecond">Since the epoch began, or was gone on with.</param>
public sealed record TrainingProgress(int Epoch, int Step, int Steps, double Loss, double Accuracy,
    double ImagesPerSecond);

/// <summary>What an epoch came to.</summary>
/// <param name="Training">As after its last step.</param>
/// <param name="Validation">On the images held apart; null without them.</param>
/// <param name="LearningRate">Of its last step.</param>
/// <param name="Seconds">Validation included; since it was gone on with, where it was interrupted.</param>
public sealed record Epoch(TrainingProgress Training, Evaluation? Validation, double LearningRate, double Seconds);

/// <summary>
/// A place in a run between two steps of the optimizer. Together with the numbers of the model and of
/// <see cref="Fit.State"/> it determines all that follows.
/// </summary>
/// <param name="Epoch">From 1.</param>
/// <param name="Batch">How many batches of the epoch are done.</param>
/// <param name="LossSum">Of their images.</param>
/// <param name="Correct">How many of their images were classified right.</param>
/// <param name="OptimizerCounters">The optimizer's.</param>
/// <param name="AverageSteps">How often the averages took the weights in.</param>
public sealed record Position(int Epoch, int Batch, double LossSum, int Correct, IReadOnlyList<long> OptimizerCounters,
    long AverageSteps);
