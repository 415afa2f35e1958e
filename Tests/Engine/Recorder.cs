namespace Tapegrad.Tests.Engine;

/// <summary>Statistics that write down what is committed: count, mean, variance.</summary>
internal sealed class Recorder(string name = "norm1") : IStatistics
{
    public List<(long Count, double Mean, double Variance)> Committed { get; } = [];

    public string Name => name;

    public void Commit(IPendingStatistics pending)
    {
        var moments = (Moments)pending;
        Committed.Add((moments.Count, moments.Mean.ToDouble(), moments.Variance.ToDouble()));
    }
}
