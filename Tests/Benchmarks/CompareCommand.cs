using System.CommandLine;
using System.Text.Json;
using Tapegrad.Examples.Cifar10;
using static System.FormattableString;

namespace Tapegrad.Benchmarks;

/// <summary>
/// The command 'compare': figures of this library beside those of others that did the same work, as a table in
/// Markdown, ratio first. Above 1 this library is better: faster, or content with less. Of the others, and of their two
/// layouts of images, the best figure counts. With several rounds, the ratio is the median over the rounds, beside the
/// lowest and the highest, and the figures are those of the round whose ratio it is: programs measured in one minute
/// belong together.
/// </summary>
internal static class CompareCommand
{
    private const string Unnamed = "there";
    private static readonly string[] Layouts = ["nchw", "nhwc"];
    private static readonly string[] SmallerIsBetter = ["ms", "ns/element", "MB", "KB"];

    private static readonly Option<int> Peers = Options.Whole("--peers", "other programs in each round", 1);

    private static readonly Argument<string[]> Files = new("files")
    {
        Description = "what 'peer' printed, what the others printed; and so on for each round",
    };

    /// <summary>What one program printed.</summary>
    /// <param name="Name">Of the program and its version, where it says so.</param>
    /// <param name="Values">By the figure's name.</param>
    private sealed record Printed(string Name, Dictionary<string, double> Values);

    private sealed record Round(Printed Ours, Printed[] Theirs);

    // A figure in one round; what a peer did not measure is null.
    private sealed record Compared(double Ratio, double Ours, double?[] Theirs, string Layout);

    public static void AddTo(RootCommand root)
    {
        var command = new Command("compare", "Prints the ratios of programs' figures as a table.") { Files, Peers };
        command.SetAction(options => Run(options.GetValue(Files)!, options.GetValue(Peers)));
        root.Add(command);
    }

    private static int Run(string[] files, int peers)
    {
        if (files.Length == 0 || files.Length % (1 + peers) != 0)
            throw new UserError($"compare: {files.Length} files: give {1 + peers} for each round, first this "
                + "library's, then the others'. --peers says how many others there are.");
        var rounds = files.Chunk(1 + peers)
            .Select(round => new Round(Read(round[0]), [.. round[1..].Select(Read)])).ToArray();
        foreach (var (ours, theirs) in rounds)
            if (theirs.Any(their => their.Values.GetValueOrDefault("threads")
                != ours.Values.GetValueOrDefault("threads")))
                throw new UserError("compare: the programs had different numbers of threads.");
        var names = rounds.SelectMany(round => round.Ours.Values.Keys).Distinct().Where(name => name != "threads")
            .ToArray();
        var compared = names.ToDictionary(name => name,
            name => rounds.Select(round => Compare(name, round)).OfType<Compared>().OrderBy(one => one.Ratio)
                .ToArray());

        var columns = Enumerable.Range(0, peers).Select(peer =>
            rounds.Select(round => round.Theirs[peer].Name).FirstOrDefault(name => name != Unnamed, Unnamed));
        Console.WriteLine($"| ratio | lowest to highest | figure | here | {string.Join(" | ", columns)} | layout |");
        Console.WriteLine($"|---:|---:|---|---:|{string.Concat(Enumerable.Repeat("---:|", peers))}---|");
        foreach (var name in names.Where(name => compared[name].Length > 0))
        {
            var sorted = compared[name];
            var median = sorted[(sorted.Length - 1) / 2];
            Console.WriteLine(
                Invariant($"| **{median.Ratio:F2}** | {sorted[0].Ratio:F2} to {sorted[^1].Ratio:F2} | {name} | ")
                + Invariant($"{median.Ours} | ")
                + string.Concat(median.Theirs.Select(their => Invariant($"{their} | "))) + $"{median.Layout} |");
        }
        Console.WriteLine();
        Console.WriteLine("| lowest to highest | figure without a peer |");
        Console.WriteLine("|---:|---|");
        foreach (var name in names.Where(name => compared[name].Length == 0))
        {
            var values = rounds.Where(round => round.Ours.Values.ContainsKey(name))
                .Select(round => round.Ours.Values[name]).ToArray();
            Console.WriteLine(Invariant($"| {values.Min()} to {values.Max()} | {name} |"));
        }
        return 0;
    }

    private static Compared? Compare(string name, Round round)
    {
        if (!round.Ours.Values.TryGetValue(name, out var here)) return null;
        var isSmallerBetter = SmallerIsBetter.Contains(name.Split(' ')[^1]);
        var best = round.Theirs.Select(their => Best(name, their, isSmallerBetter)).ToArray();
        if (best.OfType<(double Value, string Layout)>().ToArray() is not { Length: > 0 } found) return null;
        var (value, layout) = isSmallerBetter ? found.MinBy(one => one.Value) : found.MaxBy(one => one.Value);
        return new Compared(isSmallerBetter ? value / here : here / value, here,
            [.. best.Select(one => one?.Value)], layout);
    }

    // The better of a peer's layouts. What is computed without Winograd's algorithm has the same peer as with it.
    private static (double Value, string Layout)? Best(string name, Printed printed, bool isSmallerBetter)
    {
        var wanted = name.Replace(" direct ", " ");
        var all = printed.Values.Where(figure => WithoutLayout(figure.Key) == wanted)
            .Select(figure => (figure.Value, LayoutOf(figure.Key))).ToArray();
        return all.Length == 0 ? null : isSmallerBetter ? all.MinBy(one => one.Value) : all.MaxBy(one => one.Value);
    }

    private static string LayoutOf(string name) => Layouts.FirstOrDefault(layout => name.Contains($" {layout} ")) ?? "";

    private static string WithoutLayout(string name) =>
        Layouts.Aggregate(name, (rest, layout) => rest.Replace($" {layout} ", " "));

    // The name is the first text: "torch": "1.13".
    private static Printed Read(string file)
    {
        try
        {
            using var json = JsonDocument.Parse(File.ReadAllText(file));
            var all = json.RootElement.EnumerateObject().ToArray();
            var name = all.Where(one => one.Value.ValueKind == JsonValueKind.String)
                .Select(one => $"{one.Name} {one.Value.GetString()}").FirstOrDefault(Unnamed);
            return new Printed(name, all.Where(one => one.Value.ValueKind == JsonValueKind.Number)
                .ToDictionary(one => one.Name, one => one.Value.GetDouble()));
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)   // no JSON, or no object
        {
            throw new UserError($"compare: {file} is not a JSON object of figures.");
        }
    }
}
