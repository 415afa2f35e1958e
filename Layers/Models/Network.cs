namespace Tapegrad.Layers;

/// <summary>A family of networks: what each name of it, such as <c>resnet20</c>, stands for.</summary>
/// <param name="Build">Makes one; metadata excepted.</param>
/// <param name="CountWeights">How many weights the convolutions and the linear layer hold.</param>
internal sealed record Network(Func<ModelSpec, LayerMaker, Module> Build, Func<ModelSpec, double> CountWeights)
{
    /// <summary>More channels than this no image has, nor any layer.</summary>
    public const int MostChannels = 1 << 24;

    /// <summary>Whether <see cref="ModelSpec.Width"/> may be another one.</summary>
    public bool HasWidths { get; init; }

    /// <summary>Whether there are residual blocks whose last gamma can start at 0.</summary>
    public bool HasGammas { get; init; }

    /// <summary>Why another width, or such a gamma, cannot be.</summary>
    public string Refusal { get; init; } = "";

    /// <summary>How it is trained where nobody says otherwise.</summary>
    public UsualTraining Usual { get; init; } = new();

    /// <summary>The network of a name; null when there is none.</summary>
    public static Network? Named(string name) => ResNet.Named(name) ?? WideResNet.Named(name) ?? Vgg.Named(name)
        ?? Fast.Named(name);
}
