using System.CommandLine;
using Tapegrad.Layers;
using Tapegrad.Layers.Formats;

namespace Tapegrad.Examples.Cifar10;

/// <summary>
/// The command 'convert': weights from PyTorch as a model of this program, and weights from one format of files to another.
/// </summary>
internal static class ConvertCommand
{
    private static readonly Option<string?> From = Options.Path("--from", "the file to read: .safetensors, .npz or .npy");
    private static readonly Option<string?> To = Options.Path("--to", "the file to write: .safetensors, .npz or .npy");
    private static readonly Option<string?> Model = new("--model")
    {
        Description = "the network that the weights are of, in PyTorch's names: then the result is one that 'evaluate' and 'export' take",
        HelpName = "network",
    };
    private static readonly Option<string> Norm =
        Options.Choice("--norm", "its normalization, as of 'train'", "batch", SavedModel.IsKnownNormalization, "normalization");
    private static readonly Option<int> Classes = Options.Whole("--classes", "its outputs", 10);
    private static readonly Option<int> Channels = Options.Whole("--channels", "those of its images", 3);

    public static void AddTo(RootCommand root)
    {
        From.Required = To.Required = true;
        var command = new Command("convert", "Makes weights from PyTorch (a state_dict as safetensors, or its arrays by NumPy's savez) a model of this"
            + " program; or, without --model, copies arrays from one format to another.") { From, To, Model, Norm, Classes, Channels };
        command.SetAction(options => Run(options, options.GetValue(From)!, options.GetValue(To)!));
        root.Add(command);
    }

    private static int Run(ParseResult options, string from, string to)
    {
        if (!File.Exists(from)) throw new UserError($"--from: there is no file '{from}'.");
        OutputFile.Check("--to", to, [".safetensors", ".npz", ".npy"], from);
        try
        {
            if (options.GetValue(Model) is { } name) Import(options, name, from, to);
            else Copy(options, from, to);
        }
        catch (ArgumentException e)   // no such network, or what the format cannot hold
        {
            throw new UserError(e.Message);
        }
        return 0;
    }

    private static void Import(ParseResult options, string name, string from, string to)
    {
        if (to.EndsWith(".npy", StringComparison.OrdinalIgnoreCase))
            throw new UserError($"--to {to}: a .npy file holds one array, and a network has many. Name a .safetensors or a .npz file.");
        var model = SavedModel.Create(name, options.GetValue(Norm)!, options.GetValue(Classes), seed: 0, inputs: options.GetValue(Channels));
        Console.WriteLine(StateDict.Load(model, from));
        if (to.EndsWith(".npz", StringComparison.OrdinalIgnoreCase)) StateDict.Save(model, to);
        else model.Save(to);
        Console.WriteLine($"{to}: {name} with {model.Metadata["normalization"]}, {model.State.Sum(parameter => (long)parameter.Shape.Count)} numbers");
    }

    private static void Copy(ParseResult options, string from, string to)
    {
        if (((Option[])[Norm, Classes, Channels]).FirstOrDefault(option => TrainOptions.IsGiven(options, option)) is { } idle)
            throw new UserError($"{idle.Name}: it says more of the network that --model names. Give --model, or leave it out.");
        if (Path.GetExtension(from).Equals(Path.GetExtension(to), StringComparison.OrdinalIgnoreCase))
            throw new UserError($"--to {to}: {from} is in this format already. To make a network of it, name it with --model.");
        var arrays = ArrayFile.Read(from);
        ArrayFile.Write(to, arrays);
        Console.WriteLine($"{to}: {arrays.Count} arrays, {arrays.Sum(array => (long)array.Shape.Count)} numbers; the names and the numbers, without what"
            + " else a file may say of its network");
    }
}
