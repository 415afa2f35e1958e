using Tapegrad.Layers;

namespace Tapegrad.Tests.Layers.Normalization.Outside;

/// <summary>
/// Scaled weight standardization (Brock, De and Smith, 2021, arXiv:2101.08692): W^ = gain (W - mean) / (sqrt(fan-in)
/// deviation) for each output channel, with a gain that is learned: what a network without normalization needs.
/// </summary>
public sealed class ScaledStandardizedWeight : WeightTransform
{
    private readonly Parameter gain;
    private readonly double times;

    public ScaledStandardizedWeight(Conv2d layer, double times = 1)
    {
        this.times = times;
        gain = Parameter("gain", Tensor.Ones(new Shape(layer.Weight.Shape[-1])));
    }

    public static WeightTransformInfo Info { get; } = new("sws", name => name is "sws" or "scaled" ? layer =>
        new ScaledStandardizedWeight(layer) : null)
    {
        Examples = ["sws"],
        Formula = "gain (W - mean) / (sqrt(fan-in) deviation)",
        Paper = "Brock, De and Smith, 2021, arXiv:2101.08692",
    };

    public override string Variant => "sws";

    public override string Settings =>
        times == 1 ? "scaled, standardized" : FormattableString.Invariant($"scaled {times} times, standardized");

    protected override Tensor Forward(Tensor weight) =>
        weight.Standardize() * (gain.Value * times * Math.Sqrt(weight.Shape[-1] / (double)weight.Count));
}
