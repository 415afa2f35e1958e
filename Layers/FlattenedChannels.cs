namespace Tapegrad.Layers;

/// <summary>
/// What stands behind a <see cref="Flatten"/>, and how many channels were flattened there. The channels are those of the last
/// layer before it that has any, in the order of registration; of a layer of somebody else's nothing is assumed.
/// </summary>
internal static class FlattenedChannels
{
    /// <summary>The number of channels, for each parameter whose last axis in a file runs over the channels of several
    /// positions.</summary>
    /// <exception cref="ArgumentException">It cannot be known.</exception>
    public static IReadOnlyDictionary<Parameter, int> Of(Module module, int? inputChannels)
    {
        var found = new Dictionary<Parameter, int>();
        var (channels, flat) = (inputChannels, false);
        foreach (var layer in module.Modules.Where(layer => layer.Children.Count == 0))
        {
            if (layer is Flatten) flat = true;
            else if (flat && Features(layer) is { } features)
            {
                if (channels is not { } count || features % count != 0) throw new ArgumentException($"{layer.Path}: its {features} inputs "
                    + $"stand behind a flatten, and {(channels is null ? "nothing before it says" : $"{channels} channels do not divide them;")} how many "
                    + "channels were flattened. Give inputChannels, where it is the module's input that is flattened.");
                if (features > count)
                    foreach (var entry in layer.StateEntries.Where(entry => entry.FileShape.Rank > 0 && entry.FileShape[-1] == features
                        && (layer is not Linear || entry.FileShape.Rank == 2))) found[entry.Parameter] = count;
            }
            else if (layer is Normalization normalization) channels = normalization.Channels;
            if (Outputs(layer) is { } outputs) (channels, flat) = (outputs, false);
            else if (layer.GetType().Assembly != typeof(Module).Assembly) (channels, flat) = (null, false);
        }
        return found;
    }

    // How many features a layer takes that knows nothing of positions.
    private static int? Features(Module layer) => layer switch
    {
        Linear linear => linear.Weight.Shape[0],
        Normalization normalization => normalization.Channels,
        _ => null,
    };

    // How many channels a layer gives; null where as many as it takes. A normalization of flattened features leaves them flattened.
    private static int? Outputs(Module layer) => layer switch
    {
        Conv2d or Conv1d or Linear => layer.StateEntries.First().Parameter.Shape[-1],
        ConvTranspose2d transpose => transpose.Weight.Shape[2] * transpose.Groups,
        _ => null,
    };
}
