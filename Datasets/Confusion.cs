namespace Tapegrad.Datasets;

/// <summary>
/// How often images of one class were taken for another. What never happened takes no memory: of ten thousand classes
/// there are few pairs.
/// </summary>
public sealed class Confusion
{
    private readonly Dictionary<(int Actual, int Taken), int> counts = [];

    internal Confusion(int classes) => Classes = classes;

    /// <summary>The number of classes.</summary>
    public int Classes { get; }

    /// <summary>
    /// How many images of class <paramref name="actual"/> were taken for class <paramref name="taken"/>.
    /// </summary>
    public int this[int actual, int taken] => counts.GetValueOrDefault((actual, taken));

    /// <summary>Every pair that happened, right or wrong, by the actual class, then by the one taken for it.</summary>
    public IEnumerable<(int Actual, int Taken, int Count)> Pairs =>
        counts.OrderBy(pair => pair.Key).Select(pair => (pair.Key.Actual, pair.Key.Taken, pair.Value));

    /// <summary>The mistakes, the most frequent pair first.</summary>
    public IEnumerable<(int Actual, int Taken, int Count)> Mistakes =>
        Pairs.Where(pair => pair.Actual != pair.Taken).OrderByDescending(pair => pair.Count);

    /// <summary>Of each class, how many images there were, and how many were classified right.</summary>
    public IReadOnlyList<(int Images, int Right)> OfClasses()
    {
        var result = new (int Images, int Right)[Classes];
        foreach (var ((actual, taken), count) in counts)
            result[actual] = (result[actual].Images + count, result[actual].Right + (actual == taken ? count : 0));
        return result;
    }

    internal void Add(int actual, int taken) => counts[(actual, taken)] = counts.GetValueOrDefault((actual, taken)) + 1;
}
