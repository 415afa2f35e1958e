using Tapegrad.Layers;

namespace Tapegrad.Training;

/// <summary>Weights to begin with that another run has learned, for the same classes or for others.</summary>
public static class InitialWeights
{
    private static readonly string[] Same = ["architecture", "normalization", "width", "inputs"];

    /// <summary>
    /// Gives a model the weights of a file. Where the file's network tells other classes apart, the last layer stays as
    /// the model has it: where there are more or fewer of them, or where both say how they are called, and say it
    /// differently.
    /// </summary>
    /// <param name="model">As <see cref="Recipe.CreateModel"/> makes it.</param>
    /// <param name="source">The network to take them from.</param>
    /// <returns>Whether the last layer stayed as it was.</returns>
    /// <exception cref="InvalidDataException">It is another network; the model is of no use any more.</exception>
    public static bool Load(Module model, SavedNetwork source)
    {
        var differences = Same.Where(key => Said(source.Model, key) != Said(model, key))
            .Select(key =>
                $"its {key} is {Said(source.Model, key) ?? "as usual"}, and here {Said(model, key) ?? "as usual"}")
                .ToArray();
        if (differences.Length > 0)
            throw source.Refusal(
                $"{string.Join("; ", differences)}. Weights go on in a network of the same kind only.");
        var last = model.Modules.OfType<Linear>().Last();
        if (Said(source.Model, "classes") == Said(model, "classes"))
        {
            var isFresh = OtherNames(model, source) is not null;
            var asItWas = last.State.Select(parameter => (Parameter: parameter, Values: parameter.Value.ToFloats()))
                .ToArray();
            StateDict.Load(model, source.Path);
            if (!isFresh) return false;
            foreach (var (parameter, values) in asItWas) parameter.Value = Tensor.From(values, parameter.Shape);
            return true;
        }
        var report = StateDict.Load(model, source.Path, partial: true);
        var kept = last.State.Select(parameter => parameter.Name).ToHashSet();
        var isWhole = model.State.All(parameter =>
            kept.Contains(parameter.Name) != report.Loaded.Contains(parameter.Name));
        if (!isWhole || report.Missing.Count + report.Unknown.Count > 0)
            throw source.Refusal(report.Differences);
        return true;
    }

    /// <summary>
    /// The first class that is called otherwise in a model than in a file, by both names; null where all are called the
    /// same, where one of the two does not say it, or where there are more in one.
    /// </summary>
    public static (string Here, string There)? OtherNames(Module model, SavedNetwork source) =>
        InputDescription.Of(model).ClassNames is { } here && source.Description.ClassNames is { } there
        && here.Length == there.Length
            && here.Zip(there).Where(pair => pair.First != pair.Second).ToArray() is [var first, ..] ? first : null;

    private static string? Said(Module model, string key) =>
        model.Metadata.TryGetValue(key, out var text) ? text : null;
}
