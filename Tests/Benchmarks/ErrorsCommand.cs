using System.CommandLine;
using Tapegrad.Devices;
using Tapegrad.Examples.Cifar10;
using static System.FormattableString;

namespace Tapegrad.Benchmarks;

/// <summary>
/// The command 'errors': how far the float device's convolutions are from double precision. For each shape the largest
/// error of the value and of both gradients, over the largest value that the same convolution has of the magnitudes,
/// conv(|x|, |w|): what rounding can be measured against when terms cancel.
/// </summary>
internal static class ErrorsCommand
{
    private static readonly Option<int> Batch = Options.Whole("--batch", "images; double precision takes its time", 4);

    public static void AddTo(RootCommand root)
    {
        var command = new Command("errors",
            "Prints the largest errors of float convolutions against double precision, as a table.") { Batch };
        command.SetAction(options => Run(options.GetValue(Batch)));
        root.Add(command);
    }

    private static int Run(int batch)
    {
        Console.WriteLine($"| conv3x3, batch {batch} | path | forward | input gradient | weight gradient |");
        Console.WriteLine("|---|---|---:|---:|---:|");
        foreach (var (channels, side) in KernelFigures.Convolutions)
        {
            var (image, random) = (new Shape(batch, side, side, channels), new RandomSource(1));
            Shape[] shapes = [image, new Shape(3, 3, channels, channels), image];
            float[][] operands = [.. shapes.Select((shape, i) => Tensor.Normal(shape, random.Split(i)).ToFloats())];
            float[][] magnitudes = [.. operands.Select(numbers => numbers.Select(Math.Abs).ToArray())];
            var (exact, scale) = (Convolve(Device.Reference, operands), Convolve(Device.Reference, magnitudes));
            ConvolutionPaths.ForEach(path =>
            {
                var errors = Convolve(Device.Cpu, operands)
                    .Select((result, i) =>
                        Invariant($"{Largest(result.Zip(exact[i], (a, b) => a - b)) / Largest(scale[i]):0.0e+0}"));
                Console.WriteLine($"| {channels}x{side}x{side} | {(path == "" ? "Winograd " : path)}| "
                    + $"{string.Join(" | ", errors)} |");
            });

            // The value, and the gradients of x and w, given that of y.
            double[][] Convolve(Device device, float[][] numbers)
            {
                using var use = Device.Use(device);
                using var tape = Tape.Training(random);
                var (x, w) = (tape.Watch(Tensor.From(numbers[0], image)),
                    tape.Watch(Tensor.From(numbers[1], shapes[1])));
                var y = x.Conv2d(w, padding: 1);
                return [y.ToDoubles(), .. tape.Gradients(y, [x, w], seed: Tensor.From(numbers[2], image))
                    .Select(gradient => gradient.ToDoubles())];
            }
        }
        return 0;
    }

    private static double Largest(IEnumerable<double> values) => values.Max(Math.Abs);
}
