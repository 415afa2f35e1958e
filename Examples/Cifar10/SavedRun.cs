using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using Tapegrad.Datasets;
using Tapegrad.Layers;
using Tapegrad.Optimizers;
using Tapegrad.Training;

namespace Tapegrad.Examples.Cifar10;

/// <summary>What a checkpoint says beside its numbers, so that a run goes on with no other option.</summary>
/// <param name="Options">The recipe, as it would be typed.</param>
/// <param name="Data">The folder of the images; null for Shapes10.</param>
/// <param name="Images">A hash of all images and labels: on others it would be another run.</param>
/// <param name="Place">How far it has come.</param>
/// <param name="Accuracy">Of the epoch whose weights are in model.safetensors: of the best one, on the validation images; without them of the last one,
/// on the test images. Null before the first.</param>
/// <param name="Metrics">What metrics.jsonl holds of the epochs before.</param>
internal sealed record SavedRun(string[] Options, string? Data, string Images, Position Place, double? Accuracy, string Metrics)
{
    private const string Key = "run";
    private static readonly JsonSerializerOptions Whole = new() { RespectRequiredConstructorParameters = true };   // nothing is left out

    public IReadOnlyDictionary<string, string> ToTexts() => new Dictionary<string, string> { [Key] = JsonSerializer.Serialize(this) };

    /// <exception cref="InvalidDataException">It was not written by this program.</exception>
    public static SavedRun From(Checkpoint checkpoint, string folder)
    {
        try
        {
            if (checkpoint.Texts.TryGetValue(Key, out var text) && JsonSerializer.Deserialize<SavedRun>(text, Whole) is
                {
                    Options: not null, Images: not null, Metrics: not null, Place.OptimizerCounters: not null,
                    Accuracy: null or (>= 0 and <= 1)
                } run
                && double.IsFinite(run.Place.LossSum)
                && !run.Options.Contains(null!)) return run;
        }
        catch (JsonException)
        {
        }
        throw new InvalidDataException($"{folder}: checkpoint {checkpoint.Step} does not say what run it belongs to."
            + " Was it written by another program?");
    }

    /// <summary>The hash of all images and labels, in their order.</summary>
    public static string HashOf(params IEnumerable<ImageDataset> datasets)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var dataset in datasets)
        {
            int[] numbers = [dataset.Count, dataset.Height, dataset.Width, dataset.Channels, .. dataset.Labels];
            hash.AppendData(MemoryMarshal.AsBytes<int>(numbers));
            for (var i = 0; i < dataset.Count; i++) hash.AppendData(dataset.Image(i));
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
