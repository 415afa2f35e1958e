using System.Diagnostics;
using System.Text.Json;
using Xunit;

namespace Tapegrad.Tests.Program;

/// <summary>The program that measures: the names of its figures, by which they are compared, and what it refuses.</summary>
public sealed class BenchmarksTests
{
    private static readonly string Configuration = Path.GetFileName(Path.GetDirectoryName(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar))!);
    private static readonly string ProgramPath =
        Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "../../../Benchmarks/bin", Configuration, "net10.0/benchmarks.dll"));

    private static Outcome Run(string arguments) => Cifar10Program.Finish(Process.Start(new ProcessStartInfo("dotnet", $"\"{ProgramPath}\" {arguments}")
    {
        RedirectStandardOutput = true,
        RedirectStandardError = true,
    })!);

    [Fact]
    public void Figures_are_one_json_object_with_names_that_say_what_was_measured()
    {
        var outcome = Run("peer --threads 3 --seconds 0 --only norm,gemm");
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        var figures = JsonDocument.Parse(outcome.Output).RootElement.EnumerateObject().ToDictionary(figure => figure.Name, figure => figure.Value.GetDouble());
        string[] normalizations = ["group_norm", "batch_norm", "group_norm+relu", "batch_norm+relu"];
        var perElement = ((string[])["16x32x32", "64x32x32"])
            .SelectMany(shape => normalizations.Select(name => $"{name} {shape} b128 forward+backward ns/element"));
        Assert.Equal(["threads", "fma peak GF/s", "copy GB/s", "sgemm 1024 GF/s", .. perElement], figures.Keys);
        Assert.Equal(3, figures["threads"]);
        Assert.All(figures.Values, value => Assert.True(value > 0));
    }

    [Theory]
    [InlineData("", "Required command")]
    [InlineData("pear", "pear")]
    [InlineData("peer --fast", "--fast")]
    [InlineData("peer --only step,speed", "--only 'step,speed'")]
    [InlineData("peer --threads 0", "--threads '0'")]
    [InlineData("peer --seconds 1,5", "--seconds '1,5'")]
    public void What_it_does_not_understand_is_refused_in_one_line(string arguments, string word)
    {
        var outcome = Run(arguments);
        Assert.Equal(1, outcome.ExitCode);
        Assert.StartsWith("error: ", outcome.Error);
        Assert.Contains(word, outcome.Error);
        Assert.Single(outcome.Error.Trim().Split('\n'));
    }
}
