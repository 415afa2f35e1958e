using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Tapegrad.Training;

/// <summary>
/// What a checkpoint says beside its numbers, so that a run goes on with nothing else than the images.
/// </summary>
/// <param name="Version">Of this text: <see cref="Newest"/>.</param>
/// <param name="Recipe">With nothing left open.</param>
/// <param name="Data">The folder of the images; null where they came from none.</param>
/// <param name="Images">The <see cref="RunImages.Hash"/> of the images: on others it would be another run.</param>
/// <param name="Place">How far it has come.</param>
/// <param name="Accuracy">Of the epoch whose weights are in model.safetensors: of the best one, on the validation
/// images; without them of the last one, on the test images. Null before the first.</param>
/// <param name="Metrics">What metrics.jsonl holds of the epochs before.</param>
/// <param name="Untrained">The normalizations whose running statistics had seen nothing when the run began.</param>
public sealed record SavedRun(int Version, Recipe Recipe, string? Data, string Images, Position Place, double? Accuracy,
    string Metrics, IReadOnlyList<string> Untrained)
{
    /// <summary>
    /// What this version of the library writes. Before 4, the hash was of pixels and labels alone, and nothing was said
    /// of statistics; before 3, a recipe had fewer settings; before 2, it was the command line.
    /// </summary>
    public const int Newest = 4;

    private const string Key = "run";

    /// <summary>The checkpoint that says so.</summary>
    [JsonIgnore]
    public Checkpoint? Checkpoint { get; init; }

    /// <summary>The texts of a checkpoint.</summary>
    internal IReadOnlyDictionary<string, string> ToTexts() =>
        new Dictionary<string, string> { [Key] = JsonSerializer.Serialize(this, RunJson.Options) };

    /// <summary>What a checkpoint says, the newest of a run for instance.</summary>
    /// <param name="checkpoint">The checkpoint.</param>
    /// <param name="folder">Where it is.</param>
    /// <exception cref="InvalidDataException">It is of another program or version.</exception>
    public static SavedRun From(Checkpoint checkpoint, string folder)
    {
        try
        {
            if (checkpoint.Texts.TryGetValue(Key, out var text))
            {
                if (JsonNode.Parse(text) is JsonObject said && VersionOf(said) is { } version && version != Newest)
                    throw new InvalidDataException($"{folder}: checkpoint {checkpoint.Step} was written by another "
                        + $"version of this library: its text is of version {version}, and this one goes on from "
                        + $"{Newest}. Finish the run with that library, or begin it again.");
                if (JsonSerializer.Deserialize<SavedRun>(text, RunJson.Options) is
                    {
                        Accuracy: null
                    or (>= 0 and <= 1)
                    } run
                    && double.IsFinite(run.Place.LossSum))
                {
                    run.Recipe.Check();
                    return run with { Checkpoint = checkpoint };
                }
            }
        }
        catch (RecipeException e)
        {
            throw new InvalidDataException($"{folder}: checkpoint {checkpoint.Step}: the recipe of its run is none: "
                + $"{e.Message}");
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
        {
        }
        throw new InvalidDataException($"{folder}: checkpoint {checkpoint.Step} does not say what run it belongs to."
            + " Was it written by another program?");
    }

    // The first version did not say that it was.
    private static int? VersionOf(JsonObject said) => said.TryGetPropertyValue("version", out var version)
        ? version is JsonValue value && value.TryGetValue<int>(out var number) ? number : null
        : said.ContainsKey("Options") ? 1 : null;
}
