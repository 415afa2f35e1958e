using Tapegrad.Devices;
using Tapegrad.Layers;

namespace Tapegrad.Laws;

/// <summary>
/// A normalization under test on one device: numbers in, numbers out. Of the layer it uses what every module has (its
/// parameters, its state, the tape), so it may be any that keeps the shape of its input.
/// </summary>
internal sealed class NormalizationBench
{
    private readonly NormalizationCase drawn;
    private readonly Module layer;

    /// <summary>
    /// Makes the layer for the case's channels; every parameter that it learns is random unless it is to be bare.
    /// </summary>
    public NormalizationBench(Func<int, Module> create, NormalizationCase drawn, Device device, bool isBare = false)
    {
        using var _ = Device.Use(device);
        (this.drawn, Device, layer) = (drawn, device, create(drawn.Channels));
        if (isBare) return;
        for (var number = 0; number < layer.Parameters.Count; number++)
        {
            var (parameter, random) = (layer.Parameters[number], drawn.Random.Split(-9 - number));
            var values = parameter.Value.ToDoubles()
                .Select((value, c) => (double)(float)(value + 0.3 * random.Normal(c)));
            parameter.Value = Tensor.From([.. values], parameter.Shape);
        }
    }

    public Device Device { get; }

    /// <summary>Whether the layer computes as in training; at first it does.</summary>
    public bool IsTraining { get; private set; } = true;

    /// <summary>For messages.</summary>
    public string Where => $"on the {Device} device{(IsTraining ? "" : ", in evaluation")}";

    /// <summary>Of a normalization that shares by groups; one group for any other module.</summary>
    public int Groups => (layer as Normalization)?.S.Geometry(drawn.Shape).Groups ?? 1;

    /// <summary>Everything that the layer keeps, in a row.</summary>
    public double[] State
    {
        get
        {
            using var _ = Device.Use(Device);
            return [.. layer.State.SelectMany(parameter => parameter.Value.ToDoubles())];
        }
    }

    /// <summary>The output for some samples of the case's shape.</summary>
    public double[] Value(double[] x)
    {
        using var _ = Device.Use(Device);
        using var tape = Open();
        return layer.Apply(Samples(x)).ToDoubles();
    }

    /// <summary>The output without beta.</summary>
    public double[] Centered(double[] x) => [.. Value(x).Zip(Betas(), (value, beta) => value - beta)];

    /// <summary>Beta for every element: the parameter called bias, where the layer has one.</summary>
    public double[] Betas()
    {
        using var _ = Device.Use(Device);
        var beta = layer.Parameters.FirstOrDefault(parameter =>
            parameter.Name == "bias" && parameter.Count == drawn.Channels)?.Value.ToDoubles();
        return [.. Enumerable.Range(0, drawn.Shape.Count).Select(i => beta?[i % drawn.Channels] ?? 0)];
    }

    /// <summary>The gradient of x for a covector.</summary>
    public double[] Gradient(double[] x, double[] covector)
    {
        using var _ = Device.Use(Device);
        using var tape = Open();
        var input = tape.Watch(Samples(x));
        return tape.Gradients(layer.Apply(input), [input], Samples(covector))[0].ToDoubles();
    }

    /// <summary>The value and the gradients of x and of all parameters.</summary>
    public Sweeps Sweep(double[] x, int order) => Sweeps.Run(Device, tape =>
    {
        var input = tape.Watch(Samples(x));
        return (layer.Apply(input), [input, .. layer.Parameters.Select(parameter => parameter.Value)]);
    }, drawn.Random, IsTraining, order);

    /// <summary>Derivatives by x and by all parameters against difference quotients.</summary>
    public void CheckDerivatives(LawOptions options)
    {
        using var _ = Device.Use(Device);
        var names = string.Join(", ", layer.Parameters.Select(parameter => parameter.Name));
        // The parameters join with weight 0: without samples a layer may use none of them.
        var zero = layer.Parameters.Select(parameter => (Func<Tensor>)(() => (parameter.Value * 0).Sum()));
        Derivatives.Check($"with respect to x{(names == "" ? "" : ", ")}{names} {Where}",
            x => zero.Aggregate(layer.Apply(x[0]), (sum, term) => sum + term()), [Samples(drawn.Values())],
            options with
            {
                Training = IsTraining,
            }, drawn.Seed, parameters: layer.Parameters);
    }

    /// <summary>
    /// Trains on some samples and commits what that proposed: parts of one batch, whose gradients are added.
    /// </summary>
    public void Commit(params double[][] parts)
    {
        using var _ = Device.Use(Device);
        Gradients? total = null;
        foreach (var part in parts)
        {
            using var tape = Tape.Training(drawn.Random);
            // Watched, so that there is a gradient even without parameters.
            var gradients = tape.Gradients(layer.Apply(tape.Watch(Samples(part))).Square().Sum()).Keep();
            total = total is null ? gradients : (total + gradients).Keep();
        }
        total?.CommitStatistics();
    }

    /// <summary>The layer computes as in evaluation from now on, after training on some samples.</summary>
    public NormalizationBench Evaluating(double[] seen)
    {
        Commit(seen);
        IsTraining = false;
        return this;
    }

    private Tape Open() => IsTraining ? Tape.Training(drawn.Random) : Tape.Evaluating();

    private Tensor Samples(double[] numbers) =>
        Tensor.From(numbers, new Shape([numbers.Length / drawn.SampleSize, .. drawn.Shape.Dimensions[1..]]));
}
