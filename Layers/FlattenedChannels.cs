namespace Tapegrad.Layers;

/// <summary>
/// Which parameters a <see cref="Flatten"/> gives another order in files. It makes one axis of positions and channels,
/// in which here the channel is the faster index and in PyTorch the position:
/// <code>
/// feature  position * channels + channel  here        channel * positions + position  in PyTorch
/// </code>
/// The layers are walked in the order of registration, with what is known of the value that the next one takes: how
/// many channels it has, if any layer said so, and whether it has been flattened. Of a layer of somebody else's nothing
/// is assumed.
/// </summary>
internal sealed class FlattenedChannels
{
    private readonly Dictionary<Parameter, int> found = [];
    private int? channels;
    private bool isFlat;

    private FlattenedChannels(int? inputChannels) => channels = inputChannels;

    /// <summary>The number of channels, for each parameter whose last axis in a file runs over the channels of several
    /// positions.</summary>
    /// <exception cref="ArgumentException">It cannot be known; or a normalization's groups would be of other features
    /// in PyTorch.</exception>
    public static IReadOnlyDictionary<Parameter, int> Of(Module module, int? inputChannels)
    {
        var walk = new FlattenedChannels(inputChannels);
        walk.Walk(module);
        return walk.found;
    }

    private void Walk(Module module)
    {
        // What is inside a part does not stand in the way of the values.
        if (module.Children.All(child => child.IsPart)) Pass(module);
        else foreach (var child in module.Children) Walk(child);
    }

    private void Pass(Module layer)
    {
        switch (layer)
        {
            case Flatten:
                isFlat = true;
                break;
            case Linear linear:
                // the bias is of its outputs
                if (isFlat && TakesPositions(linear, linear.Weight.Shape[0])) found[linear.Weight] = channels!.Value;
                Gives(linear.Weight.Shape[1]);
                break;
            case Normalization norm when isFlat:   // and they stay flattened
                if (TakesPositions(norm, norm.Channels)) Reorder(norm);
                break;
            case Normalization norm:
                channels = norm.Channels;
                break;
            case Convolution convolution:
                Gives(convolution.Configuration.Outputs);
                break;
            default:
                if (layer.GetType().Assembly != typeof(Module).Assembly) Gives(null);
                break;
        }
    }

    private void Gives(int? outputs) => (channels, isFlat) = (outputs, false);

    // Whether the features of a flattened value are more than the channels of one position.
    private bool TakesPositions(Module layer, int features)
    {
        if (channels is not { } count || features % count != 0)
            throw new ArgumentException($"{layer.Path}: its {features} inputs stand behind a flatten, and "
                + $"{(channels is null ? "nothing before it says" : $"{channels} channels do not divide them;")} how "
                + "many channels were flattened. Give inputChannels, where it is the module's input that is flattened.");
        return features > count;
    }

    private void Reorder(Normalization norm)
    {
        if (channels > 1 && norm.S.Groups > 1 && norm.S.Groups < norm.Channels)
            throw new ArgumentException($"{norm.Path}: its {norm.S.Groups} groups stand behind a flatten, where the "
                + "neighbours that share a mean are other features here than in PyTorch: no order of its weights makes "
                + "both compute the same.");
        foreach (var entry in norm.StateEntries.Where(entry => entry.FileShape == new Shape(norm.Channels)))
            found[entry.Parameter] = channels!.Value;
    }
}
