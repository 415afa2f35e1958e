using System.Globalization;
using Tapegrad.Datasets;

namespace Tapegrad.Examples.Cifar10;

/// <summary>An image that was taken for another class, and how sure the network was of that.</summary>
internal sealed record Mistake(int Image, int Taken, double Probability);

/// <summary>Notes which images a network gets wrong while it is evaluated.</summary>
internal sealed class Mistakes(ImageDataset dataset)
{
    private readonly List<Mistake> mistakes = [];

    /// <summary>How many images were looked at.</summary>
    public int Seen { get; private set; }

    /// <summary>Those that the network was surest of first.</summary>
    public IEnumerable<Mistake> All => mistakes.OrderByDescending(mistake => mistake.Probability);

    /// <summary>Looks at the next images' logits, in the dataset's order, and hands them on.</summary>
    public Tensor Watch(Tensor logits)
    {
        var (probabilities, classes) = (logits.LogSoftmax().Exp().ToFloats(), logits.Shape[1]);
        foreach (var (row, taken) in Evaluation.Predictions(logits).Index())
        {
            if (taken != dataset.Labels[Seen])
                mistakes.Add(new Mistake(Seen, taken, probabilities[row * classes + taken]));
            Seen++;
        }
        return logits;
    }

    /// <summary>A table: the image, its class, what it was taken for, and how probable that seemed.</summary>
    public string ToCsv() =>
        Csv.Of(["image", "class", "taken for", "probability"],
            All.Select(mistake => (string[])[dataset.Source(mistake.Image),
        dataset.ClassNames[dataset.Labels[mistake.Image]], dataset.ClassNames[mistake.Taken],
        mistake.Probability.ToString("F4", CultureInfo.InvariantCulture)]));
}
