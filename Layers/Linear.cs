namespace Tapegrad.Layers;

/// <summary>
/// y = x W + b, x [.., inputs], W [inputs, outputs], b [outputs]; the axes in front are kept. In files the weight is
/// [outputs, inputs], PyTorch's order. Both start evenly spread over +-1/sqrt(inputs), as PyTorch's do.
/// </summary>
public sealed class Linear : Module
{
    private readonly int inputs, outputs;

    /// <summary>A linear layer.</summary>
    /// <param name="inputs">The length of the last axis of x.</param>
    /// <param name="outputs">The length of the last axis of y.</param>
    /// <param name="random">Where the initial values come from.</param>
    /// <param name="bias">Whether b is added.</param>
    /// <param name="initializer">How the weight starts; see <see cref="Initializers"/>.</param>
    public Linear(int inputs, int outputs, RandomSource random, bool bias = true, Initializer? initializer = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(inputs, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(outputs, 1);
        (this.inputs, this.outputs) = (inputs, outputs);
        Weight = Parameter("weight",
            (initializer ?? Initializers.UniformFanIn)(new Shape(inputs, outputs), random.Split(0)), fileAxes: [1, 0]);
        Bias = bias ? Parameter("bias",
            Initializers.Uniform(new Shape(outputs), 1 / Math.Sqrt(inputs), random.Split(1))) : null;
    }

    /// <summary>W, [inputs, outputs].</summary>
    public Parameter Weight { get; }

    /// <summary>b, [outputs]; null when there is none.</summary>
    public Parameter? Bias { get; }

    /// <inheritdoc/>
    public override string Settings => $"{inputs} -> {outputs}{(Bias is null ? ", no bias" : "")}";

    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x)
    {
        if (x.Shape.Rank < 2 || x.Shape[-1] != inputs)
            throw new ShapeException($"linear: made for inputs [.., {inputs}], given {x.Shape}.");
        var y = x.MatrixProduct(Weight);
        return Bias is null ? y : y + Bias;
    }
}
