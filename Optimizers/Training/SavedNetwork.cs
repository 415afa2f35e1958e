using Tapegrad.Datasets;
using Tapegrad.Layers;

namespace Tapegrad.Training;

/// <summary>A network from a file, with what the file says of its inputs.</summary>
public sealed class SavedNetwork
{
    private SavedNetwork(string path)
    {
        Path = path;
        Model = ModelSpec.Rebuild(path);
        Description = InputDescription.Of(Model);
    }

    /// <summary>Reads a file that <see cref="Module.Save"/> wrote.</summary>
    /// <exception cref="InvalidDataException">It holds no network that is known.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static SavedNetwork Load(string path) => new(path);

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>The network, with its weights.</summary>
    public Module Model { get; }

    /// <summary>What the file says of the network's inputs.</summary>
    public InputDescription Description { get; }

    /// <summary>Images, normalized as those that the network was trained on.</summary>
    /// <exception cref="InvalidDataException">They are of another kind or size, or of other classes; the message says
    /// in what.</exception>
    public ImageDataset Adapt(ImageDataset dataset)
    {
        if (Description.Difference(Model, dataset) is { } difference) throw Refusal(difference);
        return Description.Normalization is var (mean, std) ? dataset.NormalizedBy(mean, std) : dataset;
    }

    /// <summary>Uses the network, and says of its file what cannot be done with it.</summary>
    /// <param name="height">Of the images, in pixels.</param>
    /// <param name="width">Likewise.</param>
    /// <param name="use">What gives them to the network.</param>
    /// <exception cref="InvalidDataException">The network does not take such images, has no statistics yet, or cannot
    /// be written in a format.</exception>
    public T Use<T>(int height, int width, Func<T> use)
    {
        try
        {
            return use();
        }
        catch (ShapeException e)   // images too small for it, other channels
        {
            throw Refusal($"images of {height}x{width}: {e.Message}");
        }
        // no statistics yet; too large for an ONNX file
        catch (Exception e) when (e is InvalidOperationException or NotSupportedException)
        {
            throw Refusal(e.Message);
        }
    }

    /// <summary>Something that the file does not allow.</summary>
    public InvalidDataException Refusal(string why) => new($"{Path}: {why}");
}
