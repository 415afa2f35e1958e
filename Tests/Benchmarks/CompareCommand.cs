using System.CommandLine;
using System.Text.Json;
using Tapegrad.Examples.Cifar10;
using static System.FormattableString;

namespace Tapegrad.Benchmarks;

/// <summary>
/// The command 'compare': figures of this library beside those of another that did the same work, as a table in
/// Markdown, ratio first. Above 1 this library is better: faster, or content with less. Of the other's two layouts of
/// images the better one counts. With several pairs of files, the ratio is the median over the pairs, beside the lowest
/// and the highest, and the figures are those of the pair whose ratio it is: two programs measured in one minute belong
/// together.
/// </summary>
internal static class CompareCommand
{
    private static readonly string[] Layouts = ["nchw", "nhwc"];
    private static readonly string[] SmallerIsBetter = ["ms", "ns/element", "MB", "KB"];

    private static readonly Argument<string[]> Files = new("files")
    {
        Description = "what 'peer' printed, what the other printed; and so on in pairs",
    };

    private sealed record Pair(double Ratio, double Ours, double Theirs, string Layout);

    public static void AddTo(RootCommand root)
    {
        var command = new Command("compare", "Prints the ratios of two programs' figures as a table.") { Files };
        command.SetAction(options => Run(options.GetValue(Files)!));
        root.Add(command);
    }

    private static int Run(string[] files)
    {
        if (files.Length == 0 || files.Length % 2 != 0)
            throw new UserError($"compare: {files.Length} files: give them in pairs, first this library's, then the "
                + "other's.");
        var pairs = files.Chunk(2).Select(pair => (Ours: Read(pair[0]), Theirs: Read(pair[1]))).ToArray();
        foreach (var (ours, theirs) in pairs)
            if (ours.GetValueOrDefault("threads") != theirs.GetValueOrDefault("threads"))
                throw new UserError("compare: the two programs had different numbers of threads.");
        var names = pairs.SelectMany(pair => pair.Ours.Keys).Distinct().Where(name => name != "threads").ToArray();
        var compared = names.ToDictionary(name => name,
            name => pairs.Select(pair => Compare(name, pair.Ours, pair.Theirs)).OfType<Pair>()
            .OrderBy(pair => pair.Ratio).ToArray());

        Console.WriteLine("| ratio | lowest to highest | figure | here | there | its layout |");
        Console.WriteLine("|---:|---:|---|---:|---:|---|");
        foreach (var name in names.Where(name => compared[name].Length > 0))
        {
            var sorted = compared[name];
            var median = sorted[(sorted.Length - 1) / 2];
            Console.WriteLine(
                Invariant($"| **{median.Ratio:F2}** | {sorted[0].Ratio:F2} to {sorted[^1].Ratio:F2} | {name} | ")
                + Invariant($"{median.Ours} | {median.Theirs} | {median.Layout} |"));
        }
        Console.WriteLine();
        Console.WriteLine("| lowest to highest | figure without a peer |");
        Console.WriteLine("|---:|---|");
        foreach (var name in names.Where(name => compared[name].Length == 0))
        {
            var values = pairs.Where(pair => pair.Ours.ContainsKey(name)).Select(pair => pair.Ours[name]).ToArray();
            Console.WriteLine(Invariant($"| {values.Min()} to {values.Max()} | {name} |"));
        }
        return 0;
    }

    // What is computed without Winograd's algorithm has the same peer as with it.
    private static Pair? Compare(string name, Dictionary<string, double> ours, Dictionary<string, double> theirs)
    {
        if (!ours.TryGetValue(name, out var here)) return null;
        var wanted = name.Replace(" direct ", " ");
        var smaller = SmallerIsBetter.Contains(name.Split(' ')[^1]);
        return theirs.Where(figure => WithoutLayout(figure.Key) == wanted)
            .Select(figure =>
                new Pair(smaller ? figure.Value / here : here / figure.Value, here, figure.Value, LayoutOf(figure.Key)))
            .MinBy(pair => pair.Ratio);
    }

    private static string LayoutOf(string name) => Layouts.FirstOrDefault(layout => name.Contains($" {layout} ")) ?? "";

    private static string WithoutLayout(string name) =>
        Layouts.Aggregate(name, (rest, layout) => rest.Replace($" {layout} ", " "));

    // Texts, such as a version, are passed over.
    private static Dictionary<string, double> Read(string file)
    {
        try
        {
            using var json = JsonDocument.Parse(File.ReadAllText(file));
            return json.RootElement.EnumerateObject().Where(figure => figure.Value.ValueKind == JsonValueKind.Number)
                .ToDictionary(figure => figure.Name, figure => figure.Value.GetDouble());
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)   // no JSON, or no object
        {
            throw new UserError($"compare: {file} is not a JSON object of figures.");
        }
    }
}
