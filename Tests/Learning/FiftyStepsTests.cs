using System.Diagnostics;
using Xunit;

namespace Tapegrad.Tests.Learning;

/// <summary>
/// Laws of a whole process, on the program in <c>Tests/FiftySteps</c>: the same bits of all weights after fifty steps
/// of ResNet-20 with momentum, BatchNorm and GroupNorm(8), batch 4, for any number of threads and any instruction set;
/// and no memory that a step leaves behind. In the process of the tests the runtime compiles, collects and allocates
/// for others meanwhile.
/// </summary>
public sealed class FiftyStepsTests
{
    private const string Normalizations = "batch group:8";

    // Images of CIFAR's size.
    [Theory]
    [InlineData("TAPEGRAD_THREADS=1")]
    [InlineData("TAPEGRAD_THREADS=2")]
    [InlineData("TAPEGRAD_THREADS=3")]
    [InlineData("TAPEGRAD_THREADS=5")]
    [InlineData("TAPEGRAD_THREADS=8")]
    [InlineData("DOTNET_EnableAVX512=0 DOTNET_EnableAVX512F=0")]
    public void Weights_do_not_depend_on_threads_nor_on_the_widest_vectors(string environment) =>
        Assert.Equal(OfCifarSize.Value[1..], Weights(32, environment)[1..]);

    // Without its vector unit the processor takes a hundred times as long for a fused multiply-add: smaller images, so
    // that this ends in seconds.
    [Theory]
    [InlineData(8, "DOTNET_EnableAVX2=0", 128)]
    [InlineData(4, "DOTNET_EnableHWIntrinsic=0", 0)]
    public void Weights_do_not_depend_on_the_instruction_set(int size, string environment, int widest)
    {
        var lines = Weights(size, environment);
        Assert.InRange(int.Parse(lines[0]), 0, widest);   // the switch did something
        Assert.Equal(Weights(size, "")[1..], lines[1..]);
    }

    [Fact]
    public void Each_normalization_ends_in_weights_of_its_own() =>
        Assert.NotEqual(OfCifarSize.Value[1], OfCifarSize.Value[2]);

    // A call that makes an object each time makes 24 bytes at least: none is smaller. Below the length that is shared
    // among threads, and above it.
    [Theory]
    [InlineData(5)]
    [InlineData(60_003)]
    public void The_verbs_of_every_step_make_no_garbage(int length)
    {
        const int times = 1000;
        var lines = Run($"verbs {length} {times}", "TAPEGRAD_THREADS=2");
        Assert.Equal(9, lines.Length);
        Assert.All(lines, line =>
            Assert.True(int.Parse(line.Split(' ')[0]) < 24 * times, $"bytes in {times} calls: {line}"));
    }

    // Closures, records and tensors: what grows with the network, not with its images. The limit is what it takes now
    // and a little more. A machine that is short of memory may bring a full collection or two; what asks for them in a
    // step would bring a thousand.
    [Theory]
    [InlineData("batch", 43)]
    [InlineData("group:8", 39)]
    public void A_thousand_steps_make_no_buffer_little_garbage_and_ask_for_no_full_collection(string normalization,
        int kilobytes)
    {
        var lines = Run($"garbage 1000 8 2 {normalization}", "");
        Assert.Equal(3, lines.Length);
        Assert.Equal("0", lines[0]);
        Assert.InRange(int.Parse(lines[1]), 1, kilobytes * 1024);
        Assert.InRange(int.Parse(lines[2]), 0, 9);
    }

    private static readonly Lazy<string[]> OfCifarSize = new(() => Weights(32, ""));

    private static string[] Weights(int size, string environment)
    {
        var lines = Run($"weights {size} 4 {Normalizations}", environment);
        Assert.Equal(3, lines.Length);
        Assert.All(lines[1..], line => Assert.Equal(64, line.Length));   // a SHA-256 in hexadecimal digits
        return lines;
    }

    private static string[] Run(string arguments, string environment)
    {
        var start = new ProcessStartInfo("dotnet",
            $"\"{Path.Combine(AppContext.BaseDirectory, "fifty-steps.dll")}\" {arguments}")
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment.Remove("TAPEGRAD_THREADS");
        foreach (var setting in environment.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            var (name, value) = (setting[..setting.IndexOf('=')], setting[(setting.IndexOf('=') + 1)..]);
            start.Environment[name] = value;
        }
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{environment} {arguments}: {error.Result}");
        return output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
    }
}
