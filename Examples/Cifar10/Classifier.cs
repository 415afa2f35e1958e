using Tapegrad.Datasets;
using Tapegrad.Datasets.Images;

namespace Tapegrad.Examples.Cifar10;

/// <summary>A class, and how probable a network finds it.</summary>
internal sealed record Guess(string Class, double Probability);

/// <summary>A network from a file, with all that the file says of its inputs: takes image files to probabilities.</summary>
internal sealed class Classifier
{
    private const string Remedy = "To note them in weights from elsewhere: convert --data, with the images that they were trained on.";

    private readonly SavedNetwork network;
    private readonly string[] names;
    private readonly int side, channels;
    private readonly (double[] Mean, double[] Std) normalization;

    /// <exception cref="UserError">There is no such file, or it does not say enough of its inputs.</exception>
    public Classifier(string weights)
    {
        network = new SavedNetwork(weights);
        var description = network.Description;
        names = description.ClassNames ?? throw network.Refusal($"it does not say the names of its classes. {Remedy}");
        normalization = description.Normalization
            ?? throw network.Refusal($"it does not say the mean and the deviation of its inputs. {Remedy}");
        channels = description.Channels;
        (var height, side) = description.Size
            ?? throw network.Refusal($"it does not say the size of its images, or one beyond {InputDescription.MostSide} pixels.");
        if (height != side || channels is not (1 or 3))
            throw network.Refusal($"its images are {height}x{side} with {channels} channels; files become squares in grey or colour.");
    }

    /// <summary>Reads an image and classifies it.</summary>
    /// <exception cref="InvalidDataException">The file is no image that is read.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public IEnumerable<Guess> Classify(string path)
    {
        var picture = ImageFile.Read(path).WithChannels(channels).Square(side);
        var dataset = new ImageDataset(path, picture.Pixels, [0], (side, side, channels), names, normalization.Mean, normalization.Std);
        using var scope = new Scope();
        var logits = network.Use(side, side, () => network.Model.Apply(dataset.InOrder(1).Single().Images));
        return names.Zip(logits.LogSoftmax().Exp().ToDoubles(), (name, probability) => new Guess(name, probability));
    }
}
