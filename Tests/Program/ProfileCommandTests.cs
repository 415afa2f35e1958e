using System.Globalization;
using System.Text.RegularExpressions;
using Tapegrad.Examples.Cifar10;
using Tapegrad.Training;
using Xunit;

namespace Tapegrad.Tests.Program;

/// <summary>The command 'profile': its rows are the network's layers, and add up to the step.</summary>
public sealed partial class ProfileCommandTests : IDisposable
{
    private const int Batch = 16;
    private readonly Cifar10Program program = new();

    public void Dispose() => program.Dispose();

    [GeneratedRegex(@"(?<![\d.])\d+\.\d\d(?!\d)")]
    private static partial Regex Time();   // only times have two decimals

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);

    private static double[] Times(string line) => [.. Time().Matches(line).Select(match => Number(match.Value))];

    [Fact]
    public void The_rows_are_the_layers_and_add_up_to_the_step()
    {
        var outcome = program.Run($"profile --model resnet8 --norm group:4 --batch {Batch} --steps 2 --threads 2");
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        Assert.All(outcome.Output.Split('\n'), line => Assert.InRange(line.Length, 0, 80));
        Assert.DoesNotContain('\u001b', outcome.Output);
        var lines = outcome.Lines;
        var (first, second) = (Array.FindIndex(lines, line => line.StartsWith('─')),
            Array.FindLastIndex(lines, line => line.StartsWith('─')));
        var layers = lines[(first + 1)..(second - 1)];
        var operations = lines[(second + 1)..]
            .TakeWhile(line => !line.StartsWith("optimizer", StringComparison.Ordinal)).ToArray();
        string[] convolutions = [.. layers.Where(line => line.Contains(" conv2d ")).Select(line => line.Split(' ')[0])];
        Assert.Equal(["conv1", "layer1.0.conv1", "layer1.0.conv2", "layer2.0.conv1", "layer2.0.conv2", "layer3.0.conv1",
            "layer3.0.conv2"], convolutions);
        foreach (var name in (string[])["bn1 ", "layer3.0.bn2 ", "layer2.0.shortcut ", "pool ", "fc ", "loss "])
            Assert.Contains(layers, line => line.StartsWith(name, StringComparison.Ordinal));

        var step = Times(lines.Single(line => line.StartsWith("the fastest of 2 steps")))[0];
        var rest = lines.Where(line => line.StartsWith("optimizer's step") || line.StartsWith("not attributed"))
            .Sum(line => Times(line)[0]);
        // each figure is rounded to 0.01
        Assert.Equal(step, layers.Sum(line => Times(line).Sum()) + rest, 0.005 * (2 * layers.Length + 3));
        Assert.Equal(step, operations.Sum(line => Times(line).Sum()) + rest, 0.005 * (2 * operations.Length + 3));
        Assert.Equal(step, Times(lines.Single(line => line.StartsWith("the step"))).Sum(), 0.0151);
        Assert.All(layers.Where(line => line.Contains("conv2d")), line =>
            Assert.All(Times(line), time => Assert.True(time > 0)));
    }

    [Fact]
    public void Rates_are_the_work_over_the_time_and_memory_is_that_of_the_values()
    {
        var outcome = program.Run($"profile --model resnet8 --norm none --batch {Batch} --steps 1 --threads 1");
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        var pixels = Batch * 32.0 * 32;
        void Check(string layer, double forward, double backward)
        {
            var row = outcome.Lines.Single(line => line.StartsWith($"{layer} ") && line.Contains("conv2d"))
                .Split(' ', StringSplitOptions.RemoveEmptyEntries)[2..];   // forward, rate, backward, rate, unit, MB
            CheckRate(row[0], row[1], forward);
            CheckRate(row[2], row[3], backward);
            Assert.Equal(["GF/s", "1.0"], row[4..]);   // 16 numbers for each pixel
        }
        void CheckRate(string time, string rate, double flops) =>
            Assert.InRange(Number(rate), flops / 1e6 / (Number(time) + 0.005) - 0.51,
                flops / 1e6 / (Number(time) - 0.005) + 0.51);
        // All the values wait for the sweep at once, and little else does.
        var rows = outcome.Lines.SkipWhile(line => !line.StartsWith('─')).Skip(1)
            .TakeWhile(line => !line.StartsWith("operation,"));
        var (kept, most) = (rows.Sum(row => Number(row.TrimEnd().Split(' ')[^1])),
            Number(outcome.Lines.Single(line => line.StartsWith("memory: at most", StringComparison.Ordinal))
                .Split(' ')[3]));
        Assert.InRange(most, kept - 2, 3 * kept);
        // nobody asks for the gradient of the images
        Check("conv1", 2 * pixels * 9 * 3 * 16, 2 * pixels * 9 * 3 * 16);
        Check("layer1.0.conv2", 2 * pixels * 9 * 16 * 16, 4 * pixels * 9 * 16 * 16);
    }

    [Fact]
    public void Small_rates_have_a_decimal_and_no_memory_is_less_than_none()
    {
        Assert.Equal(["", "0.4", "9.9", "12"],
            ((double[])[0.01, 0.4, 9.94, 12.3]).Select(rate => ProfileCommand.Rate(new Cost(1, Flops: rate * 1e9))));
        Assert.Equal("", ProfileCommand.Rate(new Cost(1e-6, Flops: 1e9)));   // too short to be measured
        string Megabytes(params long[] kept) =>
            ProfileCommand.Megabytes(kept.Select(bytes =>
                new ProfileRow("conv1", "relu", new Cost(), new Cost(), bytes)));
        Assert.Equal(["0.0", "0.3", "0.2"], [Megabytes(-100_000), Megabytes(300_000), Megabytes(300_000, -100_000)]);
    }

    [Theory]
    [InlineData("--steps 0", "--steps '0'")]
    [InlineData("--norm group:7", "7 groups")]
    [InlineData("--batch 1000000", "1000000")]
    [InlineData("--threads 200000000", "--threads '200000000'")]
    [InlineData("--data x", "--data")]
    public void What_it_does_not_understand_is_refused_in_one_line(string arguments, string word)
    {
        var outcome = program.Run($"profile {arguments}");
        Assert.Equal(1, outcome.ExitCode);
        Assert.StartsWith("error: ", outcome.Error);
        Assert.Contains(word, outcome.Error);
        Assert.Single(outcome.Error.Trim().Split('\n'));
    }
}
