using System.CommandLine;
using Tapegrad.Examples.Cifar10;
using Tapegrad.Layers;
using Tapegrad.Training;
using static System.FormattableString;

namespace Tapegrad.Benchmarks;

/// <summary>
/// The command 'scaling': whether the cost of a training step grows in line with its work, as the network becomes wider
/// and deeper.
/// </summary>
internal static class ScalingCommand
{
    private static readonly Option<int> Batch = Options.Whole("--batch", "images a step", 128);
    private static readonly Option<double> Seconds = Options.Number("--seconds", "time for each network", 4, (0, 3600));

    public static void AddTo(RootCommand root)
    {
        var command =
            new Command("scaling", "Prints the cost of a training step at several widths and depths, as a table.")
        {
            Batch, Seconds, ThreadsOption.Threads,
        };
        command.SetAction(Run);
        root.Add(command);
    }

    private static int Run(ParseResult options)
    {
        ThreadsOption.Apply(options);
        var (batch, clock) = (options.GetValue(Batch), new Clock(options.GetValue(Seconds)));
        Console.WriteLine(
            "| depth | width | parameters | MFLOP an image | ms a step | us an image | ps a FLOP | GF/s |");
        Console.WriteLine("|---:|---:|---:|---:|---:|---:|---:|---:|");
        foreach (var (depth, width) in ((int, int)[])[(20, 8), (20, 16), (20, 32), (20, 64), (32, 16), (44, 16),
            (56, 16)])
        {
            Module Create() => ResNet.Cifar(depth, Normalizations.Parse("batch"), classes: 10, seed: 1, width: width);
            var model = Create();
            // one to look into, one to time
            var (flops, count) = (StepFlops(Create()), model.Parameters.Sum(parameter => (double)parameter.Count));
            var seconds = clock.Best(new Training(model, batch).Step);
            var work = flops * batch;
            Console.WriteLine(
                Invariant($"| {depth} | {width} | {count:N0} | {flops / 1e6:F1} | {1e3 * seconds:F1} | {1e6 * seconds / batch:F1} | ")
                + Invariant($"{1e12 * seconds / work:F2} | {work / seconds / 1e9:F1} |"));
        }
        return 0;
    }

    // What direct convolutions and the linear layer multiply and add for one image: the value, and as much for the
    // gradient of the input and for that of the weight; but nobody asks for the gradient of the image itself.
    private static double StepFlops(Module model)
    {
        var products = new List<double>();
        foreach (var module in model.Modules)
            if (module is Conv2d or Linear)
                module.AfterApply += (layer, y) => products.Add((double)layer.State[0].Count * y.Count / y.Shape[-1]);
        using (var tape = Tape.Training(new RandomSource(1))) model.Apply(Tensor.Zeros(new Shape(1, 32, 32, 3)));
        return 2 * (3 * products.Sum() - products[0]);
    }
}
