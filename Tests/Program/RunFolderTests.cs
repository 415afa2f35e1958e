using System.Diagnostics;
using System.Text.Json;
using Xunit;

namespace Tapegrad.Tests.Program;

/// <summary>
/// The folder of a run: what belongs to the run, what to its user, and what happens when one of them is gone or
/// damaged.
/// </summary>
public sealed class RunFolderTests : IDisposable
{
    // Ends with two checkpoints, after the last step and after the one before.
    private const string EveryStep = $"{Cifar10Program.Small} --epochs 2 --checkpoint-every 0 --out run";

    private readonly Cifar10Program program = new();

    public void Dispose() => program.Dispose();

    private string Path(string name) => program.PathOf("run", name);

    private string WeightsPath => Path("model.safetensors");

    private string[] Names =>
        [.. Directory.EnumerateFileSystemEntries(program.PathOf("run")).Select(path => System.IO.Path.GetFileName(path))
            .Order()];

    private Process StartForEver() =>
        program.Start("train --epochs 100000 --batch 32 --train-limit 64 --test-limit 10 --model resnet8 "
            + "--checkpoint-every 0 --out run");

    private static void ReadTo(Process process, int epoch)
    {
        while (process.StandardOutput.ReadLine() is { } line && !line.StartsWith($"epoch {epoch}/")) { }
    }

    private static void Kill(Process process)
    {
        process.Kill();
        process.WaitForExit();
    }

    // Damages model.safetensors in every way.
    private IEnumerable<Action> Damages()
    {
        var whole = File.ReadAllBytes(WeightsPath);
        yield return () => File.Delete(WeightsPath);
        yield return () => File.WriteAllText(WeightsPath, "junk");
        yield return () => File.WriteAllBytes(WeightsPath, whole[..^1]);
        yield return () => File.WriteAllBytes(WeightsPath, [.. whole[..^1], (byte)(whole[^1] ^ 1)]);
        File.WriteAllBytes(WeightsPath, whole);
    }

    // They are of no use to the steps that are left, and would be missed after the last one.
    [Fact]
    public void Weights_of_the_best_epoch_that_are_lost_are_missed_before_the_first_step()
    {
        program.Succeed($"{EveryStep} --validation 32");
        var (weights, before) = (File.ReadAllBytes(WeightsPath), Names);
        File.Delete(Path(before.Last(name => name.StartsWith("checkpoint-"))));
        before = Names;
        foreach (var damage in Damages())
        {
            damage();
            program.AssertRefused("train --resume run", "model.safetensors: it is gone or damaged", "Put it back");
            Assert.Equal(before, Names.Append("model.safetensors").Distinct().Order());
        }
        program.Succeed("train --resume run");
        Assert.Equal(weights, File.ReadAllBytes(WeightsPath));
    }

    [Fact]
    public void Weights_of_the_last_epoch_that_are_lost_are_written_again()
    {
        program.Succeed(EveryStep);
        var weights = File.ReadAllBytes(WeightsPath);
        foreach (var damage in Damages())
        {
            damage();
            program.Succeed("train --resume run");
            Assert.Equal(weights, File.ReadAllBytes(WeightsPath));
        }
    }

    [Theory]
    [InlineData("train --resume run")]
    [InlineData($"{Cifar10Program.Short} --out run --overwrite")]
    public void What_a_killed_process_left_behind_is_removed_and_nothing_else(string command)
    {
        program.Succeed($"{Cifar10Program.Short} --out run");
        string[] own = [".model.safetensors.bak", ".model.safetensors-notes", ".checkpoint-notes.txt",
            ".checkpoint-notes.abcdefgh.txt",
            ".checkpoint-000000002.safetensors", "notes.txt"];
        var names = Names;
        foreach (var name in (string[])[".model.safetensors.abcdefgh.ijk",
            ".checkpoint-000000002.safetensors.0bcdefgh.ij1", .. own])
            File.WriteAllText(Path(name), "half");
        program.Succeed(command);
        Assert.Equal([.. names.Concat(own).Order()], Names);
    }

    [Theory]
    [InlineData("model.safetensors")]
    [InlineData("metrics.jsonl")]
    public void A_folder_in_the_place_of_a_file_is_refused_and_all_else_stays(string name)
    {
        Directory.CreateDirectory(Path(name));
        program.AssertRefused($"{Cifar10Program.Short} --out run", $"run/{name} is a folder");
        Assert.Equal([name], Names);
        Directory.Delete(Path(name));

        program.Succeed($"{Cifar10Program.Short} --out run");
        var names = Names;
        File.Delete(Path(name));
        Directory.CreateDirectory(Path(name));
        program.AssertRefused($"{Cifar10Program.Short} --out run --overwrite", $"run/{name} is a folder");
        Assert.Equal(names, Names);
    }

    // Somebody moved it away, perhaps to draw it.
    [Fact]
    public void Metrics_that_are_taken_away_in_the_middle_of_a_run_come_back_when_it_goes_on()
    {
        using (var process = StartForEver())
        {
            ReadTo(process, 2);
            File.Delete(Path("metrics.jsonl"));
            ReadTo(process, 5);
            Kill(process);
        }
        using (var process = program.Start("train --resume run"))
        {
            while (process.StandardOutput.ReadLine() is { } line && !line.StartsWith("epoch ")) { }
            Kill(process);
        }
        var epochs = File.ReadAllLines(Path("metrics.jsonl"))
            .Select(line => JsonDocument.Parse(line).RootElement.GetProperty("epoch").GetInt32());
        Assert.Equal(Enumerable.Range(1, epochs.Count()), epochs);
        Assert.InRange(epochs.Count(), 4, int.MaxValue);
    }

    [Fact]
    public void What_can_no_longer_be_written_ends_the_run_and_says_how_it_goes_on()
    {
        using var process = StartForEver();
        ReadTo(process, 1);
        Directory.Move(program.PathOf("run"), program.PathOf("moved"));
        var outcome = Cifar10Program.Finish(process);
        outcome.AssertRefused("run", "Once it can be written, train --resume run goes on.");
    }

    [Fact]
    public void Two_programs_do_not_train_in_one_folder()
    {
        using var process = StartForEver();
        ReadTo(process, 1);
        foreach (var options in (string[])["--resume run", $"--out run --overwrite --model resnet8"])
            program.AssertRefused($"train {options}", "another program");
        process.Kill();
        process.WaitForExit();
        program.Succeed($"{Cifar10Program.Short} --out run --overwrite");   // whoever is dead holds nothing
    }
}
