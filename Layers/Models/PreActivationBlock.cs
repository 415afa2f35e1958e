namespace Tapegrad.Layers;

/// <summary>
/// The residual block whose normalizations come before the convolutions (He, Zhang, Ren and Sun, "Identity mappings",
/// 2016), as wide residual networks have it:
/// <code>
/// h = relu(norm1(x))
/// block(x) = conv2(relu(norm2(conv1(h)))) + x                     or + shortcut(h), where the block changes the shape
/// </code>
/// The layers' names are those of the PyTorch implementations that go back to the authors'.
/// </summary>
public sealed class PreActivationBlock : Module
{
    private readonly Module conv1, conv2;
    private readonly Normalization norm1, norm2;
    private readonly Module? shortcut;

    /// <summary>A residual block.</summary>
    /// <param name="norm1">"bn1": of x.</param>
    /// <param name="conv1">"conv1".</param>
    /// <param name="norm2">"bn2": of its output.</param>
    /// <param name="conv2">"conv2".</param>
    /// <param name="shortcut">"convShortcut": what h passes through where the block changes the shape; null for
    /// none.</param>
    public PreActivationBlock(Normalization norm1, Module conv1, Normalization norm2, Module conv2,
        Module? shortcut = null)
    {
        (this.norm1, this.conv1) = (Child("bn1", norm1), Child("conv1", conv1));
        (this.norm2, this.conv2) = (Child("bn2", norm2), Child("conv2", conv2));
        if (shortcut is not null) this.shortcut = Child("convShortcut", shortcut);
    }

    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x)
    {
        var h = norm1.Apply(x, relu: true);
        var y = norm2.Apply(conv1.Apply(h), relu: true);
        return conv2.Apply(y) + (shortcut is null ? x : shortcut.Apply(h));
    }
}
