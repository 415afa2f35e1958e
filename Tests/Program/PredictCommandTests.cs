using System.Text.Json;
using Tapegrad.Datasets.Images;
using Tapegrad.Examples.Cifar10;
using Tapegrad.Layers;
using Tapegrad.Training;
using Xunit;

namespace Tapegrad.Tests.Program;

/// <summary>
/// The command 'predict': what it shows, and files of weights that say too little, or what would harm a terminal.
/// </summary>
public sealed class PredictCommandTests : IDisposable
{
    private readonly Cifar10Program program = new();

    public void Dispose() => program.Dispose();

    [Fact]
    public void Bars_are_as_long_as_a_class_is_probable()
    {
        var lines = PredictCommand.ToBars("a.png",
            [new Prediction("cat", 0.5), new Prediction("tabby", 0.25), new Prediction("dog", 0)]).Split('\n');
        Assert.Equal(["a.png", $"  cat    {new string('█', 15)}{new string(' ', 15)}  50.0 %",
            $"  tabby  {new string('█', 7)}▌{new string(' ', 22)}  25.0 %",
            $"  dog    {new string(' ', 30)}   0.0 %"], lines);
        Assert.Contains(new string('█', 30) + " 100.0 %", PredictCommand.ToBars("a", [new Prediction("x", 1)]));
    }

    // A sign of Chinese takes two columns, and an accent above a letter none.
    [Theory]
    [InlineData("cat", "cat   ")]
    [InlineData("猫", "猫    ")]
    [InlineData("e\u0301", "e\u0301     ")]
    [InlineData("longer than this", "longer than this")]
    public void Columns_are_filled_by_what_a_terminal_shows(string name, string expected) =>
        Assert.Equal(expected, Line.Pad(name, 6));

    // A file of weights that says all that 'predict' needs, of images of 8 x 8 pixels.
    private Module Described(string architecture = "resnet8", string size = "8x8")
    {
        var model = new ModelSpec(architecture, "layer", Classes: 2).Build(seed: 1);
        foreach (var (key, text) in ((string, string)[])[("class_names", "one,two"), ("input_mean", "0.5,0.5,0.5"),
            ("input_std", "1,1,1"),
            ("input_size", size)])
            model.Metadata[key] = text;
        program.WritePicture("a.png", new Picture(5, 5, 1, new byte[25]));
        return model;
    }

    // As 'evaluate' refuses them.
    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void Scores_that_are_no_numbers_are_refused(float wrong)
    {
        var model = Described();
        var last = model.Parameters[^1];
        last.Value = Tensor.From([wrong, .. new float[last.Count - 1]], last.Shape);
        model.Save(program.PathOf("wrong.safetensors"));
        const string predict = "predict --weights wrong.safetensors a.png";
        var outcome = program.Run(predict);
        Assert.Equal((1, ""), (outcome.ExitCode, outcome.Output));
        Assert.Contains("error: a.png: wrong.safetensors: its scores are not finite", outcome.Error);
        var json = program.Run($"{predict} --json");
        Assert.Equal(1, json.ExitCode);
        Assert.Contains("not finite",
            JsonDocument.Parse(json.Lines.Single()).RootElement.GetProperty("error").GetString());
    }

    // A shell that puts a folder's files in the place of '*' hands over whatever they are called.
    [Fact]
    public void Names_of_files_are_not_read_for_options()
    {
        Described().Save(program.PathOf("two.safetensors"));
        File.Copy(program.PathOf("a.png"), program.PathOf("@b.png"));
        File.WriteAllText(program.PathOf("b.png"), "--json");
        Assert.StartsWith("@b.png\t", program.Succeed("predict --weights two.safetensors @b.png").Lines[0]);
        program.AssertRefused("predict --weights two.safetensors a.png \"\"", "image ''", "not empty");
        Directory.CreateDirectory(program.PathOf("folder"));
        program.AssertRefused("predict --weights two.safetensors folder", "folder: it is a folder, not a file");
    }

    [Fact]
    public void A_full_disk_is_not_taken_for_an_image_that_cannot_be_read()
    {
        if (!File.Exists("/dev/full")) return;   // Linux has it
        Described().Save(program.PathOf("two.safetensors"));
        var outcome = program.RunInto("/dev/full", "predict --weights two.safetensors a.png");
        outcome.AssertRefused("what is printed cannot be written", "No space left");
        Assert.DoesNotContain("a.png", outcome.Error);
    }

    [Fact]
    public void Images_too_small_for_the_network_are_refused_in_a_line()
    {
        Described("vgg", "16x16").Save(program.PathOf("vgg.safetensors"));
        program.AssertRefused("predict --weights vgg.safetensors a.png", "vgg.safetensors", "16x16");
    }

    // What a stranger's file says reaches the terminal as text, and as one field.
    [Fact]
    public void Names_of_classes_neither_colour_a_terminal_nor_break_a_line()
    {
        var model = Described();
        model.Metadata["class_names"] = JsonSerializer.Serialize((string[])["ca\u001b[31mts\nx", "do\tgs"]);
        model.Save(program.PathOf("names.safetensors"));
        var line = Assert.Single(program.Succeed("predict --weights names.safetensors a.png").Lines);
        Assert.DoesNotContain('\u001b', line);
        Assert.Equal(["ca?[31mts x", "do?gs"], ((string[])[line.Split('\t')[1], line.Split('\t')[3]]).Order());
        var named = JsonDocument.Parse(program.Succeed("predict --json --weights names.safetensors a.png").Lines[
            0]).RootElement.GetProperty("predictions");
        Assert.Equal(["ca\u001b[31mts\nx", "do\tgs"],
            named.EnumerateArray().Select(guess => guess.GetProperty("class").GetString()).Order());
        Assert.DoesNotContain(PredictCommand.ToBars("a\u001bb", [new Prediction("c\u001bd", 1)]), letter =>
            char.IsControl(letter) && letter != '\n');
        // right to left it would read otherwise
        Assert.Equal("a?gnp?.exe??", Line.Of("a\u202Egnp\u202C.exe\u2066\u2069"));

        // The same in the table of 'evaluate', and in messages.
        if (OperatingSystem.IsWindows()) return;   // no such folders there
        foreach (var name in (string[])["ca\u001b[31mts\nx", "do\tgs"])
            for (var i = 0; i < 2; i++)
                program.WritePicture($"pictures/{name}/{i}.png", new Picture(8, 8, 3, new byte[192]));
        File.WriteAllBytes(program.PathOf("pictures", "do\tgs", "\u001b[2J.png"), [1]);
        Assert.Contains("ca?[31mts x", Succeeded().Output);
        model.Metadata["class_names"] = "\u001b[2Jone,two";
        model.Save(program.PathOf("names.safetensors"));
        var outcome = program.Run("evaluate --weights names.safetensors --data pictures");
        Assert.Equal(1, outcome.ExitCode);
        Assert.DoesNotContain('\u001b', outcome.Error);

        Outcome Succeeded()
        {
            var evaluated = program.Succeed("evaluate --weights names.safetensors --data pictures");
            Assert.DoesNotContain('\u001b', evaluated.Output + evaluated.Error);
            Assert.Contains("left out", evaluated.Error);
            return evaluated;
        }
    }

    [Fact]
    public void Weights_that_do_not_say_enough_are_refused()
    {
        var model = new ModelSpec("resnet8", "layer", Classes: 2).Build(seed: 1);
        void AssertMissing(params string[] words)
        {
            model.Save(program.PathOf("bare.safetensors"));
            program.AssertRefused("predict --weights bare.safetensors a.png", words);
        }
        AssertMissing("names of its classes");
        model.Metadata["class_names"] = "one,two,three";
        AssertMissing("names of its classes");
        model.Metadata["class_names"] = "[1";
        AssertMissing("names of its classes");
        model.Metadata["class_names"] = "one,two";
        AssertMissing("mean and the deviation");
        (model.Metadata["input_mean"], model.Metadata["input_std"]) = ("0.5", "0.5");
        AssertMissing("mean and the deviation");
        (model.Metadata["input_mean"], model.Metadata["input_std"]) = ("0.5,0.5,0.5", "0.5,0.5,0");
        AssertMissing("mean and the deviation");
        (model.Metadata["input_std"], model.Metadata["input_size"]) = ("0.5,0.5,0.5", "8x9");
        AssertMissing("8x9 with 3 channels");
        foreach (var size in (string[])["1025x1025", "16384x16384", "x", "0"])
        {
            model.Metadata["input_size"] = size;
            AssertMissing("size of its images");
        }
        model.Metadata["input_size"] = "8";
        AssertMissing("a.png");
        program.WritePicture("a.png", new Picture(5, 5, 1, new byte[25]));
        Assert.StartsWith("a.png\t", program.Succeed("predict --weights bare.safetensors a.png").Lines[0]);
        program.AssertRefused("predict --weights bare.safetensors /dev/stdin", "/dev/stdin", "a pipe or a device");
        program.AssertRefused("predict --weights nothing.safetensors a.png", "--weights", "nothing.safetensors");
        program.AssertRefused("predict --weights bare.safetensors", "Required");
    }
}
