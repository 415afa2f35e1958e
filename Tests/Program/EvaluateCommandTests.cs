using Tapegrad.Datasets.Images;
using Tapegrad.Layers;
using Tapegrad.Tests.Datasets;
using Xunit;

namespace Tapegrad.Tests.Program;

public sealed class EvaluateCommandTests : IDisposable
{
    private readonly Cifar10Program program = new();

    public void Dispose() => program.Dispose();

    [Fact]
    public void Prints_loss_accuracy_classes_and_a_confusion_table_that_counts_every_image_once()
    {
        Assert.Equal(0, program.Run($"{Cifar10Program.Short} --out run").ExitCode);
        var outcome = program.Run("evaluate --weights run/model.safetensors --test-limit 100");
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        Assert.StartsWith("test loss: ", outcome.Lines[0]);
        var rows = outcome.Lines[2..^1].Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .ToArray();
        Assert.Equal(10, rows.Length);
        // Columns: name, accuracy, number, then how many were taken for each class. The first hundred shapes are ten of
        // each class.
        for (var actual = 0; actual < 10; actual++)
        {
            var counts = rows[actual][3..].Select(int.Parse).ToArray();
            Assert.Equal(10, counts.Sum());
            Assert.Equal(counts[actual] / 10.0, double.Parse(rows[actual][1]), 4);
        }
        Assert.Equal($"test accuracy: {rows.Select((row, k) => int.Parse(row[3 + k])).Sum() / 100.0:F4}",
            outcome.Lines[^1]);
    }

    // What is printed does not grow with the classes; the file has a line for each pair that happened.
    [Theory]
    [InlineData(10)]
    [InlineData(200)]
    [InlineData(2000)]
    public void Of_many_classes_the_worst_are_printed_and_all_pairs_are_in_the_file(int classes)
    {
        Directory.CreateDirectory(program.PathOf("many"));
        var model = new ModelSpec("resnet8", "layer", Classes: classes).Build(seed: 1);
        for (var k = 0; k < classes; k++)
            foreach (var i in (int[])[0, 1])
                program.WritePicture($"many/class {k}/{i}.png",
                    new Picture(8, 8, 3, [.. Enumerable.Repeat((byte)(37 * k + i), 192)]));
        model.Save(program.PathOf("many.safetensors"));
        var evaluated = program.Succeed("evaluate --weights many.safetensors --data many --confusion all.csv");
        Assert.InRange(evaluated.Lines.Length, 13, 50);
        var pairs = File.ReadAllLines(program.PathOf("all.csv"))[1..].Select(line => line.Split(',')).ToArray();
        // one image of each class is tested on
        Assert.Equal((classes, classes), (pairs.Length, pairs.Sum(pair => int.Parse(pair[2]))));
        Assert.Equal(classes > 20, evaluated.Output.Contains($"the worst of {classes} classes"));
        Assert.Equal($"test accuracy: {pairs.Count(pair => pair[0] == pair[1]) / (double)classes:F4}",
            evaluated.Lines.Single(line => line.StartsWith("test acc")));
    }

    [Fact]
    public void Images_are_normalized_as_the_network_was_trained()
    {
        Assert.Equal(0, program.Run($"{Cifar10Program.Short} --out run").ExitCode);
        string LossWith(string mean, string std)
        {
            var model = ModelSpec.Rebuild(program.PathOf("run", "model.safetensors"));
            (model.Metadata["input_mean"], model.Metadata["input_std"]) = (mean, std);
            model.Save(program.PathOf("other.safetensors"));
            return program.Run("evaluate --weights other.safetensors --test-limit 20").Lines[0];
        }
        var first = LossWith("0.5,0.5,0.5", "0.25,0.25,0.25");
        Assert.StartsWith("test loss: ", first);
        Assert.NotEqual(first, LossWith("0.4,0.5,0.5", "0.25,0.25,0.25"));
        Assert.NotEqual(first, LossWith("0.5,0.5,0.5", "0.25,0.25,0.3"));
    }

    [Fact]
    public void Refuses_weights_that_are_missing_or_broken_and_other_data()
    {
        Assert.Equal(0, program.Run($"{Cifar10Program.Short} --out run").ExitCode);
        program.AssertRefused("evaluate --weights nothing.safetensors", "--weights", "nothing.safetensors");
        program.AssertRefused("evaluate", "--weights");
        program.AssertRefused("evaluate --weights run", "--weights run", "folder", "model.safetensors");
        var bytes = File.ReadAllBytes(program.PathOf("run", "model.safetensors"));
        File.WriteAllBytes(program.PathOf("cut.safetensors"), bytes[..^1]);
        program.AssertRefused("evaluate --weights cut.safetensors", "cut.safetensors");
        program.BlackCifar10();
        program.AssertRefused("evaluate --weights run/model.safetensors --data black", "Shapes10", "CIFAR-10");
    }

    // One would take the place of the other, and both would be said to be there.
    [Fact]
    public void Refuses_to_write_two_tables_into_one_file()
    {
        new ModelSpec("resnet8", "layer").Build(seed: 1).Save(program.PathOf("new.safetensors"));
        const string evaluate = "evaluate --weights new.safetensors --mistakes x.csv --confusion";
        program.AssertRefused($"{evaluate} x.csv", "--confusion x.csv: --mistakes writes this file too");
        program.AssertRefused($"{evaluate} ./x.csv", "--confusion ./x.csv: --mistakes writes this file too");
        if (OperatingSystem.IsWindows()) return;
        File.CreateSymbolicLink(program.PathOf("link.csv"), program.PathOf("x.csv"));
        program.AssertRefused($"{evaluate} link.csv", "--confusion link.csv: --mistakes writes this file too");
    }

    [Theory]
    [InlineData("x.pt", "pickles", "safetensors.torch.save_file")]
    [InlineData("x.npz", "arrays", "convert --from x.npz")]
    public void Refuses_weights_of_other_kinds_and_says_how_they_become_a_network(string name, string what,
        string remedy)
    {
        File.WriteAllBytes(program.PathOf(name), [80, 75, 3, 4, 0, 0, 0, 0, 0, 0]);
        program.AssertRefused($"evaluate --weights {name}", $"--weights {name}", what, remedy);
        program.AssertRefused($"train --from {name}", $"--from {name}", what, remedy);
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.PositiveInfinity)]
    public void Refuses_to_measure_scores_that_are_no_numbers(float wrong)
    {
        Assert.Equal(0, program.Run($"{Cifar10Program.Short} --out run").ExitCode);
        var model = ModelSpec.Rebuild(program.PathOf("run", "model.safetensors"));
        var last = model.Parameters[^1];
        last.Value = Tensor.From([.. Enumerable.Repeat(wrong, last.Count)], last.Shape);
        model.Save(program.PathOf("wrong.safetensors"));
        var outcome = program.Run("evaluate --weights wrong.safetensors --test-limit 20 --gallery mistakes.html");
        outcome.AssertRefused("wrong.safetensors", "not finite");
        Assert.Empty(outcome.Output);
        Assert.False(File.Exists(program.PathOf("mistakes.html")));
    }

    // Shapes10 takes the place of CIFAR-10 in training alone: how well a network does on images that it was not made
    // for says nothing.
    [Fact]
    public void Refuses_to_evaluate_on_shapes_what_was_not_trained_on_them()
    {
        var model = new ModelSpec("resnet8", "group:8", Classes: 10).Build(seed: 1);
        foreach (var dataset in (string[])["", "CIFAR-10"])
        {
            if (dataset != "") model.Metadata["dataset"] = dataset;
            model.Save(program.PathOf("weights.safetensors"));
            var outcome = program.Run("evaluate --weights weights.safetensors");
            outcome.AssertRefused("CIFAR-10 is neither in --data", "--data FOLDER");
            Assert.Empty(outcome.Output);
        }
    }

    // Weights that come from elsewhere say nothing of their images but how many classes and channels they have.
    [Fact]
    public void Refuses_images_that_do_not_fit_weights_which_say_little()
    {
        program.BlackCifar10();
        new ModelSpec("resnet8", "group:8", Classes: 7).Build(seed: 1).Save(program.PathOf("seven.safetensors"));
        program.AssertRefused("evaluate --weights seven.safetensors --data black --test-limit 10", "seven.safetensors",
            "7 classes", "10");
        new ModelSpec("resnet8", "group:8", Classes: 10, Inputs: 1).Build(seed: 1)
            .Save(program.PathOf("grey.safetensors"));
        program.AssertRefused("evaluate --weights grey.safetensors --data black --test-limit 10", "grey.safetensors",
            "it takes images of 1 channels");
        new ModelSpec("vgg", "group:8", Classes: 10, Inputs: 1).Build(seed: 1).Save(program.PathOf("vgg.safetensors"));
        WriteIdx("small", test: 10);
        program.AssertRefused("evaluate --weights vgg.safetensors --data small", "vgg.safetensors", "images of 8x8");
        Assert.Equal(0,
            program.Run("train --model resnet8 --norm group:8 --batch 4 --epochs 1 --train-limit 8 --data small --out "
                + "small-run").ExitCode);
        WriteIdx("large", test: 10, side: 12);
        program.AssertRefused("evaluate --weights small-run/model.safetensors --data large", "input_size", "8x8",
            "12x12");
        WriteIdx("none", test: 0);
        program.AssertRefused("evaluate --weights grey.safetensors --data none", "--data", "no image to test on");
        program.AssertRefused("train --model resnet8 --batch 4 --data none", "--data", "no image to test on");
    }

    [Fact]
    public void Refuses_a_batch_normalization_that_has_seen_nothing()
    {
        new ModelSpec("resnet8", "batch", Classes: 10).Build(seed: 1).Save(program.PathOf("new.safetensors"));
        program.AssertRefused("evaluate --weights new.safetensors --data black", "--data");
        program.BlackCifar10();
        program.AssertRefused("evaluate --weights new.safetensors --data black --test-limit 10", "new.safetensors",
            "bn1", "no running statistics");
    }

    [Fact]
    public void Refuses_options_that_the_images_leave_nothing_to_do()
    {
        WriteIdx("small", test: 10);
        new ModelSpec("resnet8", "layer", Classes: 10, Inputs: 1).Build(seed: 1)
            .Save(program.PathOf("grey.safetensors"));
        const string evaluate = "evaluate --weights grey.safetensors --data small";
        foreach (var views in (string[])["flip", "flip+shift"])
            program.AssertRefused($"{evaluate} --tta {views}", $"error: --tta {views}: images of IDX are not mirrored",
                "'shift'");
        program.AssertRefused($"{evaluate} --strict", "error: --strict: ", "IDX");
        program.Succeed($"{evaluate} --tta shift");
    }

    // Of one class everything is right.
    [Fact]
    public void Refuses_images_of_a_single_class()
    {
        WriteIdx("one", test: 10, classes: 1);
        program.AssertRefused("train --data one --model resnet8", "error: --data: 'one' has only one class", "two");
        new ModelSpec("resnet8", "layer", Classes: 1, Inputs: 1).Build(seed: 1)
            .Save(program.PathOf("one.safetensors"));
        program.AssertRefused("evaluate --data one --weights one.safetensors", "'one' has only one class");
    }

    // Black images of ten classes.
    private void WriteIdx(string name, int test, int side = 8, int classes = 10)
    {
        Directory.CreateDirectory(program.PathOf(name));
        foreach (var (part, count) in ((string, int)[])[("train", 20), ("t10k", test)])
        {
            File.WriteAllBytes(program.PathOf(name, $"{part}-images-idx3-ubyte"),
                IdxTests.Encode(0x803, [count, side, side], new byte[side * side * count]));
            File.WriteAllBytes(program.PathOf(name, $"{part}-labels-idx1-ubyte"),
                IdxTests.Encode(0x801, [count], [.. Enumerable.Range(0, count).Select(i => (byte)(i % classes))]));
        }
    }
}
