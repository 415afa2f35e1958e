using Tapegrad.Datasets;
using Tapegrad.Datasets.Images;

namespace Tapegrad.Training;

/// <summary>A class, and how probable a network finds it.</summary>
/// <param name="Class">Its name.</param>
/// <param name="Probability">From 0 to 1.</param>
public sealed record Prediction(string Class, double Probability);

/// <summary>
/// A network from a file, with all that the file says of its inputs: from pictures of any size to the probabilities of
/// named classes.
/// <code>
/// var classifier = Classifier.Load("model.safetensors");
/// var best = classifier.Classify("tom.jpg").MaxBy(prediction => prediction.Probability);
/// </code>
/// </summary>
public sealed class Classifier
{
    private const string Remedy =
        "In weights from elsewhere, 'convert --data FOLDER' notes them, of the images that they were trained on.";

    private readonly SavedNetwork network;
    private readonly string[] names;
    private readonly int side, channels;
    private readonly (double[] Mean, double[] Std) normalization;

    private Classifier(SavedNetwork network)
    {
        this.network = network;
        var description = network.Description;
        names = description.ClassNames ?? throw network.Refusal($"it does not say the names of its classes. {Remedy}");
        normalization = description.Normalization
            ?? throw network.Refusal($"it does not say the mean and the deviation of its inputs. {Remedy}");
        channels = description.Channels;
        (var height, side) = description.Size
            ?? throw network.Refusal("it does not say the size of its images, or one beyond "
                + $"{InputDescription.MostSide} pixels.");
        if (height != side || channels is not (1 or 3))
            throw network.Refusal($"its images are {height}x{side} with {channels} channels; files become squares in "
                + "grey or colour.");
        using var scope = new Scope();
        network.Use(side, side, () => network.Model.Apply(Tensor.Zeros(new Shape(1, side, side, channels))));
    }

    /// <summary>Reads a network.</summary>
    /// <exception cref="InvalidDataException">The file holds no network, does not say enough of its inputs, or the
    /// network does not take them.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static Classifier Load(string path) => new(SavedNetwork.Load(path));

    /// <summary>The names of the classes, in the order of the network's outputs.</summary>
    public IReadOnlyList<string> ClassNames => names;

    /// <summary>Reads an image file and classifies it.</summary>
    /// <returns>A prediction for each class, in the order of the network's outputs.</returns>
    /// <exception cref="InvalidDataException">The file is no image that is read, or the scores of its classes are not
    /// finite.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    /// <exception cref="InvalidOperationException">A training tape is open.</exception>
    public IReadOnlyList<Prediction> Classify(string path) => Classify(ImageFile.Read(path));

    /// <summary>Classifies the square in the middle of a picture.</summary>
    /// <returns>A prediction for each class, in the order of the network's outputs.</returns>
    /// <exception cref="InvalidDataException">The scores of the classes are not finite.</exception>
    /// <exception cref="InvalidOperationException">A training tape is open.</exception>
    public IReadOnlyList<Prediction> Classify(Picture picture)
    {
        using var _ = TapePause.ForEvaluation("classify");
        var square = picture.WithChannels(channels).Square(side);
        var dataset = new ImageDataset("a picture", square.Pixels, [0], (side, side, channels), names,
            normalization.Mean, normalization.Std);
        using var scope = new Scope();
        var logits = network.Model.Apply(dataset.InOrder(1).Single().Images);
        if (!logits.ToDoubles().All(double.IsFinite))
            throw network.Refusal("its scores are not finite; were its weights?");
        return [.. names.Zip(logits.LogSoftmax().Exp().ToDoubles(), (name, probability) =>
            new Prediction(name, probability))];
    }
}
