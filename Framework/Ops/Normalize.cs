using Tapegrad.Devices;

namespace Tapegrad;

/// <summary>
/// y = relu(x^ gamma + beta + residual), where x^ = (x - mean) / sqrt(variance + eps), and each element's mean and
/// biased variance are those of its set (<see cref="Sharing"/>), or given ones. Of gamma, beta [C], residual (of x's
/// shape) and the ReLU, what is not asked for is left out; it is one operation because one pass over memory does it
/// all. With r = 1 / sqrt(variance + eps), g the gradient of y where y is not 0, and means over the set,
/// <code>
/// dx = r (g gamma - mean(g gamma) - x^ mean(g gamma x^))     dgamma = sum(g x^)     dbeta = sum(g)     dresidual = g
/// </code>
/// A set of equal numbers gives exactly 0. In float the sum of squares ends near values of 1e18.
/// (Ioffe and Szegedy, 2015; Ba, Kiros and Hinton, 2016; Ulyanov, Vedaldi and Lempitsky, 2016; Wu and He, 2018.)
/// </summary>
public static class NormalizeOperation
{
    /// <summary>Each element minus its set's mean, over its set's standard deviation; then what is asked for.</summary>
    /// <param name="x">[N, .., C].</param>
    /// <param name="sharing">Who shares a mean.</param>
    /// <param name="eps">Added to the variance, inside the root.</param>
    /// <param name="gamma">[C], the factors of the channels; null for 1.</param>
    /// <param name="beta">[C], what is added to the channels; null for 0.</param>
    /// <param name="residual">Added to the result, of x's shape; null for nothing.</param>
    /// <param name="relu">Whether a ReLU ends it.</param>
    /// <exception cref="ShapeException">x is not [N, .., C], the groups do not divide the channels, or another shape
    /// does not fit.</exception>
    public static Tensor Normalize(this Tensor x, Sharing sharing, double eps, Tensor? gamma = null,
        Tensor? beta = null, Tensor? residual = null, bool relu = false)
    {
        NormalizationGeometry geometry = new(sharing.Geometry(x.Shape), eps, relu);
        if (InParts(x, sharing, residual) is not var (whole, rest))
            return Compute(x, sharing, geometry, new(gamma, beta, residual), out _);
        return whole.X.Normalize(sharing, eps, gamma, beta, whole.Residual, relu)
            .Concatenate(0, rest.X.Normalize(sharing, eps, gamma, beta, rest.Residual, relu));
    }

    /// <summary>
    /// The same, and the moments: one mean and one variance a set, [sets], unrecorded; those of sub-batches pooled.
    /// None of an empty input.
    /// </summary>
    public static Tensor Normalize(this Tensor x, Sharing sharing, double eps, out Moments? moments,
        Tensor? gamma = null, Tensor? beta = null, Tensor? residual = null, bool relu = false)
    {
        var geometry = sharing.Geometry(x.Shape);
        if (InParts(x, sharing, residual) is var (whole, rest))
        {
            var first = whole.X.Normalize(sharing, eps, out var ofWhole, gamma, beta, whole.Residual, relu);
            var second = rest.X.Normalize(sharing, eps, out var ofRest, gamma, beta, rest.Residual, relu);
            using (Tape.Current?.Pause()) moments = ofRest is null ? ofWhole : ofWhole?.Pool(ofRest);
            return first.Concatenate(0, second);
        }
        var y = Compute(x, sharing, new(geometry, eps, relu), new(gamma, beta, residual), out var statistics);
        moments = x.Count == 0 ? null : statistics is null ? MomentsComposite(x, sharing)
            : ReadMoments(statistics, geometry);
        return y;
    }

    // Samples that are left over behind whole sub-batches share among themselves: two inputs, then, with their
    // residuals.
    private static ((Tensor X, Tensor? Residual) Whole, (Tensor X, Tensor? Residual) Left)? InParts(Tensor x,
        Sharing sharing, Tensor? residual)
    {
        if (sharing.Parts(x) is not var (whole, rest)) return null;
        new Operands(null, null, residual).Check(x);
        var residuals = residual is null ? null : sharing.Parts(residual);
        return ((whole, residuals?.Whole), (rest, residuals?.Left));
    }

    private static Moments MomentsComposite(Tensor x, Sharing sharing)
    {
        using var _ = Tape.Current?.Pause();
        return sharing.Moments(x);
    }

    private static Moments ReadMoments(Tensor statistics, SharingGeometry geometry)
    {
        var sets = new Shape(geometry.Sets);
        var moments = new Moments(geometry.SetSize, Tensor.Create(sets, statistics.Device),
            Tensor.Create(sets, statistics.Device));
        ((INormalizationKernels)statistics.Device)
            .ReadMoments(statistics.Buffer, moments.Mean.Buffer, moments.Variance.Buffer);
        if (geometry.SubBatch == 0) return moments;   // no pause is made for nothing
        using var _ = Tape.Current?.Pause();
        return Sharing.PoolSubBatches(moments, geometry);
    }

    /// <summary>The same with a given mean and variance of each channel, [C].</summary>
    public static Tensor Normalize(this Tensor x, Tensor mean, Tensor variance, double eps, Tensor? gamma = null,
        Tensor? beta = null, Tensor? residual = null, bool relu = false)
    {
        var sharing = new Sharing(Batch: true, Positions: true, Groups: x.Shape.Rank > 0
            ? Math.Max(1, x.Shape[-1]) : 1);
        return Compute(x, sharing, new(sharing.Geometry(x.Shape), eps, relu, IsGiven: true),
            new(gamma, beta, residual, mean, variance), out _);
    }

    // What stands beside x, in the order of the record's inputs.
    private readonly record struct Operands(Tensor? Gamma, Tensor? Beta, Tensor? Residual, Tensor? Mean = null,
        Tensor? Variance = null)
    {
        /// <summary>The inputs of the record: x and the operands that are there.</summary>
        public Tensor[] With(Tensor x) => Of<Tensor>(x, Gamma!, Beta!, Residual!, Mean!, Variance!);

        /// <summary>One thing for x, and of one thing for each operand those whose operand is there.</summary>
        public T[] Of<T>(T ofX, params ReadOnlySpan<T> each)
        {
            ReadOnlySpan<Tensor?> all = [Gamma, Beta, Residual, Mean, Variance];
            var result = new T[1 + all.Length - all.Count((Tensor?)null)];
            result[0] = ofX;
            for (int i = 0, next = 1; i < all.Length; i++)
                if (all[i] is not null) result[next++] = each[i];
            return result;
        }

        /// <summary>The inverse of <see cref="With"/>: the operands among a record's inputs.</summary>
        public Operands From(Tensor[] inputs)
        {
            var next = 1;
            Tensor? Next(Tensor? own) => own is null ? null : inputs[next++];
            return new(Next(Gamma), Next(Beta), Next(Residual), Next(Mean), Next(Variance));
        }

        public void Check(Tensor x)
        {
            foreach (var operand in (ReadOnlySpan<Tensor?>)[Gamma, Beta, Residual, Mean, Variance])
                if (operand is not null) Tensor.CheckDevice("normalize", x, operand);
            CheckChannels(x, "gamma", Gamma);
            CheckChannels(x, "beta", Beta);
            CheckChannels(x, "mean", Mean);
            CheckChannels(x, "variance", Variance);
            if (Residual is not null && Residual.Shape != x.Shape)
                throw new ShapeException($"normalize: the residual {Residual.Shape} must have the shape of the input, "
                    + $"{x.Shape}.");
        }

        private static void CheckChannels(Tensor x, string name, Tensor? operand)
        {
            if (operand is not null && (operand.Shape.Rank != 1 || operand.Count != x.Shape[-1]))
                throw new ShapeException($"normalize: the {name} {operand.Shape} must be [{x.Shape[-1]}], one number "
                    + $"for each channel of {x.Shape}.");
        }
    }

    private static Tensor Compute(Tensor x, Sharing sharing, NormalizationGeometry geometry, Operands operands,
        out Tensor? statistics)
    {
        operands.Check(x);
        statistics = null;
        if (x.Count == 0 || x.Device is not INormalizationKernels kernels)
            return RecordComposite(x, sharing, geometry, operands);
        var value = Tensor.Create(x.Shape, x.Device);
        var numbers = Tensor.Create(new Shape(4, geometry.Sharing.Sets), x.Device);
        if (operands is { Mean: { } mean, Variance: { } variance })
        {
            x.Device.Fill(numbers.Buffer, 0);   // no remainder
            mean.Copy(numbers, new Walk(0, [1]));
            variance.Copy(numbers, new Walk(2 * variance.Count, [1]));
        }
        kernels.Normalize(geometry, x.Buffer, operands.Gamma?.Buffer, operands.Beta?.Buffer, operands.Residual?.Buffer,
            numbers.Buffer, value.Buffer);
        Tape.Current?.AdoptFromInside(numbers);   // the gradient will need them
        statistics = numbers;
        // no pulls for nothing
        return Tape.Recording is null ? value : RecordKernel(value, x, sharing, geometry, operands, numbers);
    }

    private static Tensor RecordComposite(Tensor x, Sharing sharing, NormalizationGeometry geometry,
        Operands operands) =>
        Composites.Record("normalize", operands.With(x), inputs =>
            Composite(inputs[0], sharing, geometry, operands.From(inputs)));

    private static Tensor RecordKernel(Tensor value, Tensor x, Sharing sharing, NormalizationGeometry geometry,
        Operands operands, Tensor numbers) =>
        Tape.RecordKernel("normalize", value, operands.With(x),
            inputs => Composite(inputs[0], sharing, geometry, operands.From(inputs)),
            (y, g, _) => Gradients(x, geometry, operands, numbers, y, g),
            // Each block's sum from the one before would lead to the network's beginning: every second one is kept.
            operands.Residual is { Storage.IsRecomputable: true } or { Storage.Parameter: not null } ? null
                : () => Again(x, geometry, operands, numbers),
            uses: operands.Residual is null ? 1 : 2);   // a residual block's sum goes into a convolution and a shortcut

    private static Tensor?[] Gradients(Tensor x, NormalizationGeometry geometry, Operands operands, Tensor numbers,
        Tensor y, Tensor g)
    {
        Tensor Like(Tensor other) => Tensor.Create(other.Shape, x.Device);
        var (gamma, beta, residual, _, _) = operands;
        var channels = gamma?.Shape ?? new Shape(x.Shape[-1]);
        var (dx, dgamma, dbeta) = (Like(x), Tensor.Create(channels, x.Device), Tensor.Create(channels, x.Device));
        var masked = geometry.Relu && residual is not null ? Like(x) : null;
        ((INormalizationKernels)x.Device).NormalizeGradient(geometry, x.Buffer, gamma?.Buffer, beta?.Buffer,
            numbers.Buffer, masked is null ? null : y.Buffer, g.Buffer, dx.Buffer, dgamma.Buffer, dbeta.Buffer,
            masked?.Buffer);
        if (!geometry.IsGiven) return operands.Of<Tensor?>(dx, dgamma, dbeta, masked ?? g, null, null);
        // y depends on the mean as on beta, and on the root of the variance as on gamma
        var inverse = numbers.Slice(0, 3, 1).Reshape(-1);
        var scale = gamma is null ? inverse : inverse * gamma;
        return operands.Of<Tensor?>(dx, dgamma, dbeta, masked ?? g, -(scale * dbeta),
            scale * inverse * dgamma * -0.5);
    }

    // The value once more, from the statistics.
    private static Tensor Again(Tensor x, NormalizationGeometry geometry, Operands operands, Tensor numbers)
    {
        var again = Tensor.Create(x.Shape, x.Device);
        ((INormalizationKernels)x.Device).Normalize(geometry with { IsGiven = true }, x.Buffer,
            operands.Gamma?.Buffer, operands.Beta?.Buffer, operands.Residual?.Buffer, numbers.Buffer, again.Buffer);
        return again;
    }

    internal static Tensor Composite(Tensor x, Sharing sharing, double eps, Tensor? gamma = null, Tensor? beta = null,
        Tensor? residual = null, bool relu = false, Tensor? mean = null, Tensor? variance = null) =>
        Composite(x, sharing, new(sharing.Geometry(x.Shape), eps, relu), new(gamma, beta, residual, mean, variance));

    private static Tensor Composite(Tensor x, Sharing sharing, NormalizationGeometry geometry, Operands operands)
    {
        var y = operands is { Mean: { } mean, Variance: { } variance } ? (x - mean) / (variance + geometry.Eps).Sqrt()
            : x.Count == 0 ? x : Standardize(x, sharing, geometry.Eps);
        if (operands.Gamma is { } gamma) y *= gamma;
        if (operands.Beta is { } beta) y += beta;
        if (operands.Residual is { } residual) y += residual;
        return geometry.Relu ? y.Relu() : y;
    }

    private static Tensor Standardize(Tensor x, Sharing sharing, double eps)
    {
        var centered = sharing.Center(x);
        return centered / (sharing.MeanSquare(centered) + eps).Sqrt();
    }
}
