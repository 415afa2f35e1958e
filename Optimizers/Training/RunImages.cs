using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using Tapegrad.Datasets;

namespace Tapegrad.Training;

/// <summary>The images of a run.</summary>
/// <param name="Train">To learn from.</param>
/// <param name="Validation">Held apart from the training images, to choose the weights by; null where that was not
/// asked for.</param>
/// <param name="Test">To measure the result by.</param>
/// <param name="Folder">Where they came from; null where that is no folder.</param>
public sealed record RunImages(ImageDataset Train, ImageDataset? Validation, ImageDataset Test, string? Folder)
{
    /// <summary>As many as a recipe says, with those held apart that it holds apart.</summary>
    /// <param name="recipe">The recipe.</param>
    /// <param name="train">All training images.</param>
    /// <param name="test">All test images.</param>
    /// <param name="folder">Where they came from, if that is a folder.</param>
    /// <exception cref="RecipeException">There are not enough.</exception>
    public static RunImages Of(Recipe recipe, ImageDataset train, ImageDataset test, string? folder)
    {
        (train, test) = (train.Take(recipe.TrainLimit ?? int.MaxValue), test.Take(recipe.TestLimit ?? int.MaxValue));
        ImageDataset? validation = null;
        if (recipe.Validation > 0)
        {
            if (recipe.Validation >= train.Count)
                throw new RecipeException(nameof(Recipe.Validation), recipe.Validation,
                    $"there are only {train.Count} training images.");
            (train, validation) = train.Split(recipe.Validation);
        }
        return new RunImages(train, validation, test, folder is null ? null : Path.GetFullPath(folder));
    }

    /// <summary>
    /// A hash of all that the run sees of its images, and its file says of them: names; mean and deviation, which can
    /// be those of more images than these; and all images and labels, in their order.
    /// </summary>
    public string Hash()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var dataset in Validation is null ? [Train, Test] : (ImageDataset[])[Train, Validation, Test])
        {
            hash.AppendData(JsonSerializer.SerializeToUtf8Bytes(
                new { dataset.Name, dataset.ClassNames, dataset.Mean, dataset.Std }));
            int[] numbers = [dataset.Count, dataset.Height, dataset.Width, dataset.Channels, .. dataset.Labels];
            hash.AppendData(MemoryMarshal.AsBytes<int>(numbers));
            for (var i = 0; i < dataset.Count; i++) hash.AppendData(dataset.Image(i));
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
