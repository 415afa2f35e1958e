using Tapegrad.Datasets.Images;
using Tapegrad.Devices;
using Tapegrad.Layers;
using Tapegrad.Training;
using Xunit;

namespace Tapegrad.Tests.Training;

/// <summary>
/// A classifier against the same written by hand, on pictures of any size and kind, and the files that it refuses.
/// </summary>
public sealed class ClassifierTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("classifier").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private string FilePath => Path.Combine(folder, "model.safetensors");

    // The metadata as they are, then whatever is to be otherwise; null for what is missing.
    private void Save(int channels, params (string Key, string? Text)[] otherwise) =>
        Save(Described(channels), otherwise);

    private static Module Described(int channels, string normalization = "group:8")
    {
        var model = new ModelSpec("resnet8", normalization, Classes: 3, Inputs: channels).Build(seed: 1);
        foreach (var (key, text) in ((string, string)[])[("class_names", "ant,bee,cat"), ("input_size", "8x8"),
            ("input_mean", channels == 1 ? "0.25" : "0.25,0.5,0.75"),
            ("input_std", channels == 1 ? "0.5" : "0.5,0.25,2")])
            model.Metadata[key] = text;
        return model;
    }

    private Module Save(Module model, params (string Key, string? Text)[] otherwise)
    {
        foreach (var (key, text) in otherwise)
            if (text is null) model.Metadata.Remove(key);
            else model.Metadata[key] = text;
        model.Save(FilePath);
        return model;
    }

    private static Picture Drawn(int height, int width, int channels)
    {
        var random = new RandomSource(height * 100 + width);
        return new Picture(height, width, channels,
            [.. Enumerable.Range(0, height * width * channels).Select(i => (byte)random.Below(256, i))]);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Its_probabilities_are_those_of_the_network_for_the_normalized_square(int channels)
    {
        var model = Save(Described(channels));
        double[] mean = channels == 1 ? [0.25] : [0.25, 0.5, 0.75], std = channels == 1 ? [0.5] : [0.5, 0.25, 2];
        var classifier = Classifier.Load(FilePath);
        Assert.Equal(["ant", "bee", "cat"], classifier.ClassNames);
        foreach (var picture in (Picture[])[Drawn(8, 8, channels), Drawn(20, 11, channels), Drawn(5, 9, channels),
            Drawn(9, 9, 4 - channels)])
        {
            var pixels = picture.WithChannels(channels).Square(8).Pixels;
            double[] normalized =
                [.. pixels.Select((value, i) => (value / 255.0 - mean[i % channels]) / std[i % channels])];
            var logits = model.Apply(Tensor.From(normalized, new Shape(1, 8, 8, channels))).ToDoubles();
            var predictions = classifier.Classify(picture);
            Assert.Equal(classifier.ClassNames, predictions.Select(prediction => prediction.Class));
            var sum = logits.Sum(Math.Exp);
            foreach (var (prediction, logit) in predictions.Zip(logits))
                Assert.Equal(Math.Exp(logit) / sum, prediction.Probability, 1e-5);
        }
    }

    [Fact]
    public void Under_a_training_tape_it_is_refused_and_under_another_one_nothing_is_recorded()
    {
        Save(3);
        var classifier = Classifier.Load(FilePath);
        using (Tape.Training(new RandomSource(1)))
            Assert.Contains("classify: a training tape is open",
                Assert.Throws<InvalidOperationException>(() => classifier.Classify(Drawn(8, 8, 3))).Message);
        using var tape = Tape.Evaluating();
        classifier.Classify(Drawn(8, 8, 3));
        Assert.Equal(0, tape.Count);
        new Parameter("p", Tensor.Scalar(1)).Value.Exp();
        Assert.True(tape.Count > 0);   // it goes on
    }

    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    [InlineData(double.NegativeInfinity)]
    public void Scores_that_are_no_numbers_are_refused(double wrong)
    {
        var model = Described(3);
        var last = model.Parameters[^1];
        last.Value = Tensor.From([0, wrong, 0], last.Shape);
        var classifier = Classifier.Load(Save(model));
        Assert.Contains("its scores are not finite", Assert.Throws<InvalidDataException>(() =>
            classifier.Classify(Drawn(8, 8, 3))).Message);

        string Save(Module described)
        {
            described.Save(FilePath);
            return FilePath;
        }
    }

    [Fact]
    public void What_it_computes_on_its_way_goes_back_to_the_pool()
    {
        Save(3);
        using var device = Device.Use(CpuDevice.Create());
        var classifier = Classifier.Load(FilePath);
        var picture = Drawn(8, 8, 3);
        classifier.Classify(picture);
        var created = Device.Current.Pool.Created;
        for (var i = 0; i < 20; i++) classifier.Classify(picture);
        // the pictures themselves, each a dataset's last batch, are the collector's
        Assert.InRange(Device.Current.Pool.Created - created, 0, 20);
    }

    [Fact]
    public void Files_that_say_too_little_are_refused_in_words_when_they_are_loaded()
    {
        Refuses("the names of its classes", 3, ("class_names", null));
        Refuses("the names of its classes", 3, ("class_names", "ant,bee"));
        Refuses("the mean and the deviation", 3, ("input_mean", null));
        Refuses("the mean and the deviation", 3, ("input_std", "1,1"));
        Refuses("the size of its images", 3, ("input_size", null));
        Refuses("the size of its images", 3, ("input_size", "2000x2000"));
        Refuses("its images are 8x9 with 3 channels", 3, ("input_size", "8x9"));
        Refuses("its images are 8x8 with 2 channels", 2, ("input_mean", "0,0"), ("input_std", "1,1"));
        Save(Described(3, "batch"));   // nothing was committed
        Assert.Contains("no running statistics yet",
            Assert.Throws<InvalidDataException>(() => Classifier.Load(FilePath)).Message);

        void Refuses(string why, int channels, params (string, string?)[] otherwise)
        {
            Save(channels, otherwise);
            var message = Assert.Throws<InvalidDataException>(() => Classifier.Load(FilePath)).Message;
            Assert.StartsWith($"{FilePath}: ", message);
            Assert.Contains(why, message);
        }
    }
}
