using System.Text;
using System.Text.Json.Nodes;
using Tapegrad.Layers;
using Tapegrad.Layers.Files;
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
        Path.Combine(Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath(),
            $"tapegrad-test-{Guid.NewGuid()}")).FullName;
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
    [InlineData("\"resnet8\"", "null", "does not say")]
    [InlineData("\"resnet8\"", "\"resnet9\"", "the recipe of its run is none: Model resnet9: it must be")]
    [InlineData("\"epochs\":3", "\"epochs\":-3", "Epochs -3: it must be")]
    [InlineData("\"seed\":1", "\"seed\":1,\"colour\":2", "does not say")]
    [InlineData("\"version\":4", "\"version\":5", "another version of this library")]
    public void Recipes_that_nobody_could_follow_are_refused(string old, string other, string why)
    {
        Assert.Contains(old, Text);
        Assert.Contains(why, Assert.Throws<InvalidDataException>(() => Read(Say(Text.Replace(old, other)))).Message);
    }

    // As it was written before recipes were objects.
    [Fact]
    public void A_checkpoint_of_the_first_version_is_refused_in_words()
    {
        const string first = """
            {"Options":["--lr","0.1"],"Data":null,"Images":"00ff","Place":{"Epoch":1,"Batch":0,"LossSum":0,"Correct":0,"OptimizerCounters":[0,0],"AverageSteps":0},"Accuracy":null,"Metrics":""}
            """;
        Assert.Contains("its text is of version 1, and this one goes on from 4",
            Assert.Throws<InvalidDataException>(() => Read(Say(first))).Message);
    }

    // What is left out would be taken for 0 or nothing, and the run would go on as another.
    [Fact]
    public void Nothing_may_be_left_out()
    {
        var whole = JsonNode.Parse(Text)!.AsObject();
        foreach (var place in (string[])["", "place", "recipe"])
            foreach (var name in (place == "" ? whole : whole[place]!.AsObject()).Select(property => property.Key))
            {
                var part = whole.DeepClone();
                (place == "" ? part : part[place]!).AsObject().Remove(name);
                Assert.Contains("does not say",
                    Assert.Throws<InvalidDataException>(() => Read(Say(part.ToJsonString()))).Message);
            }
        Read(Say(whole.ToJsonString()));
    }

    private static SavedRun Run =>
        new(SavedRun.Newest, new Recipe { Model = "resnet8", LearningRate = 0.1, Epochs = 3 }, "/data", "00ff",
            new Position(2, 3, 4.5, 6, [7, 7], 7), 0.5, "{}\n", ["bn1"]);

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
        string[] words = ["null", "-1", "9999999999999999999999", "1e999", "\"", "[", "]", "{", "}", "[[[[",
            "7", "true",
            "\"batch\"", "\"\"", ",", ":", "\"place\""];
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
        checkpoints.Load(found, [weight]);
    }
}
