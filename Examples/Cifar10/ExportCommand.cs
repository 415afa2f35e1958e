using System.CommandLine;
using Tapegrad.Layers;
using Tapegrad.Onnx;
using Tapegrad.Training;

namespace Tapegrad.Examples.Cifar10;

/// <summary>The command 'export': saved weights as an ONNX file, for another runtime.</summary>
internal static class ExportCommand
{
    private const int MostSide = 1 << 14;

    private static readonly Option<string?> Out = Options.Path("--out", "the file to write, such as model.onnx");
    private static readonly Option<bool> Decompose =
        Options.Flag("--decompose", "write GroupNormalization, LayerNormalization and Gelu as simpler"
        + " operators, for runtimes that know opset 13 but not 21");
    private static readonly Option<bool> Fold =
        Options.Flag("--fold", "make each batch normalization a part of the convolution before it");
    private static readonly Option<bool> Pixels =
        Options.Flag("--pixels", "the file takes pixels from 0 to 1, and normalizes them itself;"
        + " without it, it takes what the network takes: (pixel - input_mean) / input_std, which are in the file's "
        + "metadata");
    private static readonly Option<string?> Size = new("--size")
    {
        Description = "height x width of an image, such as 32x32 [default: that of the images that it was trained on]",
        HelpName = "size",
    };

    public static void AddTo(RootCommand root)
    {
        Out.Required = true;
        var command = new Command("export",
            "Writes saved weights as an ONNX file: float images [N, channels, height, width] to one score"
            + " a class, for any N.")
        {
            Weights.Option, Out, Decompose, Fold, Pixels, Size,
        };
        command.SetAction(options =>
            Run(Weights.Of(options), options.GetValue(Out)!, options.GetValue(Size), options.GetValue(Pixels),
            options.GetValue(Decompose), options.GetValue(Fold)));
        root.Add(command);
    }

    private static int Run(string weights, string file, string? size, bool pixels, bool decompose, bool fold)
    {
        OutputFile.Check(new Output(Out.Name, file), [".onnx"], weights);
        var network = SavedNetwork.Load(weights);
        var (model, description) = (network.Model, network.Description);
        var (height, width) = size is null
            ? description.Size
            ?? throw network.Refusal("it does not say the size of its images, or one beyond "
                + $"{InputDescription.MostSide} pixels."
                + " Give it: --size 32x32.")
            : InputDescription.ParseSize(size, MostSide)
                ?? throw new UserError($"--size '{size}': it must be height x width, such as 32x32.");
        if (pixels && description.Normalization is null)
            throw new UserError($"--pixels: {weights} does not say the input_mean and input_std of its "
                + $"{description.Channels} channels."
                + " Leave --pixels out, and normalize before.");
        InputDescription.WriteSize(model, height, width);   // what the file takes, whatever it was trained on
        var channels = description.Channels;
        var exporter = new OnnxExporter
        {
            Decompose = decompose,
            Fold = fold,
            Pixels = pixels ? description.Normalization : null
        };
        var takes = pixels ? "pixels from 0 to 1" : description.Normalization is not null
            ? "images normalized by input_mean and input_std"
            : "images normalized as in training; the file does not say how, as the weights do not";
        return network.Use(height, width, () =>
        {
            exporter.Write(file, model, new Shape(height, width, channels));
            Console.WriteLine($"{file}: takes {takes}, float [N, {channels}, {height}, {width}]");
            return 0;
        });
    }
}
