using System.Text.Json;
using System.Text.RegularExpressions;
using Tapegrad.Datasets.Images;
using Tapegrad.Layers;
using Tapegrad.Tests.Datasets;
using Xunit;

namespace Tapegrad.Tests.Program;

/// <summary>Images of one's own, end to end: trained on, evaluated, predicted.</summary>
public sealed class OwnImagesTests : IDisposable
{
    private readonly Cifar10Program program = new();

    public void Dispose() => program.Dispose();

    private const string Training =
        "train --data pictures --model resnet8 --norm batch --epochs 6 --batch 16 --lr 0.02 --size 16 --out run";

    // Bright and dark pictures of several sizes, the second class with a comma in its name.
    private void WritePictures(int each = 30)
    {
        var random = new Random(1);
        foreach (var (name, least) in ((string, int)[])[("dark", 0), ("light, bright", 150)])
            for (var i = 0; i < each; i++)
            {
                var (height, width) = (10 + random.Next(30), 10 + random.Next(30));
                byte[] pixels =
                    [.. Enumerable.Range(0, height * width * 3).Select(_ => (byte)(least + random.Next(100)))];
                program.WritePicture($"pictures/{name}/{i}.png", new Picture(height, width, 3, pixels));
            }
    }

    [Fact]
    public void A_folder_of_images_is_trained_on_evaluated_and_predicted()
    {
        WritePictures();
        File.WriteAllBytes(program.PathOf("pictures", "dark", "broken.png"), [1, 2, 3]);
        var trained = program.Succeed(Training);
        Assert.Contains("48 images to train on and 12 to test on, 2 classes, 16x16 pixels, 0.0 MB", trained.Lines[0]);
        Assert.Contains("broken.png", Assert.Single(trained.Error.Trim().Split('\n')));
        Assert.Equal("test accuracy: 1.0000", trained.Lines[^1]);
        Assert.Single(Directory.GetFiles(program.PathOf("cache", "tapegrad"), "images-*.cache"));
        var model = ModelSpec.Rebuild(program.PathOf("run", "model.safetensors"));
        Assert.Equal("""["dark","light, bright"]""", model.Metadata["class_names"]);
        Assert.Equal("16x16", model.Metadata["input_size"]);

        var evaluated =
            program.Succeed("evaluate --weights run/model.safetensors --data pictures --gallery mistakes.html");
        Assert.Contains("mistakes.html: not written: there is no mistake to show", evaluated.Output);
        Assert.Contains("test accuracy: 1.0000", evaluated.Output);

        const string images =
            "\"pictures/light, bright/3.png\" broken.png pictures/dark/broken.png pictures/dark/4.png";
        var predicted = program.Run($"predict --weights run/model.safetensors {images}");
        Assert.Equal(1, predicted.ExitCode);
        Assert.Equal(2, predicted.Error.Trim().Split('\n').Length);
        Assert.All(predicted.Error.Trim().Split('\n'), line => Assert.Contains("broken.png", line));
        var lines = predicted.Lines.Select(line => line.Split('\t')).ToArray();
        Assert.Equal(["pictures/light, bright/3.png", "pictures/dark/4.png"], lines.Select(line => line[0]));
        Assert.Equal(["light, bright", "dark"], lines.Select(line => line[1]));
        Assert.All(lines, line => Assert.Equal(1, double.Parse(line[2]) + double.Parse(line[4]), 1e-4));
        Assert.All(lines, line => Assert.InRange(double.Parse(line[2]), 0.5, 1));

        var json = program.Run("predict --json --top 1 --weights run/model.safetensors pictures/dark/4.png "
            + "pictures/dark/broken.png");
        Assert.Equal(1, json.ExitCode);
        var objects = json.Lines.Select(line => JsonDocument.Parse(line).RootElement).ToArray();
        var guess = Assert.Single(objects[0].GetProperty("predictions").EnumerateArray());
        Assert.Equal(("pictures/dark/4.png", "dark"),
            (objects[0].GetProperty("image").GetString(), guess.GetProperty("class").GetString()));
        Assert.Equal(double.Parse(lines[1][2]), guess.GetProperty("probability").GetDouble(), 1e-4);
        Assert.Contains("broken.png", objects[1].GetProperty("error").GetString());
    }

    [Fact]
    public void Weights_from_elsewhere_predict_once_they_are_told_what_they_were_trained_on()
    {
        WritePictures(12);
        program.Succeed(Training.Replace("--epochs 6", "--epochs 1"));
        var trained = ModelSpec.Rebuild(program.PathOf("run", "model.safetensors"));
        StateDict.Save(trained, program.PathOf("bare.npz"));
        const string convert = "convert --from bare.npz --model resnet8 --norm batch";
        program.Succeed($"{convert} --classes 2 --to bare.safetensors");
        program.AssertRefused("predict --weights bare.safetensors pictures/dark/3.png", "the names of its classes",
            "convert --data");

        program.Succeed($"{convert} --data pictures --size 16 --to told.safetensors");
        const string predict = "predict pictures/dark/3.png --weights";
        Assert.Equal(program.Succeed($"{predict} run/model.safetensors").Output,
            program.Succeed($"{predict} told.safetensors").Output);
        var told = ModelSpec.Rebuild(program.PathOf("told.safetensors")).Metadata;
        Assert.Equal(trained.Metadata, told);

        program.Succeed($"{convert} --data pictures --size 16 --mean 0.5,0.25,0.125 --std 0.2,0.3,1e-1 --to "
            + "other.safetensors");
        var other = ModelSpec.Rebuild(program.PathOf("other.safetensors")).Metadata;
        Assert.Equal(("0.5,0.25,0.125", "0.2,0.3,0.1"), (other["input_mean"], other["input_std"]));
        Assert.Equal(told.Where(pair => pair.Key is not ("input_mean" or "input_std")),
            other.Where(pair => pair.Key is not ("input_mean" or "input_std")));

        foreach (var wrong in (string[])["--mean 1,2,3", "--mean 1,2,3 --std 1,2", "--mean 1,2,3 --std 1,0,1",
            "--mean 1,2,x --std 1,1,1"])
            program.AssertRefused($"{convert} --data pictures --to a.safetensors {wrong}", "3 numbers");
        program.AssertRefused($"{convert} --data pictures --classes 3 --to a.safetensors", "2 classes", "3");
        program.AssertRefused($"{convert} --data pictures --channels 1 --to a.safetensors", "3 channels", "1");
        foreach (var idle in (string[])["--mean 1,2,3", "--std 1,1,1", "--size 16"])
            program.AssertRefused($"{convert} --to a.safetensors {idle}", "--data");
        program.AssertRefused("convert --from bare.npz --to a.safetensors --data pictures", "--data", "--model");
        Assert.False(File.Exists(program.PathOf("a.safetensors")));
    }

    [Fact]
    public void What_cannot_be_trained_leaves_an_earlier_run_as_it_is()
    {
        WritePictures(8);
        program.Succeed(Training.Replace("--epochs 6", "--epochs 1").Replace("--batch 16", "--batch 8"));
        var before = Directory.GetFiles(program.PathOf("run")).Order()
            .Select(file => (file, Convert.ToHexString(File.ReadAllBytes(file)))).ToArray();
        program.AssertRefused("train --data pictures --size 2 --model vgg --norm layer --batch 8 --out run --overwrite",
            "--model vgg", "2x2");
        Assert.Equal(before, Directory.GetFiles(program.PathOf("run")).Order()
            .Select(file => (file, Convert.ToHexString(File.ReadAllBytes(file)))));
    }

    // It would be taken for a class of theirs, and the run could not go on.
    [Fact]
    public void A_run_does_not_lie_among_its_images()
    {
        WritePictures(8);
        File.WriteAllBytes(program.PathOf("pictures", "dark", "broken.png"), [1, 2, 3]);   // whoever reads it says so
        const string options = "--model resnet8 --epochs 1 --batch 8";
        program.AssertRefused($"train --data pictures {options} --out pictures/run",
            "--out pictures/run: it lies in the folder of the data");
        Directory.CreateSymbolicLink(program.PathOf("elsewhere"), program.PathOf("pictures", "dark"));
        program.AssertRefused($"train --data pictures {options} --out elsewhere",
            "--out elsewhere: it lies in the folder of the data");
        program.AssertRefused($"train --data pictures {options} --download", "--download", "--data");
        Assert.Equal(["dark", "light, bright"], Directory.GetFileSystemEntries(program.PathOf("pictures"))
            .Select(Path.GetFileName).Order());

        // Where nobody has given --out, it is to be given.
        foreach (var name in (string[])["dark", "light"])
            program.WritePicture($"{name}/0.png", new Picture(1, 1, 3, new byte[3]));
        program.AssertRefused($"train --data . {options}",
            "--out: without it 'runs' is written, in the folder of the data");
        Assert.False(Directory.Exists(program.PathOf("runs")));
    }

    // That can take minutes.
    [Fact]
    public void A_wrong_place_for_a_run_or_a_table_is_refused_before_images_are_read()
    {
        WritePictures(2);
        File.WriteAllBytes(program.PathOf("pictures", "dark", "broken.png"), [1, 2, 3]);   // whoever reads it says so
        File.WriteAllText(program.PathOf("occupied"), "");
        Directory.CreateDirectory(program.PathOf("old"));
        File.WriteAllText(program.PathOf("old", "run.json"), "");
        var model = new ModelSpec("resnet8", "layer", Classes: 2).Build(seed: 1);
        model.Save(program.PathOf("new.safetensors"));
        foreach (var (command, words) in ((string, string)[])[("train --out occupied/run",
            "--out: the folder 'occupied/run' cannot be written"),
            ("train --out old", "exists already"), ("train --out pictures/run", "--out pictures/run: it lies in"),
            ("evaluate --weights new.safetensors --mistakes pictures/a.csv", "--mistakes pictures/a.csv: it lies in")])
        {
            var outcome = program.Run($"{command} --data pictures");
            outcome.AssertRefused(words);
            Assert.Empty(outcome.Output);
        }
        Assert.False(Directory.Exists(program.PathOf("cache")));
    }

    [Fact]
    public void Other_images_of_as_many_classes_get_a_new_last_layer_and_the_size_of_the_weights()
    {
        WritePictures(8);
        program.Succeed(Training.Replace("--epochs 6", "--epochs 1").Replace("--batch 16", "--batch 4"));
        float[] Last(string run) =>
            ModelSpec.Rebuild(program.PathOf(run, "model.safetensors")).Parameters[^2].Value.ToFloats();
        string From(string data, string run)
        {
            var outcome =
                program.Succeed($"train --from run/model.safetensors --data {data} --epochs 1 --batch 4 --lr 0 "
                    + $"--weight-decay 0 --out {run}");
            Assert.Contains("16x16 pixels", outcome.Lines[0]);
            return Assert.Single(outcome.Lines, line => line.StartsWith("begins with", StringComparison.Ordinal));
        }
        Assert.Equal("begins with the weights of run/model.safetensors", From("pictures", "same"));
        Assert.Equal(Last("run"), Last("same"));
        Directory.Move(program.PathOf("pictures", "light, bright"), program.PathOf("pictures", "sun"));
        Assert.Equal("begins with the weights of run/model.safetensors, and a new last layer: other classes, such as "
            + "'sun' in the place of 'light, bright'", From("pictures", "other"));
        Assert.NotEqual(Last("run"), Last("other"));
        Assert.Equal("dark,sun",
            ModelSpec.Rebuild(program.PathOf("other", "model.safetensors")).Metadata["class_names"]);
    }

    [Fact]
    public void Images_are_mirrored_unless_told_otherwise()
    {
        WritePictures(8);
        string Weights(string options)
        {
            program.Succeed($"{Training.Replace("--epochs 6", "--epochs 1").Replace("--batch 16", "--batch 8")} "
                + $"--overwrite {options}");
            return Convert.ToHexString(File.ReadAllBytes(program.PathOf("run", "model.safetensors")));
        }
        Assert.NotEqual(Weights(""), Weights("--no-flip"));
    }

    [Fact]
    public void Grey_digits_are_trained_on_and_predicted()
    {
        void Write(string part, int count)
        {
            byte[] labels = [.. Enumerable.Range(0, count).Select(i => (byte)(i % 2))];
            File.WriteAllBytes(program.PathOf("digits", $"{part}-labels-idx1-ubyte"),
                IdxTests.Encode(0x801, [count], labels));
            File.WriteAllBytes(program.PathOf("digits", $"{part}-images-idx3-ubyte"),
                IdxTests.Encode(0x803, [count, 12, 12],
                    [.. labels.SelectMany((label, i) => Enumerable.Range(0, 144).Select(p =>
                    (byte)(150 * label + (p * 7 + i) % 50)))]));
        }
        Directory.CreateDirectory(program.PathOf("digits"));
        Write("train", 40);
        Write("t10k", 10);
        Assert.Equal("test accuracy: 1.0000",
            program.Succeed(
                "train --data digits --model resnet8 --norm batch --epochs 6 --batch 8 --lr 0.02 --out run").Lines[^1]);
        Assert.Equal("1", ModelSpec.Rebuild(program.PathOf("run", "model.safetensors")).Metadata["inputs"]);
        Assert.Equal("test accuracy: 1.0000",
            program.Succeed("evaluate --data digits --weights run/model.safetensors").Lines[^1]);
        program.WritePicture("light.png",
            new Picture(30, 40, 4,
                [.. Enumerable.Repeat<byte[]>([175, 175, 175, 255], 1200).SelectMany(pixel => pixel)]));
        Assert.StartsWith("light.png\t1\t",
            program.Succeed("predict --weights run/model.safetensors light.png").Lines[0]);
        // Colours are not what it was trained on, and 12 pixels are too few for this network.
        WritePictures(8);
        program.AssertRefused("evaluate --data pictures --weights run/model.safetensors", "dataset", "IDX",
            "ImageFolder");
        program.AssertRefused("train --data digits --model resnet8 --epochs 1 --batch 8 --no-flip", "--no-flip",
            "not mirrored anyway");
        program.AssertRefused("train --data digits --model vgg --norm layer --epochs 1 --batch 8", "--model vgg",
            "12x12");
    }

    [Fact]
    public void A_gallery_shows_the_most_confident_mistakes()
    {
        program.Succeed("train --model resnet8 --epochs 1 --batch 32 --train-limit 64 --test-limit 20 --out run");
        var evaluated =
            program.Succeed("evaluate --weights run/model.safetensors --test-limit 100 --gallery mistakes.html "
            + "--mistakes mistakes.csv --confusion confusion.csv");
        Assert.Equal(["confusion.csv", "mistakes.csv", "mistakes.html"],
            evaluated.Lines[^3..].Select(line => line.Split(':')[0]));
        var wrong = File.ReadAllLines(program.PathOf("mistakes.csv")).Length - 1;
        Assert.Contains($"of {wrong} mistakes among 100 images", File.ReadAllText(program.PathOf("mistakes.html")));
        var pairs = File.ReadAllLines(program.PathOf("confusion.csv"))[1..].Select(line => line.Split(',')).ToArray();
        Assert.Equal((100, wrong),
            (pairs.Sum(pair => int.Parse(pair[2])),
                pairs.Where(pair => pair[0] != pair[1]).Sum(pair => int.Parse(pair[2]))));

        WritePictures(3);
        File.Copy(program.PathOf("run", "model.safetensors"), program.PathOf("run", "model.html"));
        foreach (var (option, path, why) in ((string, string, string)[])[("--gallery", "run/model.safetensors",
            ".html"), ("--gallery", "run/model.html", "read"),
            ("--gallery", "pictures/new.html", "folder of the data"), ("--gallery", "nowhere/a.html", "no folder"),
            ("--mistakes", "a.html", ".csv"),
            ("--mistakes", "pictures/dark/a.csv", "folder of the data"), ("--confusion", "nowhere/a.csv", "no folder")])
            program.AssertRefused($"evaluate --weights run/model.html --data pictures --test-limit 100 {option} {path}",
                option, path, why);
        Assert.Equal(File.ReadAllBytes(program.PathOf("run", "model.safetensors")),
            File.ReadAllBytes(program.PathOf("run", "model.html")));

        // Another page takes the old one's place as a whole: who has the old one open, or by another name, keeps it.
        if (OperatingSystem.IsWindows()) return;
        var old = File.ReadAllBytes(program.PathOf("mistakes.html"));
        System.Diagnostics.Process.Start("ln", [program.PathOf("mistakes.html"), program.PathOf("kept.html")])
            .WaitForExit();
        program.Succeed("evaluate --weights run/model.safetensors --test-limit 50 --gallery mistakes.html");
        Assert.NotEqual(old, File.ReadAllBytes(program.PathOf("mistakes.html")));
        Assert.Equal(old, File.ReadAllBytes(program.PathOf("kept.html")));
    }

    [Fact]
    public void A_file_that_is_cut_off_is_used_unless_strict()
    {
        WritePictures(8);
        var whole = ImageFile.Encode(new Picture(40, 40, 3,
            [.. Enumerable.Range(0, 4800).Select(i => (byte)(i * 7919 >> 3))]), ".jpg");
        File.WriteAllBytes(program.PathOf("pictures", "dark", "cut.jpg"), whole[..^300]);
        var training = Training.Replace("--epochs 6", "--epochs 1").Replace("--batch 16", "--batch 4");
        var loose = program.Succeed(training);
        Assert.Contains("cut.jpg: the file is cut off", loose.Error);
        Assert.Equal(17, Images(loose));
        var strict = program.Succeed($"{training} --strict --overwrite");
        Assert.Contains("left out: ", strict.Error);
        Assert.Equal(16, Images(strict));
        Assert.Equal(16, Images(program.Succeed("evaluate --weights run/model.safetensors --data pictures --strict")));

        // "pictures: 13 images to train on and 4 to test on, ..."
        static int Images(Outcome outcome) =>
            Regex.Matches(outcome.Lines[0], "([0-9]+) (images )?to").Sum(match => int.Parse(match.Groups[1].Value));
    }
}
