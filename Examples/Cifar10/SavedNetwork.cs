using System.CommandLine;
using Tapegrad.Layers;

namespace Tapegrad.Examples.Cifar10;

/// <summary>The network behind --weights of 'evaluate', 'predict' and 'export'.</summary>
internal sealed class SavedNetwork
{
    public static readonly Option<string?> Weights = Options.Path("--weights", "a model.safetensors");

    private readonly string path;

    static SavedNetwork() => Weights.Required = true;

    /// <exception cref="UserError">There is no such file.</exception>
    /// <exception cref="InvalidDataException">It holds no network that is known.</exception>
    public SavedNetwork(string path)
    {
        if (Directory.Exists(path)) throw new UserError($"--weights {path}: it is a folder. Name the file in it, such as model.safetensors.");
        if (!File.Exists(path)) throw new UserError($"--weights: there is no file '{path}'.");
        this.path = path;
        Model = SavedModel.Rebuild(path);
        Description = InputDescription.Of(Model);
    }

    public Module Model { get; }

    /// <summary>What the file says of the network's inputs.</summary>
    public InputDescription Description { get; }

    /// <summary>Something that the file does not allow.</summary>
    public UserError Refusal(string why) => new($"--weights {path}: {why}");

    /// <summary>Uses the network, and says of its file what cannot be done with it.</summary>
    /// <param name="height">Of the images, in pixels.</param>
    /// <param name="width">Likewise.</param>
    /// <param name="use">What gives them to the network.</param>
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
        catch (Exception e) when (e is InvalidOperationException or NotSupportedException)   // no statistics yet; too large for an ONNX file
        {
            throw Refusal(e.Message);
        }
    }
}
