using System.CommandLine;
using Tapegrad.Datasets;
using Tapegrad.Layers;
using Tapegrad.Layers.Files;
using Tapegrad.Training;

namespace Tapegrad.Examples.Cifar10;

/// <summary>
/// The command 'convert': weights from PyTorch as a model of this program, and weights from one format of files to
/// another.
/// </summary>
internal static class ConvertCommand
{
    private static readonly Option<string?> From =
        Options.Path("--from", "the file to read: .safetensors, .npz or .npy");
    private static readonly Option<string?> To = Options.Path("--to", "the file to write: .safetensors, .npz or .npy");
    private static readonly Option<string?> Model = new("--model")
    {
        Description =
            "the network that the weights are of, in PyTorch's names: then a .safetensors file is one that 'export' "
            + "takes, and with --data also 'evaluate' and 'predict'",
        HelpName = "network",
    };
    private static readonly Option<string> Norm =
        Options.Choice("--norm", "its normalization, as of 'train'", "batch", ModelSpec.IsNormalization,
            TrainOptions.NormalizationNames);
    private static readonly Option<int?> Classes =
        Options.Limit("--classes", "its outputs [default: as many as --data has, or 10]");
    private static readonly Option<int?> Channels =
        Options.Limit("--channels", "those of its images [default: as many as --data has, or 3]");
    private static readonly Option<string?> Data =
        Options.Path("--data",
            "the images that it was trained on, as of 'train': their classes' names, size, mean and deviation are noted");
    private static readonly Option<string?> Mean =
        Numbers("--mean", "that it was trained with, of pixels from 0 to 1, where it is not the data's");
    private static readonly Option<string?> Std = Numbers("--std", "likewise the standard deviation");
    private static readonly Option[] OfItsImages = [Data, TrainOptions.Size, Mean, Std];
    private static readonly Option[] OfANetwork = [Norm, Classes, Channels, .. OfItsImages];

    public static void AddTo(RootCommand root)
    {
        From.Required = To.Required = true;
        var command = new Command("convert",
            "Makes weights from PyTorch (a state_dict as safetensors, or its arrays by NumPy's savez) a model of"
            + " this program; or, without --model, copies arrays from one format to another.") { From, To, Model };
        foreach (var option in OfANetwork) command.Add(option);
        command.SetAction(options => Run(options, options.GetValue(From)!, options.GetValue(To)!));
        root.Add(command);
    }

    private static int Run(ParseResult options, string from, string to)
    {
        Weights.CheckFile(From.Name, from);
        OutputFile.Check(new Output(To.Name, to), [".safetensors", ".npz", ".npy"], from);
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
            throw new UserError($"--to {to}: a .npy file holds one array, and a network has many. Name a .safetensors "
                + "or a .npz file.");
        var toArrays = to.EndsWith(".npz", StringComparison.OrdinalIgnoreCase);
        if (toArrays && OfItsImages.FirstOrDefault(option => TrainOptions.IsGiven(options, option)) is { } lost)
            throw new UserError($"{lost.Name}: a .npz file keeps nothing of the images. Name a .safetensors file with "
                + "--to, or leave it out.");
        var images = ImagesOf(options, new Output(To.Name, to));
        var (classes, channels) = (options.GetValue(Classes) ?? images?.Classes ?? 10, options.GetValue(Channels)
            ?? images?.Channels ?? 3);
        if (images is not null && (classes, channels) != (images.Classes, images.Channels))
            throw new UserError($"--data {options.GetValue(Data)}: it has {images.Classes} classes and "
                + $"{images.Channels} channels, not the {classes} and {channels} of --classes and --channels.");
        KnownElsewhere.Notice(name);
        var model = new ModelSpec(name, options.GetValue(Norm)!, classes, Inputs: channels).Build(seed: 0);
        if (images is not null) InputDescription.Write(model, images);
        CheckDescription(from, model);
        var report = StateDict.Load(model, from, partial: true);
        if (!report.IsComplete)
            throw new UserError($"{report.Differences} Here is --model {name} --norm {options.GetValue(Norm)}. Nothing "
                + "was written.");
        Console.WriteLine(report);
        if (toArrays) StateDict.Save(model, to);
        else model.Save(to);
        Console.WriteLine($"{to}: {name} with {model.Metadata["normalization"]}, "
            + $"{model.State.Sum(parameter => (long)parameter.Shape.Count)} numbers");
    }

    // A file of this program says what its numbers are of; other normalizations can have the same names and shapes.
    private static void CheckDescription(string from, Module model)
    {
        if (!from.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase)) return;
        using var file = SafetensorsFile.Open(from);
        foreach (var key in (string[])["architecture", "normalization"])
            if (file.Metadata.TryGetValue(key, out var said) && said != model.Metadata[key])
                throw new UserError($"--from {from}: its {key} is '{said}', not '{model.Metadata[key]}'. Give --model "
                    + "and --norm as it says.");
    }

    private static ImageDataset? ImagesOf(ParseResult options, Output output)
    {
        var (data, mean, std) = (options.GetValue(Data), options.GetValue(Mean), options.GetValue(Std));
        if (data is null)
            return mean is null && std is null && !TrainOptions.IsGiven(options, TrainOptions.Size) ? null
                : throw new UserError(
                    "--mean, --std and --size say how --data is used. Give --data, or leave them out.");
        var (images, _, _) = DataSource.Find(data, download: false, shapes: false, int.MaxValue, int.MaxValue,
            options.GetValue(TrainOptions.Size) ?? Recipe.UsualSize, [output]);
        TrainOptions.RefuseIdle(options, TrainOptions.Size, !images.IsResized,
            $"the images of {images.Name} have a size already; only those of a folder get one.");
        if (mean is null && std is null) return images;
        var (means, deviations) = InputDescription.ParseNormalization(mean, std, images.Channels)
            ?? throw new UserError(
            $"--mean {mean ?? "(not given)"} --std {std ?? "(not given)"}: each must be {images.Channels} numbers with "
                + "commas between them, and the deviations above 0.");
        return images.NormalizedBy(means, deviations);
    }

    private static Option<string?> Numbers(string name, string description) =>
        new(name) { Description = description, HelpName = "number,.." };

    private static void Copy(ParseResult options, string from, string to)
    {
        if (OfANetwork.FirstOrDefault(option => TrainOptions.IsGiven(options, option)) is { } idle)
            throw new UserError($"{idle.Name}: it says more of the network that --model names. Give --model, or leave "
                + "it out.");
        if (Path.GetExtension(from).Equals(Path.GetExtension(to), StringComparison.OrdinalIgnoreCase))
            throw new UserError($"--to {to}: {from} is in this format already. To make a network of it, name it with "
                + "--model.");
        var arrays = ArrayFile.Read(from);
        ArrayFile.Write(to, arrays);
        Console.WriteLine($"{to}: {arrays.Count} arrays, {arrays.Sum(array => (long)array.Shape.Count)} numbers; the "
            + "names and the numbers, without what else a file may say of its network");
    }
}
