using Tapegrad.Datasets;
using Tapegrad.Tests.Datasets;
using Tapegrad.Training;
using Xunit;

namespace Tapegrad.Tests.Training;

/// <summary>By what a run knows its images again: everything of them that reaches its weights or its file.</summary>
public sealed class RunImagesTests : FolderOfImages
{
    private static string Hash(ImageDataset train, ImageDataset test, int validation = 0) =>
        RunImages.Of(new Recipe { Validation = validation }, train, test, folder: null).Hash();

    [Fact]
    public void Other_pixels_labels_sizes_names_and_normalizations_are_other_images()
    {
        byte[] pixels = [.. Enumerable.Range(0, 96).Select(i => (byte)i)];
        var (test, hashes) = (Make(), new List<string>());
        foreach (var other in (ImageDataset[])[Make(), Make(name: "another"), Make(labels: [0, 1, 1, 1, 0, 1]),
            Make(size: (2, 8, 1)), Make(size: (4, 4, 1), pixels: [.. pixels[..95], 1]), Make(names: ["a", "c"]),
            Make(names: ["a", "b", "c"]), Make(names: ["a\",\"b", "c"]), Make(names: ["a", "b\",\"c"]),
            Make(mean: Math.BitIncrement(0.5)), Make(std: Math.BitDecrement(0.25)), Make().Take(5)])
        {
            hashes.Add(Hash(other, test));
            hashes.Add(Hash(test, other));
            Assert.Equal(hashes[^2..], [Hash(other, test), Hash(test, other)]);
        }
        // Its own beside itself is the same on either side.
        Assert.Equal(hashes.Count - 1, hashes.Distinct().Count());
        Assert.NotEqual(Hash(test, test, validation: 2), Hash(test, test, validation: 3));

        ImageDataset Make(string name = "one", int[]? labels = null, (int, int, int)? size = null,
            byte[]? pixels = null, string[]? names = null, double mean = 0.5, double std = 0.25) =>
            new(name, pixels ?? [.. Enumerable.Range(0, 96).Select(i => (byte)i)], labels ?? [0, 1, 0, 1, 0, 1],
                size ?? (4, 4, 1), names ?? ["a", "b"], [mean], [std]);
    }

    // Mean and deviation are those of all images, also of those that the run leaves out.
    [Fact]
    public void A_photo_beyond_the_limit_changes_what_a_run_on_the_first_ones_sees()
    {
        for (byte i = 0; i < 12; i++)
            foreach (var name in (string[])["cats", "dogs"]) Write($"{name}/{i:D2}.png", (byte)(20 * i));
        var before = Some();
        Write("cats/a.png", 255);
        Write("cats/b.png", 255);
        var after = Some();
        Assert.Equal(Contents(before.Train), Contents(after.Train));
        Assert.Equal(Contents(before.Test), Contents(after.Test));
        Assert.NotEqual(before.Train.Mean, after.Train.Mean);
        Assert.NotEqual(before.Hash(), after.Hash());

        RunImages Some()
        {
            var (train, test) = Load();
            return RunImages.Of(new Recipe { TrainLimit = 8, TestLimit = 2 }, train, test, Images);
        }
    }
}
