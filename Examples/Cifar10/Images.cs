using System.CommandLine;
using Tapegrad.Datasets;

namespace Tapegrad.Examples.Cifar10;

/// <summary>The images of a run.</summary>
/// <param name="Train">To learn from.</param>
/// <param name="Validation">Held apart from the training images, to choose the weights by; null where that was not asked for.</param>
/// <param name="Test">To measure the result by.</param>
/// <param name="Folder">Where they came from; null for Shapes10.</param>
internal sealed record Images(ImageDataset Train, ImageDataset? Validation, ImageDataset Test, string? Folder)
{
    /// <summary>By the options of 'train'.</summary>
    /// <exception cref="UserError">There are not enough.</exception>
    public static Images Find(ParseResult options, string? data, bool? shapes)
    {
        T Get<T>(Option<T> option) => options.GetValue(option)!;
        var (train, test, folder) = DataSource.Find(data, Get(TrainOptions.Download), shapes, Get(TrainOptions.TrainLimit) ?? int.MaxValue,
            Get(TrainOptions.TestLimit) ?? int.MaxValue, Get(TrainOptions.Size), Get(TrainOptions.Strict));
        var (held, batch) = (Get(TrainOptions.Validation), Get(TrainOptions.BatchSize));
        if (held > 0 && held >= train.Count) throw new UserError($"--validation {held}: there are only {train.Count} training images.");
        if (Get(TrainOptions.Cutout) is var cutout && cutout >= Math.Max(train.Height, train.Width))
            throw new UserError($"--cutout {cutout}: nothing would be left to see of images of {train.Height}x{train.Width} pixels.");
        ImageDataset? validation = null;
        if (held > 0) (train, validation) = train.Split(held);
        if (train.Count < batch) throw new UserError($"--batch {batch}: there are only {train.Count} training images, not one whole batch.");
        return new Images(train, validation, test, folder is null ? null : Path.GetFullPath(folder));
    }

    /// <summary>Of all of them, with their labels.</summary>
    public string Hash => SavedRun.HashOf(Validation is null ? [Train, Test] : [Train, Validation, Test]);
}
