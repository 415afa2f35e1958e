namespace Tapegrad.Layers;

/// <summary>
/// In training, each element is 0 with the given probability, else scaled up so that the mean stays; in evaluation,
/// nothing (<see cref="DropoutOperation"/>).
/// </summary>
public sealed class Dropout(double rate) : Module
{
    /// <inheritdoc/>
    public override string Settings => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"rate {rate}");

    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x) => x.Dropout(rate);
}
