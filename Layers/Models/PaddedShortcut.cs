namespace Tapegrad.Layers;

/// <summary>
/// The shortcut without parameters where a residual network's stage begins (He, Zhang, Ren and Sun, 2016, option A):
/// every second pixel of x [N, H, W, C], and new channels of zeros, half of them on either side (the odd one behind).
/// </summary>
public sealed class PaddedShortcut(int newChannels) : Module
{
    /// <summary>Channels of zeros in front of x's.</summary>
    public int Before => newChannels / 2;

    /// <summary>Channels of zeros behind x's.</summary>
    public int Behind => newChannels - Before;

    /// <inheritdoc/>
    public override string Settings => $"every second pixel, {newChannels} channels of zeros";

    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x) =>
        x.Pad([0, 0, 0, Before], [0, 0, 0, Behind], steps: [1, 2, 2, 1]);
}
