using System.Diagnostics;
using Tapegrad.Layers;
using Tapegrad.Optimizers;

namespace Tapegrad.Training;

/// <summary>
/// Time, and the work that was done in it: arithmetic where the operation is made of it, else the bytes that it must
/// move.
/// </summary>
/// <param name="Seconds">The time.</param>
/// <param name="Flops">Multiplications and additions.</param>
/// <param name="Bytes">Read and written.</param>
public sealed record Cost(double Seconds = 0, double Flops = 0, double Bytes = 0)
{
    /// <summary>Of both together.</summary>
    public static Cost operator +(Cost a, Cost b) => new(a.Seconds + b.Seconds, a.Flops + b.Flops, a.Bytes + b.Bytes);
}

/// <summary>
/// What one operation of one layer took, all its calls together.
/// </summary>
/// <param name="Layer">The layer's path.</param>
/// <param name="Operation">The operation's name.</param>
/// <param name="Forward">Computing the value.</param>
/// <param name="Backward">Passing the gradient back.</param>
/// <param name="Kept">Bytes of memory that were taken forward and wait for the sweep.</param>
public sealed record ProfileRow(string Layer, string Operation, Cost Forward, Cost Backward, long Kept);

/// <summary>
/// Where the time and the memory of one training step went. The tape tells when an operation has been recorded, and
/// when a sweep has passed back through it; an operation's time runs from the end of the one before to its own end. So
/// the rows leave no gap, and with what the optimizer took, and a rest, they are the step.
/// </summary>
public sealed class StepProfile
{
    private readonly List<(TapeEvent Event, long Time, long PoolBytes)> heard = [];
    private readonly HashSet<Tensor> variables;

    private StepProfile(Module model, Optimizer optimizer, Tensor images, int[] labels)
    {
        variables = new(model.Parameters.Select(parameter => parameter.Value), ReferenceEqualityComparer.Instance);
        var pool = images.Device.Pool;
        var (start, before) = (Stopwatch.GetTimestamp(), pool.BytesWaiting);
        long swept, stepped;
        using (var tape = Tape.Training(new RandomSource(1)))
        {
            // Looked at later, so that looking takes next to no time.
            tape.Observer = e => heard.Add((e, Stopwatch.GetTimestamp(), pool.BytesWaiting));
            var gradients = tape.Gradients(Loss(model.Apply(images), labels), release: true);
            swept = Stopwatch.GetTimestamp();
            optimizer.Step(gradients, 0.1);
            stepped = Stopwatch.GetTimestamp();
        }
        Seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        OptimizerSeconds = Stopwatch.GetElapsedTime(swept, stepped).TotalSeconds;
        PeakBytes = before - heard.Min(entry => entry.PoolBytes);
        Rows = Read(start, before);
    }

    /// <summary>The whole step.</summary>
    public double Seconds { get; }

    /// <summary>Updating the parameters.</summary>
    public double OptimizerSeconds { get; }

    /// <summary>What is in no row: opening and closing the tape.</summary>
    public double RestSeconds =>
        Seconds - OptimizerSeconds - Rows.Sum(row => row.Forward.Seconds + row.Backward.Seconds);

    /// <summary>The most that the step had taken from the pool, at the end of an operation.</summary>
    public long PeakBytes { get; }

    /// <summary>In the network's order.</summary>
    public IReadOnlyList<ProfileRow> Rows { get; }

    /// <summary>
    /// Trains on random images and takes the fastest step: what others do on the machine only ever makes one slower.
    /// </summary>
    /// <param name="model">For images of 32x32 in colour and 10 classes. Its weights change.</param>
    /// <param name="batch">Images a step.</param>
    /// <param name="steps">How many to choose from.</param>
    public static StepProfile Fastest(Module model, int batch, int steps)
    {
        // Until the pool has every buffer, and the runtime has compiled anew what runs often, in the background.
        const int leastSteps = 3;
        const double leastSeconds = 2;
        var random = new RandomSource(1);
        var images = Tensor.Normal(new Shape(batch, 32, 32, 3), random).Keep();
        int[] labels = [.. Enumerable.Range(0, batch).Select(i => random.Below(10, i))];
        var optimizer = new Sgd(model.Parameters, momentum: 0.9, weightDecay: 5e-4);
        StepProfile Next() => new(model, optimizer, images, labels);
        var since = Stopwatch.GetTimestamp();
        for (var step = 0; step < leastSteps || Stopwatch.GetElapsedTime(since).TotalSeconds < leastSeconds; step++)
            Next();
        return Enumerable.Range(0, steps).Select(_ => Next()).MinBy(step => step.Seconds)!;
    }

    private static Tensor Loss(Tensor logits, int[] labels)
    {
        using var _ = LayerContext.Enter("loss");
        return logits.CrossEntropy(labels);
    }

    private List<ProfileRow> Read(long start, long poolBytes)
    {
        var rows = new OrderedDictionary<(string, string), ProfileRow>();
        foreach (var (e, time, waiting) in heard)
        {
            if (e.Inputs.Count == 0) continue;   // a parameter's record takes no time of its own
            variables.Add(e.Value);
            var key = (e.Layer?.ToString() ?? "", e.Operation);
            var row = rows.TryGetValue(key, out var known) ? known
                : new ProfileRow(key.Item1, key.Operation, new(), new(), 0);
            var cost = CostOf(e, Stopwatch.GetElapsedTime(start, time).TotalSeconds);
            rows[key] = e.Backward ? row with { Backward = row.Backward + cost }
                : row with { Forward = row.Forward + cost, Kept = row.Kept + poolBytes - waiting };
            (start, poolBytes) = (time, waiting);
        }
        return [.. rows.Values];
    }

    // A convolution multiplies and adds, for each output, the weights that lead to it; a matrix product [M, K] [K, N]
    // in all M K N times, the root of the product of the three sizes. Each gradient that is asked for costs as much
    // again. All else moves bytes: forward, inputs in and value out; backward, gradient and inputs in, and their
    // gradients out.
    private Cost CostOf(TapeEvent e, double seconds)
    {
        var wanted = e.Inputs.Where(variables.Contains).ToArray();
        var products = e.Operation switch
        {
            "conv2d" => (double)e.Value.Count * e.Inputs[1].Count / e.Value.Shape[-1],
            "matrix product" => Math.Sqrt((double)e.Inputs[0].Count * e.Inputs[1].Count * e.Value.Count),
            _ => 0,
        };
        if (products > 0)
            return new Cost(seconds, 2 * products * (e.Backward ? e.Inputs.Take(2).Count(variables.Contains) : 1));
        var numbers = e.Value.Count + e.Inputs.Sum(input => (double)input.Count)
            + (e.Backward ? wanted.Sum(input => (double)input.Count) : 0);
        return new Cost(seconds, Bytes: sizeof(float) * numbers);
    }
}
