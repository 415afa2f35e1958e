using Tapegrad.Layers;
using Tapegrad.Tests.Layers.Files;
using Tapegrad.Training;
using Xunit;

namespace Tapegrad.Tests.Training;

/// <summary>What is found in a folder of checkpoints, whatever happened to it.</summary>
public sealed class CheckpointsTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("tapegrad-test-").FullName;
    private readonly Parameter weight = new("weight", Tensor.Zeros(new Shape(300, 100))),
        bias = new("bias", Tensor.Zeros(new Shape(3)));

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private Parameter[] Values => [weight, bias];

    // Numbers and a text that tell one step from another.
    private void Set(int step)
    {
        foreach (var value in Values) value.Value = Tensor.Full(value.Shape, step + 0.5);
    }

    private void Save(Checkpoints checkpoints, int step)
    {
        Set(step);
        checkpoints.Save(step, Values, new Dictionary<string, string> { ["said"] = $"after {step}" });
    }

    private long? Load(Checkpoints checkpoints)
    {
        Set(-1);
        if (checkpoints.Newest() is not { } found) return null;
        checkpoints.Load(found, Values);
        Assert.Equal($"after {found.Step}", found.Texts["said"]);
        Assert.All(Values, value =>
            Assert.All(value.Value.ToFloats(), number => Assert.Equal(found.Step + 0.5f, number)));
        return found.Step;
    }

    private string[] Files => [.. Directory.EnumerateFiles(folder).Select(path => Path.GetFileName(path)).Order()];

    private string PathOf(int step) => Path.Combine(folder, $"checkpoint-{step:D9}.safetensors");

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void The_newest_few_are_kept_and_the_newest_is_found(int keep)
    {
        var checkpoints = new Checkpoints(folder, keep);
        Assert.Null(Load(checkpoints));
        for (var (step, saved) = (0, 1); step < 50; (step, saved) = (step + 7, saved + 1))
        {
            Save(checkpoints, step);
            Assert.Equal(step, Load(checkpoints));
            Assert.Equal(Math.Min(saved, keep), Files.Length);
        }
        Save(checkpoints, 49);   // the same again, after an interruption
        Assert.Equal(49, Load(checkpoints));
        Assert.Equal(Enumerable.Range(0, keep).Select(i => PathOf(49 - 7 * i)).Select(Path.GetFileName).Order(), Files);
        checkpoints.Clear();
        Assert.Empty(Files);
    }

    [Fact]
    public void A_name_tells_its_step_however_long_it_is()
    {
        var checkpoints = new Checkpoints(folder, keep: 1);
        for (var step = 1L; step < 1_000_000_000_000_000_000; step *= 10)
            foreach (var near in (long[])[step - 1, step])
            {
                checkpoints.Save(near, Values, new Dictionary<string, string>());
                Assert.Equal(near, checkpoints.Newest()!.Step);
                Assert.Single(Files);
            }
    }

    // At every step that a disk makes, for one checkpoint kept and for more.
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void A_loss_of_power_or_a_kill_at_any_moment_leaves_the_old_checkpoint_or_the_new_one(int keep)
    {
        const int saves = 3;
        var counting = new LosingDisk();
        for (var step = 1; step <= saves; step++) Save(new Checkpoints(folder, keep, counting), step);
        Assert.True(counting.Steps >= saves * 6,
            "created, written, flushed, renamed, folder flushed, older ones removed");
        for (var last = 0; last <= counting.Steps; last++)
        {
            var (disk, completed) = (new LosingDisk(last), 0);
            try
            {
                for (var step = 1; step <= saves; step++)
                {
                    Save(new Checkpoints(folder, keep, disk), step);
                    completed = step;
                }
            }
            catch (LosingDisk.PowerLoss)
            {
            }
            foreach (var contents in disk.AfterPowerLoss().Append(disk.AfterKill()))
            {
                foreach (var file in Files) File.Delete(Path.Combine(folder, file));
                foreach (var (name, bytes) in contents) File.WriteAllBytes(Path.Combine(folder, name), bytes);
                var found = Load(new Checkpoints(folder, keep)) ?? 0;
                Assert.True(found == completed || found == completed + 1,
                    $"power lasted for {last} steps: {completed} saved, {found} found");

                // And the run goes on: what was left behind is gone after the next one.
                Save(new Checkpoints(folder, keep), (int)found + 1);
                Assert.Equal(found + 1, Load(new Checkpoints(folder, keep)));
                Assert.All(Files, file => Assert.StartsWith("checkpoint-", file));
                Assert.True(Files.Length <= keep);
            }
        }
    }

    [Fact]
    public void A_damaged_one_is_passed_over_with_a_notice_and_the_run_goes_on_from_the_one_before()
    {
        var checkpoints = new Checkpoints(folder);
        foreach (var step in (int[])[3, 5]) Save(checkpoints, step);
        var whole = File.ReadAllBytes(PathOf(5));
        for (var cut = 0; cut < whole.Length; cut += 997)
        {
            File.WriteAllBytes(PathOf(5), whole[..cut]);
            using var notices = HeardNotices.Containing(folder);
            Assert.Equal(3, Load(checkpoints));
            var notice = Assert.Single(notices.All);
            Assert.Contains(PathOf(5), notice);
            Assert.Contains(PathOf(3), notice);
        }
        Save(checkpoints, 4);   // the damaged one, which is newer, does not stand in its place
        Assert.Equal([PathOf(3), PathOf(4)], Files.Select(name => Path.Combine(folder, name)));

        File.Delete(PathOf(4));
        File.CreateSymbolicLink(PathOf(4), PathOf(4) + ".gone");   // one that the disk does not give
        Assert.Equal(3, Load(checkpoints));
        File.Delete(PathOf(4));

        foreach (var step in (int[])[3, 4]) File.WriteAllBytes(PathOf(step), whole[..50]);
        Assert.Contains(PathOf(4), Assert.Throws<InvalidDataException>(() => checkpoints.Newest()).Message);
    }

    [Fact]
    public void Other_numbers_are_refused_and_nothing_is_changed()
    {
        var checkpoints = new Checkpoints(folder);
        Save(checkpoints, 1);
        Set(8);
        var found = checkpoints.Newest()!;
        var other = new Parameter("other", Tensor.Zeros(new Shape(3)));
        var longer = new Parameter("bias", Tensor.Zeros(new Shape(4)));
        foreach (var (values, why) in ((Parameter[], string)[])
            [([weight], "bias"), ([.. Values, other], "other"), ([weight, longer], "bias [3] (here [4])")])
            Assert.Contains(why, Assert.Throws<InvalidDataException>(() => checkpoints.Load(found, values)).Message);
        Assert.All(weight.Value.ToFloats(), number => Assert.Equal(8.5f, number));
    }

    [Fact]
    public void Other_files_are_left_alone()
    {
        string[] others = ["model.safetensors", "checkpoint-1.safetensors", "checkpoint-000000000007.safetensors",
            "checkpoint-000000001.safetensors.old", ".hidden", "my-checkpoint-000000001.safetensors"];
        foreach (var name in others) File.WriteAllText(Path.Combine(folder, name), "not mine");
        var checkpoints = new Checkpoints(folder, keep: 1);
        Assert.Null(Load(checkpoints));
        foreach (var step in (int[])[1, 2]) Save(checkpoints, step);
        checkpoints.Clear();
        Assert.Equal(others.Order(), Files);
        Assert.Throws<ArgumentOutOfRangeException>(() => new Checkpoints(folder, keep: 0));
        Assert.Throws<ArgumentOutOfRangeException>(() =>
            checkpoints.Save(-1, Values, new Dictionary<string, string>()));
    }
}
