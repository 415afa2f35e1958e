using System.CommandLine;
using Spectre.Console;
using Tapegrad.Devices;
using Tapegrad.Layers;
using Tapegrad.Training;
using static System.FormattableString;

namespace Tapegrad.Examples.Cifar10;

/// <summary>
/// The command 'profile': where the time and the memory of a training step go, by layer and operation, beside what the
/// machine allows.
/// </summary>
internal static class ProfileCommand
{
    private const double LeastSeconds = 20e-6;   // what is shorter has no rate worth reading

    private static readonly Option<int> BatchSize =
        Options.Whole("--batch", "images a step", 32, Recipe.Ranges[nameof(Recipe.BatchSize)]);
    private static readonly Option<int> Steps = Options.Whole("--steps", "steps to choose the fastest from", 10);

    public static void AddTo(RootCommand root)
    {
        var command =
            new Command("profile", "Shows where the time and the memory of a training step go, by layer and operation.")
        {
            TrainOptions.Model, TrainOptions.Norm, BatchSize, TrainOptions.Threads, Steps,
        };
        command.SetAction(Run);
        root.Add(command);
    }

    private static int Run(ParseResult options)
    {
        if (options.GetValue(TrainOptions.Threads) is { } threads) Workers.Threads = threads;
        var architecture = options.GetValue(TrainOptions.Model)!;
        var normalization = options.GetValue(TrainOptions.Norm)
            ?? ModelSpec.UsualTraining(architecture).Normalization;
        var (batch, steps) = (options.GetValue(BatchSize), options.GetValue(Steps));
        var profile = StepProfile.Fastest(Create(architecture, normalization), batch, steps);
        var ceiling = Ceiling.Measure(0.3);

        Console.WriteLine($"{architecture} with {normalization} normalization, {Display.Count(batch, "image")} of "
            + $"32x32, {Display.Count(Workers.Threads, "thread")}");
        Console.WriteLine(
            Invariant($"the fastest of {steps} steps: {Milliseconds(profile.Seconds)} ms, {batch / profile.Seconds:F0} images/s"));
        Console.WriteLine(Invariant($"memory: at most {profile.PeakBytes / 1e6:F0} MB beside the parameters"));
        Console.WriteLine(Invariant($"the machine: {ceiling.GigaflopsPerSecond:F0} GF/s of fused multiply-adds, ")
            + Invariant($"{ceiling.GigabytesPerSecond:F0} GB/s of copying"));
        AnsiConsole.Write(Layers(profile));
        AnsiConsole.Write(Operations(profile, ceiling));
        Console.WriteLine("""
            Times in ms. An operation's time runs from the end of the one before it to its
            own, what lies between them included; so the rows add up to the step. GF/s
            count a direct convolution's work, whatever the kernel saves of it; GB/s count
            every operand read and every result written once, from wherever it lies, cache
            or memory. MB: memory taken going forward, and kept for the sweep.
            """);
        return 0;
    }

    private static Module Create(string architecture, string normalization)
    {
        KnownElsewhere.Notice(architecture);
        try
        {
            return new ModelSpec(architecture, normalization).Build(seed: 1);
        }
        catch (ArgumentException e)   // for instance three groups for sixteen channels
        {
            throw new UserError($"--model {architecture} --norm {normalization}: {e.Message}");
        }
    }

    private static Table Layers(StepProfile profile)
    {
        var table = New("layer", "operation", "forward", "rate", "backward", "rate", "", "MB");
        foreach (var row in profile.Rows)
            table.AddRow(Markup.Escape(row.Layer), row.Operation, Milliseconds(row.Forward.Seconds), Rate(row.Forward),
                Milliseconds(row.Backward.Seconds), Rate(row.Backward), Unit(row.Forward, row.Backward),
                Megabytes([row]));
        return table;
    }

    private static Table Operations(StepProfile profile, Ceiling ceiling)
    {
        var table = New("operation, all layers", "forward", "backward", "of step", "rate", "", "of machine", "MB");
        foreach (var rows in profile.Rows.GroupBy(row => row.Operation))
        {
            var (forward, backward) = (Sum(rows.Select(row => row.Forward)), Sum(rows.Select(row => row.Backward)));
            var both = forward + backward;
            var fastest = both.Flops / (1e9 * ceiling.GigaflopsPerSecond)
                + both.Bytes / (1e9 * ceiling.GigabytesPerSecond);
            table.AddRow(rows.Key, Milliseconds(forward.Seconds), Milliseconds(backward.Seconds),
                Percent(both.Seconds / profile.Seconds), Rate(both), Unit(both), Rate(both) == "" ? ""
                : Percent(fastest / both.Seconds), Megabytes(rows));
        }
        foreach (var (name, seconds) in ((string, double)[])[("optimizer's step", profile.OptimizerSeconds),
            ("not attributed", profile.RestSeconds)])
            table.AddRow(name, "", Milliseconds(seconds), Percent(seconds / profile.Seconds));
        var allForward = Sum(profile.Rows.Select(row => row.Forward)).Seconds;
        table.AddRow("the step", Milliseconds(allForward), Milliseconds(profile.Seconds - allForward), Percent(1),
            "", "", "", Megabytes(profile.Rows));
        return table;
    }

    // The columns of text come first; numbers stand to the right.
    private static Table New(params string[] columns)
    {
        var table = new Table { Border = TableBorder.Simple };
        foreach (var name in columns)
            table.AddColumn(new TableColumn(name)
            {
                Alignment = name is "layer" or "" || name.StartsWith("operation", StringComparison.Ordinal)
                    ? Justify.Left : Justify.Right,
                NoWrap = true,
                Padding = new Padding(0),
            });
        return table;
    }

    private static string Milliseconds(double seconds) => Invariant($"{1e3 * seconds:F2}");

    private static string Percent(double share) => Invariant($"{100 * share:F1}%");

    /// <summary>In thousand millions a second; nothing where there is no rate worth reading.</summary>
    internal static string Rate(Cost cost)
    {
        var rate = (cost.Flops + cost.Bytes) / cost.Seconds / 1e9;
        if (cost.Seconds < LeastSeconds || rate < 0.05) return "";
        return rate < 9.95 ? Invariant($"{rate:F1}") : Invariant($"{rate:F0}");
    }

    private static string Unit(params Cost[] costs) =>
        costs.All(cost => Rate(cost) == "") ? "" : costs[0].Flops > 0 ? "GF/s" : "GB/s";

    /// <summary>
    /// What rows keep; none where an operation gives back more of what stood before it than it takes.
    /// </summary>
    internal static string Megabytes(IEnumerable<ProfileRow> rows) =>
        Invariant($"{Math.Round(Math.Max(0, rows.Sum(row => row.Kept)) / 1e6, 1):F1}");

    private static Cost Sum(IEnumerable<Cost> costs) => costs.Aggregate((a, b) => a + b);
}
