using System.Reflection;

namespace Tapegrad.Layers;

/// <summary>
/// What a convolution does to its weight [KH, KW, C / groups, O] before it is used: W^ of the same shape, in
/// <see cref="Module.Forward"/>. Its own parameters are named as if they were the convolution's: <c>conv1.gain</c>.
/// </summary>
public abstract class WeightTransform : Module
{
    internal override bool IsPart => true;

    /// <summary>The name by which <see cref="WeightTransforms"/> makes one like this.</summary>
    public abstract string Variant { get; }
}

/// <summary>A weight transform as a person chooses it; see <see cref="NormalizationInfo"/>.</summary>
/// <param name="Usage">Its names, for messages and help.</param>
/// <param name="Parse">From a name to a function that makes the transform for a convolution; null when the name is
/// another's.</param>
public sealed record WeightTransformInfo(string Usage, Func<string, Func<Conv2d, WeightTransform>?> Parse)
{
    /// <summary>Names that <see cref="Parse"/> reads. They fit a 3x3 convolution of 32 channels to 32.</summary>
    public required IReadOnlyList<string> Examples { get; init; }

    /// <summary>W^.</summary>
    public required string Formula { get; init; }

    /// <summary>Where it comes from.</summary>
    public required string Paper { get; init; }
}

/// <summary>Finds weight transforms by name: <c>ws</c>, as in <c>group:8+ws</c>.</summary>
public static class WeightTransforms
{
    private static readonly Catalogue<WeightTransformInfo> Catalogue = new();

    /// <summary>All that are known.</summary>
    public static IReadOnlyList<WeightTransformInfo> All => Catalogue.All;

    /// <summary>Whether there is one of this name.</summary>
    public static bool IsKnown(string name) => Find(name) is not null;

    /// <summary>The function that makes a transform for a convolution, by its name.</summary>
    /// <exception cref="ArgumentException">There is no such transform.</exception>
    public static Func<Conv2d, WeightTransform> Parse(string name) =>
        Find(name) ?? throw new ArgumentException(Unknown(name));

    internal static string Unknown(string name) =>
        $"there is no weight transform '{name}'. Known are: {string.Join("; ", All.Select(info => info.Usage))}.";

    /// <summary>
    /// Transforms the weights of all two-dimensional convolutions in a model, whose metadata say so from then on. Those
    /// that are transformed so already stay.
    /// </summary>
    /// <exception cref="ArgumentException">There is no such transform; or a convolution cannot have it; or the metadata
    /// say that the model has no normalization. Nothing was changed.</exception>
    public static void TransformWeights(this Module model, string name)
    {
        var make = Parse(name);
        ModelSpec.CheckNormalized(model);
        var made = model.Modules.OfType<Conv2d>().Where(layer => !IsMadeBy(name, layer))
            .Select(layer => (Layer: layer, Transform: make(layer))).ToArray();
        foreach (var (layer, transform) in made) layer.CheckTransform(transform);   // all, before anything changes
        if (made.DistinctBy(pair => pair.Transform).Count() < made.Length)
            throw new ArgumentException($"'{name}' makes one transform for several convolutions, and each needs its "
                + "own.");
        foreach (var (layer, transform) in made) layer.TransformWeight(transform);
        ModelSpec.NoteTransformed(model, name);
    }

    /// <summary>
    /// The name that makes a convolution's transform; null for none; its type and settings where no name makes it.
    /// </summary>
    internal static string? NameOf(Conv2d layer)
    {
        if (layer.WeightTransform is not { } transform) return null;
        return IsMadeBy(transform.Variant, layer) ? transform.Variant
            : $"{transform.GetType().Name}({transform.Settings})";
    }

    /// <summary>Whether a name makes a transform equal to a convolution's; several names can.</summary>
    internal static bool IsMadeBy(string name, Conv2d layer)
    {
        try
        {
            return layer.WeightTransform is { } transform && Find(name)?.Invoke(layer) is { } made
                && made.GetType() == transform.GetType() && made.Settings == transform.Settings;
        }
        catch (ArgumentException)   // the convolution cannot have it
        {
            return false;
        }
    }

    /// <summary>Adds those of an assembly: all, or none where one is refused.</summary>
    internal static void Register(Assembly assembly) => Catalogue.All = Catalogue.With(assembly, Check);

    private static void Check(Type carrier, WeightTransformInfo info, WeightTransformInfo[] known)
    {
        foreach (var example in info.Examples)
            Catalogue<WeightTransformInfo>.CheckExample("weight transform", example, Find(example, known) is not null,
                () =>
                {
                    const int channels = NormalizationInfo.Channels;
                    var made = info.Parse(example)?.Invoke(new Conv2d(channels, channels, 3, default));
                    return (made, made?.Variant);
                }, carrier);
    }

    private static Func<Conv2d, WeightTransform>? Find(string name) => Find(name, Catalogue.All);

    private static Func<Conv2d, WeightTransform>? Find(string name, WeightTransformInfo[] known) =>
        known.Select(info => info.Parse(name)).FirstOrDefault(make => make is not null);
}
