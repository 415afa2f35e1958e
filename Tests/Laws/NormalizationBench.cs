using Tapegrad.Devices;
using Tapegrad.Layers;

namespace Tapegrad.Laws;

/// <summary>A normalization under test on one device: numbers in, numbers out, always as in training.</summary>
internal sealed class NormalizationBench
{
    private readonly NormalizationCase drawn;
    private readonly Normalization layer;

    /// <summary>Makes the layer for the case's channels; its gamma and beta are random unless it is to be bare.</summary>
    public NormalizationBench(Func<int, Normalization> create, NormalizationCase drawn, Device device, bool isBare = false)
    {
        using var _ = Device.Use(device);
        (this.drawn, Device, layer) = (drawn, device, create(drawn.Channels));
        if (isBare) return;
        for (var number = 0; number < Affine.Length; number++)
        {
            var (parameter, random) = (Affine[number], drawn.Random.Split(-9 - number));
            var values = parameter.Value.ToDoubles().Select((value, c) => (double)(float)(value + 0.3 * random.Normal(c)));
            parameter.Value = Tensor.From([.. values], parameter.Shape);
        }
    }

    public Device Device { get; }

    /// <summary>For messages.</summary>
    public string Where => $" on the {Device} device";

    public SharingGeometry Geometry => layer.S.Geometry(drawn.Shape);

    public double Eps => layer.Eps;

    /// <summary>The shapes of x, gamma and beta.</summary>
    public IReadOnlyList<Shape> VariableShapes => [drawn.Shape, .. Affine.Select(parameter => parameter.Shape)];

    /// <summary>The output for some samples of the case's shape.</summary>
    public double[] Value(double[] x)
    {
        using var _ = Device.Use(Device);
        using var tape = Tape.Training(drawn.Random);
        return layer.Apply(Samples(x)).ToDoubles();
    }

    /// <summary>The output without beta.</summary>
    public double[] Centered(double[] x) => [.. Value(x).Zip(Betas(), (value, beta) => value - beta)];

    /// <summary>Beta for every element.</summary>
    public double[] Betas()
    {
        using var _ = Device.Use(Device);
        var beta = layer.Bias?.Value.ToDoubles() ?? new double[drawn.Channels];
        return [.. Enumerable.Range(0, drawn.Shape.Count).Select(i => beta[i % drawn.Channels])];
    }

    /// <summary>The gradient of x for a covector.</summary>
    public double[] Gradient(double[] x, double[] covector)
    {
        using var _ = Device.Use(Device);
        using var tape = Tape.Training(drawn.Random);
        var input = tape.Watch(Samples(x));
        return tape.Gradients(layer.Apply(input), [input], Samples(covector))[0].ToDoubles();
    }

    /// <summary>The value and the gradients of x, gamma and beta.</summary>
    public Sweeps Sweep(double[] x, int order) => Sweeps.Run(Device, tape =>
    {
        var input = tape.Watch(Samples(x));
        return (layer.Apply(input), [input, .. Affine.Select(parameter => parameter.Value)]);
    }, drawn.Random, training: true, order);

    /// <summary>Derivatives by x, gamma and beta against difference quotients.</summary>
    public void CheckDerivatives(LawOptions options)
    {
        using var _ = Device.Use(Device);
        Derivatives.Check("with respect to x, gamma and beta", x => layer.Apply(x[0]), [Samples(drawn.Values())],
            options with { Training = true }, drawn.Seed, parameters: Affine);
    }

    private Tensor Samples(double[] numbers) => Tensor.From(numbers,
        new Shape([drawn.Shape.Count == 0 ? 0 : numbers.Length / (drawn.Shape.Count / drawn.Shape[0]), .. drawn.Shape.Dimensions[1..]]));

    private Parameter[] Affine => [.. new[] { layer.Weight, layer.Bias }.OfType<Parameter>()];
}
