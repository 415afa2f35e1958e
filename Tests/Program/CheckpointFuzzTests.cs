using System.CommandLine;
using System.Text;
using System.Text.Json.Nodes;
using Tapegrad.Examples.Cifar10;
using Tapegrad.Layers;
using Tapegrad.Layers.Formats;
using Tapegrad.Optimizers;
using Tapegrad.Tests.Fuzzing;
using Tapegrad.Training;
using Xunit;
using Xunit.Abstractions;

namespace Tapegrad.Tests.Program;

/// <summary>No damaged checkpoint does anything but go on or be refused: the numbers, the place, the recipe.</summary>
public sealed class CheckpointFuzzTests(ITestOutputHelper output) : IDisposable
{
    // In memory where that can be: every valid checkpoint is flushed.
    private readonly string folder = Directory.CreateDirectory(
        Path.Combine(Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath(), $"tapegrad-test-{Guid.NewGuid()}")).FullName;
    private readonly Parameter weight = new("weight", Tensor.Zeros(new Shape(2, 3)));

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private string FilePath => Path.Combine(folder, "checkpoint-000000007.safetensors");

    [Fact]
    public void Damaged_checkpoints_go_on_or_are_refused() => Fuzz(Valid()).Run(output);

    [Fact]
    public void Checkpoints_that_were_cut_anywhere_are_refused() => Fuzz(Valid()).CutEverywhere(Valid());

    [Theory]
    [InlineData("{}", "does not say")]
    [InlineData("null", "does not say")]
    [InlineData("[", "does not say")]
    public void A_text_that_is_none_of_a_run_is_refused(string text, string why) =>
        Assert.Contains(why, Assert.Throws<InvalidDataException>(() => Read(Say(text))).Message);

    [Theory]
    [InlineData(null, "does not say")]
    [InlineData("--lr high", "--lr 'high'")]
    [InlineData("--colour blue", "--colour")]
    public void Options_that_nobody_could_type_are_refused(string? options, string why)
    {
        var run = Run with { Options = options?.Split(' ') ?? [null!] };
        Assert.Contains(why, Assert.Throws<InvalidDataException>(() => Read(Say(run.ToTexts()["run"]))).Message);
    }

    // What is left out would be taken for 0 or nothing, and the run would go on as another.
    [Fact]
    public void Nothing_may_be_left_out()
    {
        var whole = JsonNode.Parse(Text)!.AsObject();
        foreach (var place in (string[])["", "Place"])
            foreach (var name in (place == "" ? whole : whole[place]!.AsObject()).Select(property => property.Key))
            {
                var part = whole.DeepClone();
                (place == "" ? part : part[place]!).AsObject().Remove(name);
                Assert.Contains("does not say", Assert.Throws<InvalidDataException>(() => Read(Say(part.ToJsonString()))).Message);
            }
        Read(Say(whole.ToJsonString()));
    }

    // An argument '@name' stands for the arguments in that file, where a person types it; in a stranger's checkpoint it must not.
    [Fact]
    public void A_recipe_does_not_read_files()
    {
        var secret = Path.Combine(folder, "secret");
        File.WriteAllText(secret, "--secret word");
        var run = Run with { Options = [$"@{secret}"] };
        new Checkpoints(folder).Save(7, [weight], run.ToTexts());
        var message = Assert.Throws<InvalidDataException>(() => Read(File.ReadAllBytes(FilePath))).Message;
        Assert.DoesNotContain("word", message);
    }

    private static SavedRun Run =>
        new(["--lr", "0.1", "--model", "resnet8"], "/data", "00ff", new Position(2, 3, 4.5, 6, [7, 7], 7), 0.5, "{}\n");

    private Fuzzer Fuzz(byte[] valid) => new("checkpoint", [valid], Read)
    {
        Inputs = 2000,   // each is a file with hashes, read with its recipe
        Mutators =
        [
            (input, random) => Say(random.Next(2) == 0 ? Change(Text, random) : Change(Change(Text, random), random)),
            (input, random) => Encoding.Latin1.GetBytes(Change(Encoding.Latin1.GetString(input), random)),
        ],
    };

    private static string Text => Run.ToTexts()["run"];

    // A whole file, hashes and all, with another text.
    private byte[] Say(string text)
    {
        new Checkpoints(folder, keep: 1).Save(7, [weight], new Dictionary<string, string> { ["run"] = text });
        return File.ReadAllBytes(FilePath);
    }

    private static string Change(string text, Random random)
    {
        string[] words = ["null", "-1", "9999999999999999999999", "1e999", "\"", "[", "]", "{", "}", "[[[[", "7", "true",
            "\"--lr\"", "\"@x\"", "\"--\"", "\"--help\"", ",", ":", "\"Place\""];
        var at = random.Next(text.Length);
        return text[..at] + words[random.Next(words.Length)] + text[Math.Min(text.Length, at + random.Next(6))..];
    }

    private byte[] Valid() => Say(Text);

    private void Read(byte[] file)
    {
        File.WriteAllBytes(FilePath, file);
        var checkpoints = new Checkpoints(folder);
        var found = checkpoints.Newest()!;
        var run = SavedRun.From(found, folder);
        run.ToTexts();   // what can be read can be written again
        var root = new RootCommand();
        TrainCommand.AddTo(root);
        TrainOptions.GoingOn(root.Parse(["train", "--resume", folder]), run.Options);
        checkpoints.Load(found, [weight]);
    }
}
