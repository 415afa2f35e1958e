using Tapegrad.Datasets;
using Tapegrad.Layers;

namespace Tapegrad.Training;

/// <summary>
/// Which weights a run has in its folder when it has ended, is stopped, or diverges:
/// <code>
/// after an epoch whose loss is finite     where images choose them the best epoch's, else the last such epoch's
/// before, and it is stopped               as they are
/// before, and it diverges                 as they were before the last step, the last whose loss was good
/// </code>
/// Those of an epoch, and as they are, are the averages, where it averages. An epoch is measured by the images that
/// were held apart to choose, or by the test images. So what a run leaves follows from its steps, and not from where it
/// was interrupted.
/// </summary>
internal sealed class KeptWeights
{
    private readonly Module model;
    private readonly Fit fit;
    private readonly RunFolder folder;
    private readonly bool areChosen;
    private Snapshot? before;   // until there are weights of an epoch

    /// <summary>Of a run at its beginning, or of one that goes on.</summary>
    /// <param name="model">What is trained, before its first step.</param>
    /// <param name="fit">Its training.</param>
    /// <param name="folder">Where they are.</param>
    /// <param name="areChosen">Whether images that were held apart choose them.</param>
    /// <param name="from">What the run goes on from; null for a new one.</param>
    public KeptWeights(Module model, Fit fit, RunFolder folder, bool areChosen, SavedRun? from)
    {
        (this.model, this.fit, this.folder, this.areChosen) = (model, fit, folder, areChosen);
        Accuracy = from?.Accuracy;
        Untrained = from?.Untrained
            ?? [.. Statistics.Where(statistics => statistics.Count == 0).Select(statistics => statistics.Name)];
        if (Accuracy is null) before = new Snapshot(model);
    }

    /// <summary>Of the epoch whose weights they are; null before the first.</summary>
    public double? Accuracy { get; private set; }

    /// <summary>Whether the loss of the last epoch that was measured is finite.</summary>
    public bool IsFinite { get; private set; } = true;

    /// <summary>The normalizations whose running statistics had seen nothing when the run began.</summary>
    public IReadOnlyList<string> Untrained { get; }

    /// <summary>What a checkpoint holds beside the model and its training, so that the same are kept later.</summary>
    public IReadOnlyList<Parameter> State => before?.State ?? [];

    private long Steps => fit.Position.OptimizerCounters[0];

    private IEnumerable<RunningStatistics> Statistics =>
        model.Modules.OfType<Normalization>().Select(layer => layer.Running).OfType<RunningStatistics>();

    /// <summary>When a checkpoint has been read, and its place been gone to.</summary>
    /// <exception cref="InvalidDataException">The weights of the best epoch are lost.</exception>
    public void GoOn()
    {
        if (areChosen && Accuracy is not null && !folder.HasWeights)
            throw new InvalidDataException($"{folder.WeightsPath}: it is gone or damaged, and with it the weights of "
                + "the best epoch so far. Put it back.");
        before?.GoOn(Steps);
        if (Steps == 0) ForgetUntrained();
    }

    /// <summary>After a batch.</summary>
    public void AfterBatch() => before?.Take(Steps);

    /// <summary>After an epoch: keeps its weights, where they are to be kept.</summary>
    /// <param name="seen">What they come to.</param>
    public void AfterEpoch(Evaluation seen)
    {
        // Weights that give no numbers classify some images right as well. If there is another step, it says where they
        // come from.
        IsFinite = double.IsFinite(seen.Loss);
        if (!IsFinite || (areChosen && seen.Accuracy <= Accuracy)) return;
        Accuracy = seen.Accuracy;
        before = null;
        Save();
    }

    /// <summary>When the run is stopped.</summary>
    /// <returns>Which are kept, in words.</returns>
    public string Stop()
    {
        if (Accuracy is not null && (areChosen || folder.HasWeights))   // somebody may have removed or damaged them
            return areChosen ? "of the best epoch" : "of the last epoch";
        Save();
        return "of the last step";
    }

    /// <summary>When the run has ended.</summary>
    public void End()
    {
        if (!areChosen && !folder.HasWeights) Save();   // likewise
    }

    /// <summary>When the run has diverged.</summary>
    /// <returns>Which are kept, in words.</returns>
    public string Diverge()
    {
        if (before is null) return areChosen ? "of the best epoch" : "saved before";
        if (before.Restore() == 0) ForgetUntrained();
        folder.Save(model);
        return "of the step before";
    }

    // Before the first step: the numbers that were put back are those that nobody has seen a batch for.
    private void ForgetUntrained()
    {
        foreach (var statistics in Statistics.Where(statistics => Untrained.Contains(statistics.Name)))
            statistics.Forget();
    }

    private void Save()
    {
        using (fit.UseAverages()) folder.Save(model);
    }
}
