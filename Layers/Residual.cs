namespace Tapegrad.Layers;

/// <summary>
/// y = branch(x) + shortcut(x), and a ReLU after it when asked for (He, Zhang, Ren and Sun, 2016). Without a shortcut, x itself
/// is added. The layers of the branch keep their own names under this block's path: <c>layer1.0.conv1</c>, not
/// <c>layer1.0.branch.conv1</c>.
/// </summary>
public sealed class Residual : Module
{
    /// <summary>A residual block.</summary>
    /// <param name="branch">What is learned beside the shortcut.</param>
    /// <param name="shortcut">What x passes through where the branch changes its shape; null for nothing.</param>
    /// <param name="relu">Whether a ReLU follows the sum.</param>
    /// <param name="shortcutName">The shortcut's name in this block.</param>
    public Residual(Module branch, Module? shortcut = null, bool relu = false, string shortcutName = "shortcut")
    {
        Branch = Child("", branch);
        Shortcut = shortcut is null ? null : Child(shortcutName, shortcut);
        EndsWithRelu = relu;
    }

    /// <summary>What is learned beside the shortcut.</summary>
    public Module Branch { get; }

    /// <summary>What x passes through beside the branch; null for nothing.</summary>
    public Module? Shortcut { get; }

    /// <summary>Whether a ReLU follows the sum.</summary>
    public bool EndsWithRelu { get; }

    /// <inheritdoc/>
    public override string Settings => EndsWithRelu ? "relu after the sum" : "";

    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x)
    {
        var kept = Shortcut is null ? x : Shortcut.Apply(x);
        var following = new Following(kept, EndsWithRelu);
        var y = Branch.Apply(x, following);
        if (y.Shape != kept.Shape)
            throw new ShapeException($"residual: the branch gives {y.Shape}, but the shortcut {kept.Shape}; they are added, so they must be equal.");
        if (following.Residual is not null) y += kept;
        return following.Relu ? y.Relu() : y;
    }
}
