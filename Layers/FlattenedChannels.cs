namespace Tapegrad.Layers;

/// <summary>
/// Which parameters a <see cref="Flatten"/> gives another order in files. It makes one axis of positions and channels,
/// in which here the channel is the faster index and in PyTorch the position:
/// <code>
/// feature  position * channels + channel  here        channel * positions + position  in PyTorch
/// </code>
/// The layers are walked in the order of registration, with the values that lie between them as far as layers say what
/// they are. In a <see cref="Sequential"/> each takes what the one before gives; elsewhere the latest value that is as
/// long, which for a second head is an earlier one. What a Forward of somebody else's does between its layers is not
/// seen, nor what a layer of theirs does: a linear layer that takes more or less than the channels before it is
/// refused, and whatever else could be in another order is named in a notice.
/// </summary>
internal sealed class FlattenedChannels
{
    private enum Kind
    {
        Unseen,     // the module's input, or what a layer of somebody else's gives
        Features,   // of a linear layer
        Image,      // channels, maybe at several positions
        Flat,       // an image, positions and channels on one axis
    }

    /// <summary>What lies between layers.</summary>
    /// <param name="kind">What of it is known.</param>
    /// <param name="length">Of its last axis; null until a layer takes it.</param>
    private sealed class Value(Kind kind, int? length)
    {
        public Kind Kind { get; set; } = kind;

        public int? Length { get; set; } = length;

        /// <summary>Of a flat one: the channels that were flattened; null where no layer said it.</summary>
        public int? Channels { get; init; }

        /// <summary>Whether it is certain which value was flattened.</summary>
        public bool IsCertain { get; init; } = true;

        public bool Fits(int length) => Length is null || Length == length;

        // Whether, being so long, it has another order in PyTorch.
        public bool IsReordered(int length) => Kind == Kind.Flat && Channels != 1 && Channels != length;
    }

    private readonly Dictionary<Parameter, int> found = [];
    private readonly List<Value> values = [];   // the latest last
    private readonly List<string> doubtful = [];

    private FlattenedChannels(int? inputChannels) =>
        values.Add(new Value(inputChannels is null ? Kind.Unseen : Kind.Image, inputChannels));

    /// <summary>The number of channels, for each parameter whose last axis in a file runs over the channels of several
    /// positions.</summary>
    /// <exception cref="ArgumentException">It cannot be known; or a normalization's groups would be of other features
    /// in PyTorch.</exception>
    public static IReadOnlyDictionary<Parameter, int> Of(Module module, int? inputChannels)
    {
        var walk = new FlattenedChannels(inputChannels);
        walk.Walk(module, isNext: true);
        if (walk.doubtful.Count > 0)
            Notices.Raise($"{ModuleFile.List(walk.doubtful)}: it is not seen what comes before. Where positions and "
                + $"channels become one axis there, or one axis becomes them, other than by a {nameof(Flatten)}, the "
                + "weights have another order in PyTorch than here, and are not put into it. Else all is well.");
        return walk.found;
    }

    // isNext: whether it certainly takes what the layer before it gives.
    private void Walk(Module module, bool isNext)
    {
        // What is inside a normalization or a part does not stand in the way of the values.
        if (module is Normalization || module.Children.All(child => child.IsPart))
        {
            Pass(module, isNext);
            return;
        }
        foreach (var child in module.Children)
        {
            Walk(child, isNext);
            isNext = module is Sequential;
        }
    }

    private void Pass(Module layer, bool isNext)
    {
        switch (layer)
        {
            case Flatten:
                PassFlatten(isNext);
                break;
            case Linear linear:
                Pass(linear, linear.Weight.Shape[0], linear.Weight.Shape[1], isNext);
                break;
            case Normalization norm:
                Pass(norm, isNext);
                break;
            case Convolution convolution:
                Pass(convolution);
                break;
            default:
                if (layer.GetType().Assembly != typeof(Module).Assembly) PassUnseen(layer);
                break;
        }
    }

    // ---- kinds of layers --------------------------------------------------------------------------------------------

    private void PassFlatten(bool isNext)
    {
        var latest = values[^1];
        if (latest.Kind == Kind.Flat) return;
        // A second head flattens what the first one did, and not what that gives.
        var isHead = !isNext && latest.Kind == Kind.Features;
        values.Add(isHead && values.FindLast(value => value.Kind == Kind.Flat) is { } before ? before
            : new Value(Kind.Flat, length: null) { Channels = latest.Length, IsCertain = !isHead });
    }

    private void Pass(Linear linear, int inputs, int outputs, bool isNext)
    {
        if (values[^1].Kind == Kind.Unseen && Known is { } known
            && (known.IsReordered(inputs) || (known.Kind == Kind.Image && known.Length > 1 && known.Length != inputs)))
            Doubt(linear);
        var taken = Take(linear, inputs, isNext, Kind.Features);
        if (taken is null && Unflattened is { Length: > 1 and var channels })
            throw new ArgumentException($"{linear.Path}: its {inputs} inputs are not the {channels} channels that come "
                + $"before it, and there is no {nameof(Flatten)} between. If a Forward flattens positions and channels "
                + $"itself, their order is another one in PyTorch, and nothing here knows: use a {nameof(Flatten)}. If "
                + "it joins values, or leaves some out, have a layer of your own do it, of which nothing is assumed.");
        // the bias is of its outputs
        if (taken?.Kind == Kind.Flat && TakesPositions(linear, inputs, taken.Channels))
            found[linear.Weight] = taken.Channels!.Value;
        values.Add(new Value(Kind.Features, outputs));
    }

    private void Pass(Normalization norm, bool isNext)
    {
        var features = norm.Channels;
        if (values[^1].Kind == Kind.Unseen && (Known?.IsReordered(features) == true || MayBeFlattened(features)))
            Doubt(norm);
        var kind = Known is null || Unflattened is not null ? Kind.Image : Kind.Features;
        var taken = Take(norm, features, isNext, kind);
        if (taken is null)
        {
            if (MayBeFlattened(features)) Doubt(norm);
            values.Add(new Value(kind, features));
        }
        // and it stays flattened
        else if (taken.Kind == Kind.Flat && TakesPositions(norm, features, taken.Channels))
            Reorder(norm, taken.Channels!.Value);
    }

    private void Pass(Convolution convolution)
    {
        var (inputs, outputs) = (convolution.Configuration.Inputs, convolution.Configuration.Outputs);
        // Of the features of a linear layer an image may have been made.
        if (inputs > 1 && Known is { Kind: Kind.Features, Length: { } features } && features > inputs
            && features % inputs == 0) Doubt(convolution);
        if (values[^1] is { Kind: Kind.Unseen } unseen) (unseen.Kind, unseen.Length) = (Kind.Image, inputs);
        values.Add(new Value(Kind.Image, outputs));
    }

    private void PassUnseen(Module layer)
    {
        if (values[^1] is { Kind: Kind.Flat, Channels: not 1 } && layer.StateEntries.Any()) Doubt(layer);
        if (values[^1].Kind != Kind.Unseen) values.Add(new Value(Kind.Unseen, length: null));
    }

    // ---- values -----------------------------------------------------------------------------------------------------

    // The latest that a layer said something about.
    private Value? Known => values.FindLast(value => value.Kind != Kind.Unseen);

    // The latest image, unless it has been flattened.
    private Value? Unflattened =>
        values.FindLast(value => value.Kind is Kind.Image or Kind.Flat) is { Kind: Kind.Image } image ? image : null;

    // Whether so many features can be the positions and the channels of it.
    private bool MayBeFlattened(int features) => Unflattened is { Length: > 1 and var channels }
        && features > channels && features % channels == 0;

    // The latest value that is as long, which is of a kind if nobody knew; null where there is none.
    private Value? Take(Module layer, int length, bool isNext, Kind unseen)
    {
        var taken = isNext ? values[^1].Fits(length) ? values[^1] : null : values.FindLast(value => value.Fits(length));
        if (taken is null) return null;
        var isDoubtful = taken.Kind switch
        {
            Kind.Flat => !taken.IsCertain && taken.Channels != length,
            // A second head may take these features, or those that were flattened.
            Kind.Features => !isNext && values.Exists(value => value.Fits(length) && value.IsReordered(length)),
            Kind.Image => taken != values[^1] && MayBeFlattened(length),
            _ => false,
        };
        if (isDoubtful) Doubt(layer);
        if (taken.Kind == Kind.Unseen) taken.Kind = unseen;
        taken.Length = length;
        return taken;
    }

    private void Doubt(Module layer)
    {
        if (!doubtful.Contains(layer.Path)) doubtful.Add(layer.Path);
    }

    // Whether the features of a flattened value are more than the channels of one position.
    private static bool TakesPositions(Module layer, int features, int? channels)
    {
        if (channels is not { } count || features % count != 0)
            throw new ArgumentException($"{layer.Path}: its {features} inputs stand behind a flatten, and "
                + $"{(channels is null ? "nothing before it says" : $"{channels} channels do not divide them;")} how "
                + "many channels were flattened. Give inputChannels, where it is the module's input that is flattened.");
        return features > count;
    }

    private void Reorder(Normalization norm, int channels)
    {
        if (channels > 1 && norm.S.Groups > 1 && norm.S.Groups < norm.Channels)
            throw new ArgumentException($"{norm.Path}: its {norm.S.Groups} groups stand behind a flatten, where the "
                + "neighbours that share a mean are other features here than in PyTorch: no order of its weights makes "
                + "both compute the same.");
        foreach (var entry in norm.StateEntries.Where(entry => entry.FileShape == new Shape(norm.Channels)))
            found[entry.Parameter] = channels;
    }
}
