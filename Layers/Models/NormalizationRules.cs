using System.IO.Enumeration;
using System.Text.RegularExpressions;

namespace Tapegrad.Layers;

/// <summary>
/// Which normalization each layer of a model has, and what each convolution does to its weight: <c>group:8+ws</c> for
/// all, or by path: <c>layer1=batch,*=group:8+ws</c>.
/// </summary>
internal sealed partial class NormalizationRules
{
    private readonly Rule[] rules;

    private NormalizationRules(Rule[] rules) => this.rules = rules;

    // For the layers whose path is the pattern or begins with it, words being divided by dots.
    private sealed record Rule(string Pattern, string Name, string? Transform)
    {
        private readonly string[] words = Pattern.Split('.');

        public bool Fits(string path)
        {
            var parts = path.Split('.');
            return parts.Length >= words.Length
                && words.Zip(parts).All(pair => FileSystemName.MatchesSimpleExpression(pair.First, pair.Second,
                ignoreCase: false));
        }

        public override string ToString() => $"{Pattern}={Text}";

        public string Text => Transform is null ? Name : $"{Name}+{Transform}";
    }

    /// <summary>Reads them.</summary>
    /// <exception cref="ArgumentException">They cannot be read.</exception>
    public static NormalizationRules Parse(string text) =>
        Problem(text) is { } problem ? throw new ArgumentException(problem) : new(Split(text));

    /// <summary>Why a text cannot be read; null when it can.</summary>
    public static string? Problem(string text)
    {
        var rules = Split(text);
        foreach (var rule in rules)
        {
            if (!Normalizations.IsKnown(rule.Name)) return Normalizations.Unknown(rule.Name);
            if (rule.Transform is not null && !WeightTransforms.IsKnown(rule.Transform))
                return WeightTransforms.Unknown(rule.Transform);
            if (rule is { Transform: not null, Name: "none" } && rules.Length == 1)
                return $"the normalization '{text}': weights are transformed for a normalization behind them, not for "
                    + "none.";
            if (!PatternPattern().IsMatch(rule.Pattern))
                return $"the normalization '{text}': '{rule.Pattern}' is no layer's path, nor a beginning of one with "
                    + "* for any words.";
        }
        return rules[^1].Pattern == "*" ? null
            : $"the normalization '{text}' does not say what all other layers have: end it with ',*=' and a name.";
    }

    [GeneratedRegex(@"^[A-Za-z0-9_*]+(\.[A-Za-z0-9_*]+)*$", RegexOptions.CultureInvariant)]
    private static partial Regex PatternPattern();

    private static Rule[] Split(string text) => [.. text.Split(',').Select(part => part.Split('=', 2) switch
    {
        [var pattern, var name] => Of(pattern, name),
        _ => Of(text.Contains(',') ? "" : "*", part),
    })];

    private static Rule Of(string pattern, string name) =>
        name.Split('+', 2) is [var layer, var transform] ? new(pattern, layer, transform) : new(pattern, name, null);

    /// <summary>Whether each of them shares over the batch.</summary>
    public bool AllNeedBatch => rules.All(rule => Normalizations.Of(rule.Name)?.NeedsBatch == true);

    private Rule RuleFor(string path) => rules.First(rule => rule.Fits(path));

    /// <summary>The normalization of a path.</summary>
    public Normalization Make(string path, int channels) => Normalizations.Parse(RuleFor(path).Name)(channels);

    /// <summary>Transforms the weights of the convolutions that are to be.</summary>
    public void TransformWeights(Module model)
    {
        foreach (var layer in model.Modules.OfType<Conv2d>().ToArray())
            if (RuleFor(model.PathOf(layer)).Transform is { } name)
                layer.TransformWeight(WeightTransforms.Parse(name)(layer));
    }

    /// <summary>A rule that no layer follows is a mistake in its pattern.</summary>
    /// <exception cref="ArgumentException">There is one.</exception>
    public void CheckUsed(Module model)
    {
        var used = Layers(model).Select(layer => RuleFor(model.PathOf(layer))).ToHashSet();
        if (rules.SkipLast(1).FirstOrDefault(rule => !used.Contains(rule)) is { } unused)
            throw new ArgumentException($"the normalization '{this}': no layer is left for '{unused.Pattern}'. The "
                + $"layers are {ModuleFile.List([.. Layers(model).Select(model.PathOf)])}.");
    }

    /// <summary>What of a model is not as these say; null when all is.</summary>
    public string? Contradiction(Module model)
    {
        foreach (var layer in Layers(model))
        {
            var path = model.PathOf(layer);
            var rule = RuleFor(path);
            // by what the names make, as one thing can have several
            if (layer is Normalization norm && !Normalizations.IsMadeBy(rule.Name, norm))
                return $"{path} is {Normalizations.NameOf(norm)}";
            if (layer is Conv2d conv && !(rule.Transform is { } transform ? WeightTransforms.IsMadeBy(transform, conv)
                : conv.WeightTransform is null))
                return $"the weight of {path} is "
                    + (WeightTransforms.NameOf(conv) is { } name ? $"transformed by '{name}'" : "not transformed");
        }
        return null;
    }

    private static IEnumerable<Module> Layers(Module model) =>
        model.Modules.Where(layer => layer is Normalization or Conv2d);

    /// <inheritdoc/>
    public override string ToString() =>
        rules is [var only] ? only.Text : string.Join(',', rules.Select(rule => rule.ToString()));

    // ---- from a model, to a text ------------------------------------------------------------------------------------

    /// <summary>
    /// The text for the normalizations of a model. One that no name makes is called by its type and settings, so that
    /// the text is no rule that can be read.
    /// </summary>
    public static string Of(Module model)
    {
        var layers = model.Modules.OfType<Normalization>().ToArray();
        if (layers.Length == 0) return "none";
        var all = layers.Select(layer =>
            (Path: model.PathOf(layer),
                Name: Normalizations.NameOf(layer).Replace($", {layer.Channels} channels", ""))).ToArray();
        var most = all.GroupBy(layer => layer.Name).MaxBy(group => group.Count())!.Key;
        return all.All(layer => layer.Name == most) ? Normalizations.NameOf(layers[^1])
            : string.Join(',', [.. Below("", all, most), $"*={most}"]);
    }

    // A rule for each part of the model in which all are equal and not as most are.
    private static IEnumerable<string> Below(string path, (string Path, string Name)[] layers, string most)
    {
        if (layers.All(layer => layer.Name == most)) return [];
        if (path != "" && layers.All(layer => layer.Name == layers[0].Name)) return [$"{path}={layers[0].Name}"];
        string Part(string whole) =>
            whole.IndexOf('.', path == "" ? 0 : path.Length + 1) is >= 0 and var dot ? whole[..dot] : whole;
        return layers.GroupBy(layer => Part(layer.Path)).SelectMany(part => Below(part.Key, [.. part], most));
    }

    /// <summary>The text, once all weights of the model are transformed.</summary>
    public static string Transformed(string text, string transform) => Problem(text) is not null
        ? text.EndsWith($"+{transform}", StringComparison.Ordinal) ? text : $"{text}+{transform}"
        : new NormalizationRules([.. Split(text).Select(rule => rule with { Transform = transform })]).ToString();
}
