using System.CommandLine;
using Tapegrad.Training;

namespace Tapegrad.Examples.Cifar10;

/// <summary>The option --weights of 'evaluate', 'predict' and 'export'.</summary>
internal static class Weights
{
    public static readonly Option<string?> Option = Options.Path("--weights", "a model.safetensors");

    static Weights() => Option.Required = true;

    /// <summary>The file that it names.</summary>
    /// <exception cref="UserError">There is no such file.</exception>
    public static string Of(ParseResult options)
    {
        var path = options.GetValue(Option)!;
        if (Directory.Exists(path)) throw new UserError($"--weights {path}: it is a folder. Name the file in it, such as model.safetensors.");
        return File.Exists(path) ? path : throw new UserError($"--weights: there is no file '{path}'.");
    }
}
