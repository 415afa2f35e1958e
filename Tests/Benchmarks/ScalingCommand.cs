using System.CommandLine;
using ScottPlot;
using Tapegrad.Devices;
using Tapegrad.Examples.Cifar10;
using Tapegrad.Layers;
using Tapegrad.Training;
using static System.FormattableString;

namespace Tapegrad.Benchmarks;

/// <summary>
/// The command 'scaling': whether the cost of a training step grows in line with its work, as the network becomes wider
/// and deeper, as there are more images in a batch, and how it falls with more threads.
/// </summary>
internal static class ScalingCommand
{
    private const int MostThreads = 64;

    private static readonly Option<int> Batch = Options.Whole("--batch", "images a step", 128);
    private static readonly Option<int> MostImages = Options.Whole("--most", "the largest batch, of 1, 2, 4, ...", 1024);
    private static readonly Option<double> Seconds = Options.Number("--seconds", "time for each network", 4, (0, 3600));

    private static readonly Option<string?> PlotFile = new("--plot")
    {
        Description = "writes the times against the work, as SVG",
    };

    // A step, measured: what it is called, its work, and its time.
    private sealed record Point(string Series, double Flops, double Seconds);

    public static void AddTo(RootCommand root)
    {
        var command = new Command("scaling",
            "Prints the cost of a training step at several widths, depths, batches and numbers of threads, as tables.")
        {
            Batch, MostImages, Seconds, ThreadsOption.Threads, PlotFile,
        };
        command.SetAction(Run);
        root.Add(command);
    }

    private static int Run(ParseResult options)
    {
        ThreadsOption.Apply(options);
        var plot = options.GetValue(PlotFile);
        // before minutes of measuring
        if (plot is not null && !Directory.Exists(Path.GetDirectoryName(Path.GetFullPath(plot))))
            throw new UserError($"--plot {plot}: there is no folder for it. Create it first.");
        var (batch, clock) = (options.GetValue(Batch), new Clock(options.GetValue(Seconds)));
        List<Point> points = [.. MeasureNetworks(batch, clock), .. MeasureBatches(options.GetValue(MostImages), clock)];
        MeasureThreads(batch, clock);
        if (plot is not null) Plot(points, plot);
        return 0;
    }

    private static List<Point> MeasureNetworks(int batch, Clock clock)
    {
        var points = new List<Point>();
        Console.WriteLine(
            "| depth | width | parameters | MFLOP an image | ms a step | us an image | ps a FLOP | GF/s |");
        Console.WriteLine("|---:|---:|---:|---:|---:|---:|---:|---:|");
        foreach (var (depth, width) in ((int, int)[])[(20, 8), (20, 16), (20, 32), (20, 64), (32, 16), (44, 16),
            (56, 16)])
        {
            // one to look into, one to time
            var (flops, model) = (StepFlops(Create(depth, width)), Create(depth, width));
            var count = model.Parameters.Sum(parameter => (double)parameter.Count);
            var seconds = Time(model, batch, clock);
            var work = flops * batch;
            Console.WriteLine(
                Invariant($"| {depth} | {width} | {count:N0} | {flops / 1e6:F1} | {1e3 * seconds:F1} | ")
                + Invariant($"{1e6 * seconds / batch:F1} | {1e12 * seconds / work:F2} | {work / seconds / 1e9:F1} |"));
            if (depth == 20) points.Add(new("width 8 to 64", work, seconds));
            if (width == 16) points.Add(new("depth 20 to 56", work, seconds));
        }
        return points;
    }

    private static List<Point> MeasureBatches(int most, Clock clock)
    {
        var (points, flops) = (new List<Point>(), StepFlops(Create(20, 16)));
        Console.WriteLine();
        Console.WriteLine("| images a step | ms a step | us an image | GF/s |");
        Console.WriteLine("|---:|---:|---:|---:|");
        for (var batch = 1; batch <= most; batch *= 2)
        {
            var seconds = Time(Create(20, 16), batch, clock);
            Console.WriteLine(Invariant($"| {batch} | {1e3 * seconds:F1} | {1e6 * seconds / batch:F1} | ")
                + Invariant($"{flops * batch / seconds / 1e9:F1} |"));
            points.Add(new($"batch 1 to {most}", flops * batch, seconds));
        }
        return points;
    }

    private static void MeasureThreads(int batch, Clock clock)
    {
        var (all, alone) = (Workers.Threads, 0.0);
        Console.WriteLine();
        Console.WriteLine("| threads | ms a step | times as fast as one | share of each |");
        Console.WriteLine("|---:|---:|---:|---:|");
        for (var threads = 1; threads <= Math.Min(all, MostThreads); threads++)
        {
            Workers.Threads = threads;
            var seconds = Time(Create(20, 16), batch, clock);
            if (threads == 1) alone = seconds;
            Console.WriteLine(Invariant($"| {threads} | {1e3 * seconds:F1} | {alone / seconds:F2} | ")
                + Invariant($"{alone / seconds / threads:P0} |"));
        }
        Workers.Threads = all;
    }

    private static Module Create(int depth, int width) =>
        ResNet.Cifar(depth, Normalizations.Parse("batch"), classes: 10, seed: 1, width: width);

    private static double Time(Module model, int batch, Clock clock)
    {
        var seconds = clock.Best(new Training(model, batch).Step);
        Device.Cpu.Pool.Clear();   // each begins like the first, not in the memory of another one's shapes
        return seconds;
    }

    // Both axes are logarithmic: what grows in line with its work is a line like the grey ones.
    private static void Plot(List<Point> points, string file)
    {
        using var plot = new Plot();
        double Log(double value) => Math.Log10(value);
        var (least, largest) = (points.Min(point => Log(point.Flops)), points.Max(point => Log(point.Flops)));
        var best = points.Min(point => Log(point.Seconds * 1e3) - Log(point.Flops));
        for (var factor = 1; factor <= 10; factor *= 10)
        {
            var line = plot.Add.Line(least, least + best + Log(factor), largest, largest + best + Log(factor));
            (line.Color, line.LineWidth) = (Colors.LightGray, 1);
        }
        foreach (var series in points.GroupBy(point => point.Series))
        {
            var ordered = series.OrderBy(point => point.Flops).ToArray();
            var added = plot.Add.Scatter(ordered.Select(point => Log(point.Flops)).ToArray(),
                ordered.Select(point => Log(point.Seconds * 1e3)).ToArray());
            added.LegendText = series.Key;
        }
        foreach (var axis in (IAxis[])[plot.Axes.Bottom, plot.Axes.Left])
            axis.TickGenerator = new ScottPlot.TickGenerators.NumericAutomatic
            {
                IntegerTicksOnly = true,
                LabelFormatter = power => Invariant($"1e{power:F0}"),
            };
        plot.XLabel("floating-point operations of a step");
        plot.YLabel("ms");
        plot.Title("What a training step costs; grey: in line with its work");
        plot.ShowLegend(Alignment.UpperLeft);
        plot.SaveSvg(file, 900, 600);
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
