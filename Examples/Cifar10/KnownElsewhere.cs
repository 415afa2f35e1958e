using Tapegrad.Layers;

namespace Tapegrad.Examples.Cifar10;

/// <summary>
/// Names that are known from networks for ImageNet. A ResNet for small images has 6n + 2 layers (He, Zhang, Ren and
/// Sun, 2016, section 4.2), and so have 50 and 152, but section 4.1 means others by them.
/// </summary>
internal static class KnownElsewhere
{
    /// <summary>What --model cannot be, though people look for it.</summary>
    public const string Missing = "; ImageNet's resnet34, 50, 101 and 152 are not here";

    /// <summary>Says, once, that a network is not the one that its name calls to mind.</summary>
    public static void Notice(string model)
    {
        if (model is not ("resnet50" or "resnet152")) return;
        var layers = model["resnet".Length..];
        Notices.Raise($"{model} is the narrow network of {layers} layers for small images, of 16, 32 and 64 channels, "
            + $"and not ImageNet's ResNet-{layers}. "
            + "Of ImageNet's, there is resnet18.");
    }
}
