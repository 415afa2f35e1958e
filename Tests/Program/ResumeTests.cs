using System.Diagnostics;
using System.Text.Json.Nodes;
using Tapegrad.Layers;
using Tapegrad.Layers.Files;
using Xunit;
using Xunit.Abstractions;

namespace Tapegrad.Tests.Program;

/// <summary>A run that is interrupted, in every way, and goes on: as its user would do it.</summary>
public sealed class ResumeTests(ITestOutputHelper output) : IDisposable
{
    // Two epochs' sums pass from one to the next (5 batches, 3 a step), and everything that a checkpoint must remember
    // is there.
    private const string Recipe =
        "--model resnet8 --norm batch --epochs 4 --batch 16 --train-limit 96 --test-limit 20 --validation 16 "
        + "--accumulate 3 --average 0.9 --mixup 0.2 --cutout 6 --label-smoothing 0.1 --zero-gamma --decay weights "
        + "--nesterov --beta-rate 4 --lookahead --flip alternate --translate 2 --schedule triangular --seed 7";

    private readonly Cifar10Program program = new();

    public void Dispose() => program.Dispose();

    private byte[] Weights(string run) => File.ReadAllBytes(program.PathOf(run, "model.safetensors"));

    // metrics.jsonl without what a clock says.
    private string[] Metrics(string run) => [.. File.ReadLines(program.PathOf(run, "metrics.jsonl")).Select(line =>
    {
        var epoch = JsonNode.Parse(line)!.AsObject();
        Assert.True(epoch.Remove("seconds") && epoch.Remove("images_per_second"));
        return epoch.ToJsonString();
    })];

    private static void AssertGood(Outcome outcome) => Assert.True(outcome.ExitCode == 0, outcome.Error);

    // The environment variable sets how often; a hundred times where there is time for it.
    [Fact]
    public async Task A_run_that_is_killed_again_and_again_ends_as_the_one_that_was_not()
    {
        var kills = int.Parse(Environment.GetEnvironmentVariable("TAPEGRAD_KILLS") ?? "8");
        var seed = Random.Shared.Next();
        output.WriteLine($"{kills} kills, seed {seed}");
        var random = new Random(seed);
        var whole = program.Run($"train {Recipe} --out whole --checkpoint-every 0");
        AssertGood(whole);

        var (killed, completed, begun) = (0, 0, 0);
        while (killed < kills || completed == 0)
        {
            var threads = $"--threads {random.Next(1, 4)}";
            var goesOn = Directory.Exists(program.PathOf("run"))
                && Directory.EnumerateFiles(program.PathOf("run"), "checkpoint-*").Any();
            if (!goesOn) begun++;
            using var process = program.Start(goesOn
                ? $"train --resume run {threads}"
                : $"train {Recipe} --out run --checkpoint-every 0 --overwrite {threads}");
            var error = process.StandardError.ReadToEndAsync();
            // From the moment that it knows what to do, or any time before.
            var last = "";
            if (random.Next(8) > 0)
                while (!last.Contains(" thread") && await process.StandardOutput.ReadLineAsync() is { } line)
                    last = line;
            var dies = killed < kills && !process.WaitForExit(random.Next(random.Next(8) == 0 ? 1500 : 300));
            if (dies) process.Kill();
            last = last + "\n" + await process.StandardOutput.ReadToEndAsync();
            await process.WaitForExitAsync();
            if (dies && process.ExitCode != 0)
            {
                Assert.Equal(137, process.ExitCode);   // SIGKILL
                killed++;
                continue;
            }
            Assert.True(process.ExitCode == 0, await error);
            Assert.Equal(whole.Lines[^1], last.Split('\n', StringSplitOptions.RemoveEmptyEntries)[^1]);
            Assert.Equal(Weights("whole"), Weights("run"));
            Assert.Equal(Metrics("whole"), Metrics("run"));
            // and nothing that a killed process left behind
            var files = Directory.EnumerateFiles(program.PathOf("run")).Select(Path.GetFileName).Order().ToArray();
            Assert.Equal(["metrics.jsonl", "model.safetensors", "run.json"],
                files.Where(name => !name!.StartsWith("checkpoint-")));
            Assert.Equal(5, files.Length);
            completed++;
            Directory.Delete(program.PathOf("run"), recursive: true);
        }
        output.WriteLine($"{killed} kills survived, in {completed} whole runs; {begun} were killed before the first "
            + "checkpoint, or began anew");
    }

    [Theory]
    [InlineData("HUP", 129)]
    [InlineData("INT", 130)]
    [InlineData("TERM", 143)]
    public void A_request_to_end_saves_first(string signal, int exitCode)
    {
        if (OperatingSystem.IsWindows()) return;   // there is no way to send one process a signal there
        AssertGood(program.Run($"train {Recipe} --out whole"));
        // the next checkpoint would be written after a minute
        using var process = program.Start($"train {Recipe} --out run");
        while (process.StandardOutput.ReadLine() is { } line && !line.StartsWith("epoch 1/")) { }
        // A window that is closed says so twice, by its shell and by the system; only a person who presses Ctrl-C twice
        // insists.
        var kill = $"kill -{signal} {process.Id}";
        Process.Start("sh", ["-c", signal == "INT" ? kill : $"{kill}; sleep 0.01; {kill}"]).WaitForExit();
        var outcome = Cifar10Program.Finish(process);
        Assert.Equal((exitCode, ""), (outcome.ExitCode, outcome.Error));
        Assert.EndsWith("--resume run", outcome.Lines[^1]);
        ModelSpec.Rebuild(program.PathOf("run", "model.safetensors"));

        var resumed = program.Run("--resume run");
        AssertGood(resumed);
        Assert.DoesNotContain("after 0 of", resumed.Output);
        Assert.DoesNotContain(resumed.Lines, line => line.StartsWith("epoch 1/"));
        Assert.Equal(Weights("whole"), Weights("run"));
        Assert.Equal(Metrics("whole"), Metrics("run"));

        var again = program.Run("--resume run");   // a run that is over says so, and what it came to
        AssertGood(again);
        Assert.Contains("at its end", again.Output);
        Assert.Equal(resumed.Lines[^1], again.Lines[^1]);
        Assert.Equal(Weights("whole"), Weights("run"));

        File.Delete(program.PathOf("run", "model.safetensors"));   // the only place of the best epoch's
        var refused = program.Run("--resume run");
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("model.safetensors: it is gone",
            Assert.Single(refused.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries)));
    }

    // 'script' runs a program in a terminal of its own; killed, it takes that away, as the closing of a window does.
    [Theory]
    [InlineData("xterm", "\u001b[")]
    [InlineData("dumb", "epoch 2/1000  loss ")]   // it cannot move its cursor, so no bar
    public void A_run_whose_window_is_closed_saves_first(string terminal, string shown)
    {
        if (!OperatingSystem.IsLinux() || !File.Exists("/usr/bin/script")) return;
        program.BlackCifar10();
        const string training =
            "train --data black --model resnet8 --norm batch --epochs 1000 --batch 8 --train-limit 64 --test-limit 8 "
                + "--out run";
        using (var window = program.StartInTerminal(training, terminal))
        {
            var seen = "";
            var letters = new char[256];
            while (!seen.Contains("epoch 3/") && window.StandardOutput.Read(letters) is var count and > 0)
                seen += new string(letters, 0, count);
            Assert.Contains(shown, seen);
            window.Kill();
            window.WaitForExit();
        }
        // The program holds this file while it runs.
        for (var patience = 6000; patience > 0 && File.Exists(program.PathOf("run", ".in-use")); patience--)
            Thread.Sleep(50);
        using var resumed = program.Start("--resume run");
        var line = resumed.StandardOutput.ReadLine()!;
        resumed.Kill();
        Cifar10Program.Finish(resumed);
        Assert.Matches("^run goes on in epoch ([3-9]|[0-9]{2,}) of 1000", line);
    }

    // Optimizers with other memories than the recipe above.
    [Theory]
    [InlineData("--optimizer adam --lr 0.001")]
    [InlineData("--optimizer adamw --lr 0.001 --schedule one-cycle --norm layer")]
    [InlineData("--momentum 0 --schedule multistep:1")]
    public void Every_recipe_goes_on(string recipe)
    {
        var options = $"{Cifar10Program.Small} --epochs 2 {recipe}";
        AssertGood(program.Run($"{options} --out whole"));
        AssertGood(program.Run($"{options} --out run --checkpoint-every 0"));
        var newest = Directory.EnumerateFiles(program.PathOf("run"), "checkpoint-*").Order().Last();
        File.Delete(newest);   // back by a step, to the middle of the last epoch
        File.Delete(program.PathOf("run", "model.safetensors"));
        var resumed = program.Run("train --resume run");
        AssertGood(resumed);
        Assert.StartsWith("run goes on in epoch 2 of 2, after 3 of 4 steps", resumed.Output);
        Assert.Equal(Weights("whole"), Weights("run"));
        File.Delete(program.PathOf("run", "model.safetensors"));
        // it is over, but the last epoch's weights are in its checkpoint
        AssertGood(program.Run("train --resume run"));
        Assert.Equal(Weights("whole"), Weights("run"));
        Assert.Equal(Metrics("whole"), Metrics("run"));
    }

    [Fact]
    public void Other_images_are_refused_and_a_folder_that_was_moved_is_not()
    {
        var black = program.BlackCifar10();
        AssertGood(program.Run($"{Cifar10Program.Short} --out run --data {black}"));
        var moved = program.PathOf("moved");
        Directory.Move(black, moved);
        Assert.Contains(black, program.Run("--resume run").Error);
        AssertGood(program.Run($"--resume run --data {moved}"));
        foreach (var at in (int[])[0, 1000])   // the label, and a pixel, of one of the images that are used
        {
            Write(1);
            var refused = program.Run($"--resume run --data {moved}");
            Assert.Equal(1, refused.ExitCode);
            Assert.Contains("not those that the run began with", refused.Error);
            Write(0);
            AssertGood(program.Run($"--resume run --data {moved}"));

            void Write(byte value)
            {
                using var file = File.OpenWrite(Path.Combine(moved, "data_batch_1.bin"));
                file.Position = 100 * 3073 + at;
                file.WriteByte(value);
            }
        }
    }

    [Fact]
    public void A_damaged_checkpoint_is_passed_over_and_without_a_whole_one_it_says_so()
    {
        AssertGood(program.Run($"{Cifar10Program.Short} --out run --checkpoint-every 0"));
        var files = Directory.EnumerateFiles(program.PathOf("run"), "checkpoint-*").Order().ToArray();
        var (weights, newest) = (Weights("run"), File.ReadAllBytes(files[1]));
        File.WriteAllBytes(files[1], newest[..^1000]);
        var outcome = program.Run("train --resume run");
        AssertGood(outcome);
        Assert.Contains(Path.GetFileName(files[1]), outcome.Error);
        Assert.Equal(weights, Weights("run"));

        foreach (var file in Directory.EnumerateFiles(program.PathOf("run"), "checkpoint-*"))
            File.WriteAllBytes(file, newest[..1000]);
        var refused = program.Run("train --resume run");
        Assert.Equal(1, refused.ExitCode);
        var line = Assert.Single(refused.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains("none of its checkpoints is whole. Begin the run again: --out run --overwrite. The newest, "
            + "run/checkpoint-", line);
        Assert.Equal(weights, Weights("run"));
    }

    [Fact]
    public void What_cannot_go_on_is_refused_in_a_line()
    {
        AssertGood(program.Run($"{Cifar10Program.Short} --out run"));
        Directory.CreateDirectory(program.PathOf("empty"));
        foreach (var (options, words) in ((string, string)[])
            [
                ("--resume nowhere", "there is no folder 'nowhere'"), ("--resume empty", "no checkpoint"),
                ("--resume run --lr 0.1", "--lr: a run goes on"), ("--resume run --out other", "--out: a run goes on"),
                ("--resume run --zero-gamma", "--zero-gamma: a run goes on"),
                ($"--resume run --data {program.BlackCifar10()}", "not those that the run began with"),
                ("--resume run --checkpoint-every -1", "--checkpoint-every"),
            ])
        {
            var outcome = program.Run($"train {options}");
            Assert.Equal(1, outcome.ExitCode);
            Assert.Contains(words, Assert.Single(outcome.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries)));
        }
    }

    // Whole in every byte, but not of this run.
    [Theory]
    [InlineData("\"epoch\":2", "\"epoch\":9", "epoch 9 is no place in 1 epochs")]
    [InlineData("\"batch\":0", "\"batch\":5", "batch 5 of epoch 2")]
    [InlineData("\"optimizer_counters\":[4,", "\"optimizer_counters\":[4,4,", "counters")]
    [InlineData("\"resnet8\"", "\"resnet14\"", "belongs to another model")]
    public void A_checkpoint_that_contradicts_itself_is_refused_in_a_line(string old, string other, string why)
    {
        AssertGood(program.Run($"{Cifar10Program.Short} --out run"));
        var (weights, path) = (Weights("run"), Directory.EnumerateFiles(program.PathOf("run"), "checkpoint-*").Order()
            .Last());
        NamedArray[] arrays;
        string text;
        using (var file = SafetensorsFile.Open(path))
        {
            arrays = [.. file.Entries.Select(entry => new NamedArray(entry.Name, entry.Shape, file.ReadFloats(entry)))];
            text = file.Metadata["run"];
        }
        Assert.Contains(old, text);
        SafetensorsFile.Write(path, arrays, new Dictionary<string, string> { ["run"] = text.Replace(old, other) });
        var outcome = program.Run("train --resume run");
        Assert.Equal(1, outcome.ExitCode);
        Assert.Contains(why, Assert.Single(outcome.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries)));
        Assert.Equal(weights, Weights("run"));
    }
}
