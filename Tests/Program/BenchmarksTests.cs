using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Xunit;

namespace Tapegrad.Tests.Program;

/// <summary>
/// The program that measures: the names of its figures, by which they are compared, and what it refuses.
/// </summary>
public sealed class BenchmarksTests
{
    private static readonly string Configuration = new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name;
    private static readonly string ProgramPath =
        Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "../../../Benchmarks/bin", Configuration,
            "net10.0/benchmarks.dll"));

    private static Outcome Run(string arguments)
    {
        var start = new ProcessStartInfo("dotnet", $"\"{ProgramPath}\" {arguments}")
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true
        };
        return Cifar10Program.Finish(Process.Start(start)!);
    }

    [Fact]
    public void Figures_are_one_json_object_with_names_that_say_what_was_measured()
    {
        var outcome = Run("peer --threads 3 --seconds 0 --only norm,gemm");
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        var figures = JsonDocument.Parse(outcome.Output).RootElement.EnumerateObject()
            .ToDictionary(figure => figure.Name, figure => figure.Value.GetDouble());
        string[] normalizations = ["group_norm", "batch_norm", "group_norm+relu", "batch_norm+relu"];
        var perElement = ((string[])["16x32x32", "64x32x32"])
            .SelectMany(shape => normalizations.Select(name => $"{name} {shape} b128 forward+backward ns/element"));
        Assert.Equal(["threads", "fma peak GF/s", "copy GB/s", "sgemm 1024 GF/s", .. perElement], figures.Keys);
        Assert.Equal(3, figures["threads"]);
        Assert.All(figures.Values, value => Assert.True(value > 0));
    }

    [Fact]
    public void Figures_are_compared_with_the_better_layout_of_the_peer()
    {
        using var folder = new Cifar10Program();   // for its folder
        var files = new List<string>();
        string File(string json)
        {
            files.Add(folder.PathOf($"{files.Count}.json"));
            System.IO.File.WriteAllText(files[^1], json);
            return files[^1];
        }
        void Pair(double ours, double peak)
        {
            File($$"""
                { "threads": 2, "conv forward GF/s": {{ours}}, "conv direct forward GF/s": 90, "inference b1 ms": 2,
                  "fma peak GF/s": {{peak}} }
                """);
            File("""
                { "torch": "1.13", "threads": 2, "conv nchw forward GF/s": 50, "conv nhwc forward GF/s": 60,
                  "inference b1 nchw ms": 3, "inference b1 nhwc ms": 8, "other ms": 1 }
                """);
        }
        Pair(180, peak: 225.5);
        var lines = Run($"compare {string.Join(' ', files)}").Lines;
        Assert.Contains("| **3.00** | 3.00 to 3.00 | conv forward GF/s | 180 | 60 | nhwc |", lines);
        Assert.Contains("| **1.50** | 1.50 to 1.50 | conv direct forward GF/s | 90 | 60 | nhwc |", lines);
        Assert.Contains("| **1.50** | 1.50 to 1.50 | inference b1 ms | 2 | 3 | nchw |", lines);   // less is better
        Assert.Contains("| 225.5 to 225.5 | fma peak GF/s |", lines);
        Pair(30, peak: 30);
        Pair(120, peak: 120);
        lines = Run($"compare {string.Join(' ', files)}").Lines;
        // the median pair
        Assert.Contains("| **2.00** | 0.50 to 3.00 | conv forward GF/s | 120 | 60 | nhwc |", lines);
        Assert.Contains("| 30 to 225.5 | fma peak GF/s |", lines);

        // Two others: the better one counts, and what one of them did not measure stays empty.
        string[] three =
        [
            File("""{ "threads": 2, "conv forward GF/s": 180, "inference b1 ms": 2 }"""),
            File("""{ "torch": "1.13", "threads": 2, "conv nchw forward GF/s": 60, "inference b1 nhwc ms": 3 }"""),
            File("""{ "onnxruntime": "1.31", "threads": 2, "inference b1 ms": 1 }"""),
        ];
        lines = Run($"compare --peers 2 {string.Join(' ', three)}").Lines;
        Assert.Equal("| ratio | lowest to highest | figure | here | torch 1.13 | onnxruntime 1.31 | layout |", lines[0]);
        Assert.Contains("| **3.00** | 3.00 to 3.00 | conv forward GF/s | 180 | 60 |  | nchw |", lines);
        Assert.Contains("| **0.50** | 0.50 to 0.50 | inference b1 ms | 2 | 3 | 1 |  |", lines);
        Assert.Contains("give 4 for each round", Refused($"compare --peers 3 {string.Join(' ', three)}"));

        var other = File("""{ "threads": 1 }""");
        Assert.Contains("threads", Refused($"compare {files[0]} {other}"));
        Assert.Contains("not a JSON object", Refused($"compare {files[0]} {File("[1]")}"));
        Assert.Contains("not a JSON object", Refused($"compare {File("{")} {other}"));
        Assert.Contains("nowhere.json", Refused($"compare {files[0]} {folder.PathOf("nowhere.json")}"));
        Assert.Contains("give 2 for each round", Refused($"compare {files[0]}"));
    }

    [Fact]
    public void Inference_is_measured_in_another_runtime_under_the_same_names()
    {
        var outcome = Run("onnx --threads 2 --seconds 0");
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        var figures = JsonDocument.Parse(outcome.Output).RootElement.EnumerateObject().ToArray();
        Assert.Equal(["onnxruntime", "threads", "resnet20 inference batch images/s", "resnet20 inference batch b1 ms",
            "resnet20 inference group:8 images/s"], figures.Select(figure => figure.Name));
        Assert.Equal(2, figures[1].Value.GetDouble());
        Assert.All(figures[2..], figure => Assert.True(figure.Value.GetDouble() > 0));
    }

    [Fact]
    public void The_cost_of_wider_and_deeper_networks_is_a_table()
    {
        using var folder = new Cifar10Program();   // for its folder
        var plot = folder.PathOf("scaling.svg");
        var outcome = Run($"scaling --batch 2 --most 4 --threads 2 --seconds 0 --plot {plot}");
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        string[][] Table(string heading) => [.. outcome.Lines.SkipWhile(line => !line.StartsWith(heading)).Skip(2)
            .TakeWhile(line => char.IsDigit(line[2])).Select(line => line.Split('|', StringSplitOptions.TrimEntries))];
        Assert.Equal(["1", "2", "4"], Table("| images a step").Select(row => row[1]));
        Assert.Equal(["1", "2"], Table("| threads").Select(row => row[1]));
        Assert.Contains("batch 1 to 4", File.ReadAllText(plot));
        Assert.Contains("there is no folder", Refused($"scaling --plot {folder.PathOf("nowhere/x.svg")}"));
        var rows = outcome.Lines[2..9].Select(line => line.Split('|', StringSplitOptions.TrimEntries)).ToArray();
        Assert.Equal(["20 8", "20 16", "20 32", "20 64", "32 16", "44 16", "56 16"],
            rows.Select(row => $"{row[1]} {row[2]}"));
        Assert.Equal(["269,722", "464,154", "853,018"], rows.Where(row => row[2] == "16" && row[1] != "44")
            .Select(row => row[3]));
        // ResNet-20 multiplies 40,551,424 times in its convolutions and 640 times in its linear layer; three times in a
        // step, but for the gradient of the image.
        Assert.Equal("242.4", rows[1][4]);
        Assert.Equal(6 * 40_552_064 - 2 * 442_368, 242.4e6, 0.05e6);
    }

    [Fact]
    public void What_threads_bring_is_a_table()
    {
        var outcome = Run("threads --seconds 0 --threads 3");
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        Assert.Contains("3 threads, us", outcome.Lines[0]);
        var rows = outcome.Lines[2..].Select(line => line.Split('|', StringSplitOptions.TrimEntries)).ToArray();
        Assert.Equal(44, rows.Select(row => row[1] + row[2]).Distinct().Count());
        foreach (var row in rows)
        {
            var (one, three, ratio) = (Number(row[3]), Number(row[4]), Number(row[5]));
            Assert.True(one > 0 && three > 0);
            Assert.InRange(ratio, one / (three + 0.006) - 0.006, (one + 0.006) / Math.Max(three - 0.006, 1e-9) + 0.006);
        }
        static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);
    }

    [Fact]
    public void Errors_of_convolutions_are_those_of_both_algorithms()
    {
        var outcome = Run("errors --batch 1");
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        var rows = outcome.Lines[2..].Select(line => line.Split('|', StringSplitOptions.TrimEntries)).ToArray();
        Assert.Equal(6, rows.Select(row => row[1]).Distinct().Count());
        double[] Errors(string path) =>
            [.. rows.Where(row => row[2] == path).SelectMany(row => row[3..6])
                .Select(error => double.Parse(error, CultureInfo.InvariantCulture))];
        Assert.Equal((18, 18), (Errors("Winograd").Length, Errors("direct").Length));
        foreach (var (winograd, direct) in Errors("Winograd").Zip(Errors("direct")))
        {
            Assert.InRange(direct, 1e-8, 1e-6);   // float has a spacing of 1.2e-7 at 1
            Assert.InRange(winograd, 1.2 * direct, 1e-5);
        }
    }

    private static string Refused(string arguments)
    {
        var outcome = Run(arguments);
        Assert.Equal(1, outcome.ExitCode);
        Assert.StartsWith("error: ", outcome.Error);
        return Assert.Single(outcome.Error.Trim().Split('\n'));
    }

    [Theory]
    [InlineData("", "Required command")]
    [InlineData("pear", "pear")]
    [InlineData("peer --fast", "--fast")]
    [InlineData("peer --only step,speed", "--only 'step,speed'")]
    [InlineData("peer --threads 0", "--threads '0'")]
    [InlineData("peer --seconds 1,5", "--seconds '1,5'")]
    [InlineData("scaling --batch 0", "--batch '0'")]
    [InlineData("errors --batch 0", "--batch '0'")]
    public void What_it_does_not_understand_is_refused_in_one_line(string arguments, string word) =>
        Assert.Contains(word, Refused(arguments));
}
