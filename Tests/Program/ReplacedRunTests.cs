using Xunit;

namespace Tapegrad.Tests.Program;

/// <summary>
/// What a command was given to replace, or reads, is there as it was unless all that can be refused has been looked at.
/// </summary>
public sealed class ReplacedRunTests : IDisposable
{
    private const string Tiny = "train --model resnet8 --norm batch --batch 32 --train-limit 96 --test-limit 8";

    private readonly Cifar10Program program = new();

    public void Dispose() => program.Dispose();

    private Dictionary<string, string> Files => Directory.EnumerateFiles(program.PathOf("run"))
        .ToDictionary(path => path, path => Convert.ToHexString(File.ReadAllBytes(path)));

    [Fact]
    public void What_is_refused_replaces_nothing()
    {
        program.Succeed($"{Tiny} --epochs 1 --out run");
        if (!OperatingSystem.IsWindows())
            File.CreateSymbolicLink(program.PathOf("link.safetensors"), program.PathOf("run", "model.safetensors"));
        var before = Files;
        foreach (var (options, words) in ((string, string)[])[
            ("--accumulate 5 --minutes 0.0001", "--accumulate 5: an epoch has only 3 batches"),
            ("--accumulate 10 --minutes 10", "--accumulate 10: an epoch has only 3 batches"),
            ("--epochs 2000000000", "--epochs 2000000000"), ("--cutout 32", "--cutout 32"),
            ("--translate 32", "--translate 32"), ("--validation 96", "--validation 96"),
            ("--from run/model.safetensors", "--from run/model.safetensors: it lies in --out run"),
            ("--from ./run/../run/model.safetensors", "it lies in --out run"),
            ("--from link.safetensors", "--from link.safetensors: it lies in --out run")])
        {
            if (options.Contains("link") && OperatingSystem.IsWindows()) continue;
            program.AssertRefused($"{Tiny} {options} --out run --overwrite", words);
            Assert.Equal(before, Files);
        }
    }

    // For so long an epoch is done more often than steps can be counted.
    [Fact]
    public void A_time_that_is_long_enough_for_ever_is_no_number_of_epochs_that_is_refused()
    {
        using var process = program.Start($"{Tiny} --minutes 1e6 --out run");
        var line = "";
        while (!line.Contains(" epochs of 3 steps") && process.StandardOutput.ReadLine() is { } next) line = next;
        process.Kill();
        Assert.Contains(" epochs of 3 steps", line + Cifar10Program.Finish(process).Error);
    }
}
