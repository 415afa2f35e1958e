namespace Tapegrad.Layers;

/// <summary>
/// The residual block of two convolutions (He, Zhang, Ren and Sun, 2016):
/// <code>
/// y = relu(norm1(conv1(x)))
/// block(x) = relu(norm2(conv2(y)) + shortcut(x))     the shortcut is x itself where the block keeps its shape
/// </code>
/// Each normalization does what follows it in its own pass over memory. The layers' names are PyTorch's.
/// </summary>
public sealed class BasicBlock : Module
{
    private readonly Module conv1, conv2;
    private readonly Normalization norm1, norm2;
    private readonly Module? shortcut;

    /// <summary>A residual block.</summary>
    /// <param name="conv1">"conv1": takes x.</param>
    /// <param name="norm1">"bn1": of its output.</param>
    /// <param name="conv2">"conv2".</param>
    /// <param name="norm2">"bn2": of its output; the shortcut is added and the sum rectified.</param>
    /// <param name="shortcut">What x passes through where the block changes its shape; null for nothing.</param>
    /// <param name="shortcutName">The shortcut's name.</param>
    public BasicBlock(Module conv1, Normalization norm1, Module conv2, Normalization norm2, Module? shortcut = null,
        string shortcutName = "downsample")
    {
        (this.conv1, this.norm1) = (Child("conv1", conv1), Child("bn1", norm1));
        (this.conv2, this.norm2) = (Child("conv2", conv2), Child("bn2", norm2));
        if (shortcut is not null) this.shortcut = Child(shortcutName, shortcut);
    }

    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x)
    {
        var y = norm1.Apply(conv1.Apply(x), relu: true);
        return norm2.Apply(conv2.Apply(y), residual: Shortcut(x), relu: true);
    }

    private Tensor Shortcut(Tensor x) => shortcut is null ? x : shortcut.Apply(x);
}
