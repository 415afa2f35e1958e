using System.CommandLine;
using Tapegrad.Devices;
using Tapegrad.Examples.Cifar10;
using Tapegrad.Training;
using static System.FormattableString;

namespace Tapegrad.Benchmarks;

/// <summary>
/// The command 'threads': what several threads bring to small, middling and large shapes of each kind of work. Nothing
/// should become slower than on one.
/// </summary>
internal static class ThreadsCommand
{
    private static readonly Option<double> Seconds = Options.Number("--seconds", "time for each figure", 0.5,
        (0, 3600));
    private static readonly RandomSource Random = new(1);

    public static void AddTo(RootCommand root)
    {
        var command = new Command("threads",
            "Prints what small and large operations take on one thread and on several, as a table.")
        {
            Seconds, ThreadsOption.Threads,
        };
        command.SetAction(Run);
        root.Add(command);
    }

    private static int Run(ParseResult options)
    {
        ThreadsOption.Apply(options);
        var (threads, clock) = (Workers.Threads, new Clock(options.GetValue(Seconds) / 4));
        Console.WriteLine($"| operation | input | 1 thread, us | {threads} threads, us | ratio |");
        Console.WriteLine("|---|---|---:|---:|---:|");
        foreach (var (name, input, work) in Works())
        {
            var best = new double[] { double.MaxValue, double.MaxValue };
            for (var turn = 0; turn < 4; turn++)   // in turns: a neighbour's work hits both
            {
                Workers.Threads = turn % 2 == 0 ? 1 : threads;
                best[turn % 2] = Math.Min(best[turn % 2], 1e6 * clock.Best(() =>
                {
                    using var scope = new Scope();
                    work();
                }));
            }
            Console.WriteLine(
                Invariant($"| {name} | {input} | {best[0]:F2} | {best[1]:F2} | {best[0] / best[1]:F2} |"));
        }
        Workers.Threads = threads;
        return 0;
    }

    private static IEnumerable<(string Name, string Input, Func<Tensor> Work)> Works()
    {
        foreach (var (batch, side, channels) in ((int, int, int)[])[(1, 4, 8), (1, 8, 16), (1, 32, 16), (8, 8, 64),
            (128, 32, 16)])
        {
            Tensor Images(int seed) => Tensor.Normal(new Shape(batch, side, side, channels), Random.Split(seed)).Keep();
            var (x, y) = (Images(0), Images(1));
            var w = Tensor.Normal(new Shape(3, 3, channels, channels), Random).Keep();
            var (gamma, input) = (Tensor.Ones(new Shape(channels)).Keep(), $"{x.Shape}");
            yield return ("relu", input, x.Relu);
            yield return ("add", input, () => x + y);
            yield return ("sum over all but channels", input, () => x.Sum([0, 1, 2]));
            yield return ("normalize each sample", input, () => x.Normalize(new Sharing(false, true, 1), 1e-5, gamma));
            yield return ("normalize over the batch", input, () =>
                x.Normalize(new Sharing(true, true, channels), 1e-5, gamma));
            yield return ("max pool 2x2", input, () => x.MaxPool2d(2));
            yield return ("convolution 3x3", input, () => x.Conv2d(w, padding: 1));
            yield return ("permute to NCHW", input, () => x.Permute(0, 3, 1, 2));
        }
        foreach (var (rows, inner, columns) in ((int, int, int)[])[(8, 16, 10), (128, 64, 10), (64, 64, 64),
            (256, 256, 256)])
        {
            var (a, b) = (Tensor.Normal(new Shape(rows, inner), Random).Keep(),
                Tensor.Normal(new Shape(inner, columns), Random).Keep());
            yield return ("matrix product", $"{a.Shape} {b.Shape}", () => a.MatrixProduct(b));
        }
    }
}
