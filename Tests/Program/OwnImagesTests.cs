using System.Text.Json;
using Tapegrad.Datasets.Images;
using Tapegrad.Examples.Cifar10;
using Tapegrad.Layers;
using Tapegrad.Tests.Datasets;
using Xunit;

namespace Tapegrad.Tests.Program;

/// <summary>Images of one's own, end to end: trained on, evaluated, predicted.</summary>
public sealed class OwnImagesTests : IDisposable
{
    private readonly Cifar10Program program = new();

    public void Dispose() => program.Dispose();

    private const string Training = "train --data pictures --model resnet8 --norm batch --epochs 6 --batch 16 --lr 0.02 --size 16 --out run";

    // Bright and dark pictures of several sizes, the second class with a comma in its name.
    private void WritePictures(int each = 30)
    {
        var random = new Random(1);
        foreach (var (name, least) in ((string, int)[])[("dark", 0), ("light, bright", 150)])
            for (var i = 0; i < each; i++)
            {
                var (height, width) = (10 + random.Next(30), 10 + random.Next(30));
                byte[] pixels = [.. Enumerable.Range(0, height * width * 3).Select(_ => (byte)(least + random.Next(100)))];
                WritePicture($"pictures/{name}/{i}.png", new Picture(height, width, 3, pixels));
            }
    }

    private void WritePicture(string name, Picture picture)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(program.PathOf(name))!);
        File.WriteAllBytes(program.PathOf(name), PngEncoder.Encode(picture));
    }

    private Outcome Succeed(string arguments)
    {
        var outcome = program.Run(arguments);
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        return outcome;
    }

    [Fact]
    public void A_folder_of_images_is_trained_on_evaluated_and_predicted()
    {
        WritePictures();
        File.WriteAllBytes(program.PathOf("pictures", "dark", "broken.png"), [1, 2, 3]);
        var trained = Succeed(Training);
        Assert.Contains("48 images to train on and 12 to test on, 2 classes, 16x16 pixels, 0.0 MB", trained.Lines[0]);
        Assert.Contains("broken.png", Assert.Single(trained.Error.Trim().Split('\n')));
        Assert.Equal("test accuracy: 1.0000", trained.Lines[^1]);
        Assert.Single(Directory.GetFiles(program.PathOf("cache", "tapegrad"), "images-*.cache"));
        var model = SavedModel.Rebuild(program.PathOf("run", "model.safetensors"));
        Assert.Equal("""["dark","light, bright"]""", model.Metadata["class_names"]);
        Assert.Equal("16x16", model.Metadata["input_size"]);

        var evaluated = Succeed("evaluate --weights run/model.safetensors --data pictures --gallery mistakes.png");
        Assert.Contains("mistakes.png: not written: there is no mistake to show", evaluated.Output);
        Assert.Contains("test accuracy: 1.0000", evaluated.Output);

        const string images = "\"pictures/light, bright/3.png\" broken.png pictures/dark/broken.png pictures/dark/4.png";
        var predicted = program.Run($"predict --weights run/model.safetensors {images}");
        Assert.Equal(1, predicted.ExitCode);
        Assert.Equal(2, predicted.Error.Trim().Split('\n').Length);
        Assert.All(predicted.Error.Trim().Split('\n'), line => Assert.Contains("broken.png", line));
        var lines = predicted.Lines.Select(line => line.Split('\t')).ToArray();
        Assert.Equal(["pictures/light, bright/3.png", "pictures/dark/4.png"], lines.Select(line => line[0]));
        Assert.Equal(["light, bright", "dark"], lines.Select(line => line[1]));
        Assert.All(lines, line => Assert.Equal(1, double.Parse(line[2]) + double.Parse(line[4]), 1e-4));
        Assert.All(lines, line => Assert.InRange(double.Parse(line[2]), 0.5, 1));

        var json = program.Run("predict --json --top 1 --weights run/model.safetensors pictures/dark/4.png pictures/dark/broken.png");
        Assert.Equal(1, json.ExitCode);
        var objects = json.Lines.Select(line => JsonDocument.Parse(line).RootElement).ToArray();
        var guess = Assert.Single(objects[0].GetProperty("predictions").EnumerateArray());
        Assert.Equal(("pictures/dark/4.png", "dark"), (objects[0].GetProperty("image").GetString(), guess.GetProperty("class").GetString()));
        Assert.Equal(double.Parse(lines[1][2]), guess.GetProperty("probability").GetDouble(), 1e-4);
        Assert.Contains("broken.png", objects[1].GetProperty("error").GetString());
    }

    [Fact]
    public void Weights_from_elsewhere_predict_once_they_are_told_what_they_were_trained_on()
    {
        WritePictures(12);
        Succeed(Training.Replace("--epochs 6", "--epochs 1"));
        var trained = SavedModel.Rebuild(program.PathOf("run", "model.safetensors"));
        StateDict.Save(trained, program.PathOf("bare.npz"));
        const string convert = "convert --from bare.npz --model resnet8 --norm batch";
        Succeed($"{convert} --classes 2 --to bare.safetensors");
        program.AssertRefused("predict --weights bare.safetensors pictures/dark/3.png", "the names of its classes", "convert --data");

        Succeed($"{convert} --data pictures --size 16 --to told.safetensors");
        const string predict = "predict pictures/dark/3.png --weights";
        Assert.Equal(Succeed($"{predict} run/model.safetensors").Output, Succeed($"{predict} told.safetensors").Output);
        var told = SavedModel.Rebuild(program.PathOf("told.safetensors")).Metadata;
        Assert.Equal(trained.Metadata, told);

        Succeed($"{convert} --data pictures --size 16 --mean 0.5,0.25,0.125 --std 0.2,0.3,1e-1 --to other.safetensors");
        var other = SavedModel.Rebuild(program.PathOf("other.safetensors")).Metadata;
        Assert.Equal(("0.5,0.25,0.125", "0.2,0.3,0.1"), (other["input_mean"], other["input_std"]));
        Assert.Equal(told.Where(pair => pair.Key is not ("input_mean" or "input_std")),
            other.Where(pair => pair.Key is not ("input_mean" or "input_std")));

        foreach (var wrong in (string[])["--mean 1,2,3", "--mean 1,2,3 --std 1,2", "--mean 1,2,3 --std 1,0,1", "--mean 1,2,x --std 1,1,1"])
            program.AssertRefused($"{convert} --data pictures --to a.safetensors {wrong}", "3 numbers");
        program.AssertRefused($"{convert} --data pictures --classes 3 --to a.safetensors", "2 classes", "3");
        program.AssertRefused($"{convert} --data pictures --channels 1 --to a.safetensors", "3 channels", "1");
        foreach (var idle in (string[])["--mean 1,2,3", "--std 1,1,1", "--size 16"]) program.AssertRefused($"{convert} --to a.safetensors {idle}", "--data");
        program.AssertRefused("convert --from bare.npz --to a.safetensors --data pictures", "--data", "--model");
        Assert.False(File.Exists(program.PathOf("a.safetensors")));
    }

    [Fact]
    public void What_cannot_be_trained_leaves_an_earlier_run_as_it_is()
    {
        WritePictures(8);
        Succeed(Training.Replace("--epochs 6", "--epochs 1").Replace("--batch 16", "--batch 8"));
        var before = Directory.GetFiles(program.PathOf("run")).Order().Select(file => (file, Convert.ToHexString(File.ReadAllBytes(file)))).ToArray();
        program.AssertRefused("train --data pictures --size 2 --model vgg --norm layer --batch 8 --out run --overwrite", "--model vgg", "2x2");
        Assert.Equal(before, Directory.GetFiles(program.PathOf("run")).Order().Select(file => (file, Convert.ToHexString(File.ReadAllBytes(file)))));
    }

    // It would be taken for a class of theirs, and the run could not go on.
    [Fact]
    public void A_run_does_not_lie_among_its_images()
    {
        WritePictures(8);
        const string options = "--model resnet8 --epochs 1 --batch 8";
        program.AssertRefused($"train --data pictures {options} --out pictures/run", "--out pictures/run: it lies in the folder of the data");
        Directory.CreateSymbolicLink(program.PathOf("elsewhere"), program.PathOf("pictures", "dark"));
        program.AssertRefused($"train --data pictures {options} --out elsewhere", "--out elsewhere: it lies in the folder of the data");
        program.AssertRefused($"train --data pictures {options} --download", "--download", "--data");
        Assert.Equal(["dark", "light, bright"], Directory.GetFileSystemEntries(program.PathOf("pictures")).Select(Path.GetFileName).Order());
    }

    [Fact]
    public void Images_are_mirrored_unless_told_otherwise()
    {
        WritePictures(8);
        string Weights(string options)
        {
            Succeed($"{Training.Replace("--epochs 6", "--epochs 1").Replace("--batch 16", "--batch 8")} --overwrite {options}");
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
            File.WriteAllBytes(program.PathOf("digits", $"{part}-labels-idx1-ubyte"), IdxTests.Encode(0x801, [count], labels));
            File.WriteAllBytes(program.PathOf("digits", $"{part}-images-idx3-ubyte"),
                IdxTests.Encode(0x803, [count, 12, 12], [.. labels.SelectMany((label, i) => Enumerable.Range(0, 144).Select(p =>
                    (byte)(150 * label + (p * 7 + i) % 50)))]));
        }
        Directory.CreateDirectory(program.PathOf("digits"));
        Write("train", 40);
        Write("t10k", 10);
        Assert.Equal("test accuracy: 1.0000",
            Succeed("train --data digits --model resnet8 --norm batch --epochs 6 --batch 8 --lr 0.02 --out run").Lines[^1]);
        Assert.Equal("1", SavedModel.Rebuild(program.PathOf("run", "model.safetensors")).Metadata["inputs"]);
        Assert.Equal("test accuracy: 1.0000", Succeed("evaluate --data digits --weights run/model.safetensors").Lines[^1]);
        WritePicture("light.png", new Picture(30, 40, 4, [.. Enumerable.Repeat<byte[]>([175, 175, 175, 255], 1200).SelectMany(pixel => pixel)]));
        Assert.StartsWith("light.png\t1\t", Succeed("predict --weights run/model.safetensors light.png").Lines[0]);
        // Colours are not what it was trained on, and 12 pixels are too few for this network.
        WritePictures(8);
        program.AssertRefused("evaluate --data pictures --weights run/model.safetensors", "dataset", "IDX", "ImageFolder");
        program.AssertRefused("train --data digits --model resnet8 --epochs 1 --batch 8 --no-flip", "--no-flip", "not mirrored anyway");
        program.AssertRefused("train --data digits --model vgg --norm layer --epochs 1 --batch 8", "--model vgg", "12x12");
    }

    [Fact]
    public void A_gallery_shows_the_most_confident_mistakes()
    {
        Succeed("train --model resnet8 --epochs 1 --batch 32 --train-limit 64 --test-limit 20 --out run");
        Assert.StartsWith("mistakes.png: ", Succeed("evaluate --weights run/model.safetensors --test-limit 100 --gallery mistakes.png").Lines[^1]);
        WritePictures(3);
        File.Copy(program.PathOf("run", "model.safetensors"), program.PathOf("run", "model.png"));
        foreach (var (gallery, why) in ((string, string)[])[("run/model.safetensors", ".png"), ("run/model.png", "read"),
            ("pictures/dark/0.png", "folder of the data"), ("pictures/new.png", "folder of the data"), ("nowhere/a.png", "no folder")])
            program.AssertRefused($"evaluate --weights run/model.png --data pictures --test-limit 100 --gallery {gallery}", gallery, why);
        Assert.Equal(File.ReadAllBytes(program.PathOf("run", "model.safetensors")), File.ReadAllBytes(program.PathOf("run", "model.png")));
        var picture = ImageFile.Read(program.PathOf("mistakes.png"));
        Assert.Equal(18 + 6 * (192 + 18), picture.Width);
        // After a step or two nearly all is wrong, so four rows are full; a pixel of Shapes10 is six of the picture's.
        Assert.Equal(18 + 20 + 4 * (192 + 9 + 40 + 18) + 18, picture.Height);
        foreach (var (top, left) in ((int, int)[])[(56, 18), (56, 228), (56 + 259, 18)])
            for (var i = 0; i < 192 * 192; i += 7)
                Assert.Equal(At(top + i / 192, left + i % 192), At(top + i / 192 / 6 * 6, left + i % 192 / 6 * 6));
        // Red words stand under the image, dark ones under these.
        Assert.Contains(Enumerable.Range(18, 192), x => At(56 + 192 + 9 + 6, x) == (178, 34, 34));
        Assert.Contains(Enumerable.Range(18, 192), x => At(56 + 192 + 9 + 20 + 6, x) == (70, 70, 70));
        program.AssertRefused("evaluate --weights run/model.safetensors --test-limit 20 --gallery nowhere/mistakes.png", "--gallery", "nowhere");
        program.AssertRefused("evaluate --weights run/model.safetensors --test-limit 20 --gallery run/model.safetensors", "--gallery", ".png");

        // Another picture takes the old one's place as a whole: who has the old one open, or by another name, keeps it.
        if (OperatingSystem.IsWindows()) return;
        var old = File.ReadAllBytes(program.PathOf("mistakes.png"));
        System.Diagnostics.Process.Start("ln", [program.PathOf("mistakes.png"), program.PathOf("kept.png")]).WaitForExit();
        Succeed("evaluate --weights run/model.safetensors --test-limit 50 --gallery mistakes.png");
        Assert.NotEqual(old, File.ReadAllBytes(program.PathOf("mistakes.png")));
        Assert.Equal(old, File.ReadAllBytes(program.PathOf("kept.png")));

        (byte, byte, byte) At(int y, int x) => (picture.Pixels[3 * (y * picture.Width + x)], picture.Pixels[3 * (y * picture.Width + x) + 1],
            picture.Pixels[3 * (y * picture.Width + x) + 2]);
    }

    [Fact]
    public void Bars_are_as_long_as_a_class_is_probable()
    {
        var lines = PredictCommand.ToBars("a.png", [new Guess("cat", 0.5), new Guess("tabby", 0.25), new Guess("dog", 0)]).Split('\n');
        Assert.Equal(["a.png", $"  cat    {new string('█', 15)}{new string(' ', 15)}  50.0 %",
            $"  tabby  {new string('█', 7)}▌{new string(' ', 22)}  25.0 %",
            $"  dog    {new string(' ', 30)}   0.0 %"], lines);
        Assert.Contains(new string('█', 30) + " 100.0 %", PredictCommand.ToBars("a", [new Guess("x", 1)]));
    }

    // A file of weights that says all that 'predict' needs, of images of 8 x 8 pixels.
    private Module Described(string architecture = "resnet8", string size = "8x8")
    {
        var model = SavedModel.Create(architecture, "layer", classes: 2, seed: 1);
        foreach (var (key, text) in ((string, string)[])[("class_names", "one,two"), ("input_mean", "0.5,0.5,0.5"), ("input_std", "1,1,1"),
            ("input_size", size)])
            model.Metadata[key] = text;
        WritePicture("a.png", new Picture(5, 5, 1, new byte[25]));
        return model;
    }

    [Fact]
    public void Probabilities_that_are_no_numbers_are_null_in_json()
    {
        var model = Described();
        var last = model.Parameters[^1];
        last.Value = Tensor.From([.. Enumerable.Repeat(float.NaN, last.Count)], last.Shape);
        model.Save(program.PathOf("nan.safetensors"));
        var guesses = JsonDocument.Parse(Succeed("predict --json --weights nan.safetensors a.png").Lines[0]).RootElement.GetProperty("predictions");
        Assert.All(guesses.EnumerateArray(), guess => Assert.Equal(JsonValueKind.Null, guess.GetProperty("probability").ValueKind));
        Assert.Contains("NaN", Succeed("predict --weights nan.safetensors a.png").Lines[0]);
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
        var line = Assert.Single(Succeed("predict --weights names.safetensors a.png").Lines);
        Assert.DoesNotContain('\u001b', line);
        Assert.Equal(["ca?[31mts x", "do?gs"], ((string[])[line.Split('\t')[1], line.Split('\t')[3]]).Order());
        var named = JsonDocument.Parse(Succeed("predict --json --weights names.safetensors a.png").Lines[0]).RootElement.GetProperty("predictions");
        Assert.Equal(["ca\u001b[31mts\nx", "do\tgs"], named.EnumerateArray().Select(guess => guess.GetProperty("class").GetString()).Order());
        Assert.DoesNotContain(PredictCommand.ToBars("a\u001bb", [new Guess("c\u001bd", 1)]), letter => char.IsControl(letter) && letter != '\n');

        // The same in the table of 'evaluate', and in messages.
        if (OperatingSystem.IsWindows()) return;   // no such folders there
        foreach (var name in (string[])["ca\u001b[31mts\nx", "do\tgs"])
            for (var i = 0; i < 2; i++) WritePicture($"pictures/{name}/{i}.png", new Picture(8, 8, 3, new byte[192]));
        File.WriteAllBytes(program.PathOf("pictures", "do\tgs", "\u001b[2J.png"), [1]);
        Assert.Contains("ca?[31mts x", Succeeded().Output);
        model.Metadata["class_names"] = "\u001b[2Jone,two";
        model.Save(program.PathOf("names.safetensors"));
        var outcome = program.Run("evaluate --weights names.safetensors --data pictures");
        Assert.Equal(1, outcome.ExitCode);
        Assert.DoesNotContain('\u001b', outcome.Error);

        Outcome Succeeded()
        {
            var evaluated = Succeed("evaluate --weights names.safetensors --data pictures");
            Assert.DoesNotContain('\u001b', evaluated.Output + evaluated.Error);
            Assert.Contains("left out", evaluated.Error);
            return evaluated;
        }
    }

    [Fact]
    public void Weights_that_do_not_say_enough_are_refused()
    {
        var model = SavedModel.Create("resnet8", "layer", classes: 2, seed: 1);
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
        WritePicture("a.png", new Picture(5, 5, 1, new byte[25]));
        Assert.StartsWith("a.png\t", Succeed("predict --weights bare.safetensors a.png").Lines[0]);
        program.AssertRefused("predict --weights bare.safetensors /dev/stdin", "/dev/stdin", "a pipe or a device");
        program.AssertRefused("predict --weights nothing.safetensors a.png", "--weights", "nothing.safetensors");
        program.AssertRefused("predict --weights bare.safetensors", "Required");
    }
}
