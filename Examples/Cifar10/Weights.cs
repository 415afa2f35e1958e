using System.CommandLine;
using Tapegrad.Training;

namespace Tapegrad.Examples.Cifar10;

/// <summary>The option --weights of 'evaluate', 'predict' and 'export'.</summary>
internal static class Weights
{
    public static readonly Option<string?> Option = Options.Path("--weights", "a model.safetensors");

    static Weights() => Option.Required = true;

    /// <summary>The file that it names, which a network can be read from.</summary>
    /// <exception cref="UserError">There is no such file, or it is of a kind that holds arrays and no
    /// network.</exception>
    public static string Of(ParseResult options)
    {
        var path = options.GetValue(Option)!;
        CheckNetwork(Option.Name, path);
        return path;
    }

    /// <summary>Checks that a file is there, and of no kind that holds arrays and no network.</summary>
    /// <exception cref="UserError">It is not so.</exception>
    public static void CheckNetwork(string option, string path)
    {
        CheckFile(option, path);
        var ending = Path.GetExtension(path).ToLowerInvariant();
        if (ending is ".pt" or ".pth" or ".ckpt" or ".pkl")
            throw new UserError($"{option} {path}: such files of PyTorch are pickles, which are programs, and none is "
                + "run here. Save the weights in Python: safetensors.torch.save_file(model.state_dict(), "
                + "\"torch.safetensors\"); then 'convert --from torch.safetensors --model NETWORK --norm NORMALIZATION "
                + "--to model.safetensors' makes a network of them.");
        if (ending is ".npz" or ".npy")
            throw new UserError($"{option} {path}: it holds arrays, and does not say of which network. 'convert --from "
                + $"{path} --model NETWORK"
                + " --norm NORMALIZATION --to model.safetensors' makes one of them.");
    }

    /// <summary>Checks that there is such a file.</summary>
    /// <exception cref="UserError">There is none.</exception>
    public static void CheckFile(string option, string path)
    {
        if (Directory.Exists(path))
            throw new UserError($"{option} {path}: it is a folder. Name the file in it, such as model.safetensors.");
        if (!File.Exists(path)) throw new UserError($"{option}: there is no file '{path}'.");
    }
}
