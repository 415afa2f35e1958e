using Tapegrad.Devices;

namespace Tapegrad.Optimizers;

/// <summary>
/// An exponential moving average of values that training changes: after each step, average = decay average + (1 -
/// decay) value, for weights and running statistics alike (Polyak and Juditsky, 1992; Tarvainen and Valpola, 2017). The
/// first steps use (1 + t) / (10 + t) where that is less than the decay, so that the average does not remember the
/// initial values for long. The averages often classify better than the values.
/// </summary>
/// <remarks>Not thread-safe.</remarks>
public sealed class AveragedWeights
{
    private readonly (Parameter Value, Parameter Average)[] pairs;
    private readonly double decay;

    /// <summary>Begins with the values as they are.</summary>
    /// <param name="values">Give it a module's <c>State</c>: its parameters and running statistics.</param>
    /// <param name="decay">From 0 to below 1.</param>
    public AveragedWeights(IEnumerable<Parameter> values, double decay = 0.999)
    {
        if (!(decay is >= 0 and < 1))
            throw new ArgumentOutOfRangeException(nameof(decay), decay, "the decay lies in [0, 1).");
        this.decay = decay;
        pairs = [.. values.Select(value =>
            (value, new Parameter($"{value.Name}.average", value.Value * 1, trainable: false)))];
    }

    /// <summary>
    /// How often the values were taken in. With <see cref="State"/>, what the next averages depend on.
    /// </summary>
    public long Steps { get; set; }

    /// <summary>The averages, each called after its value: <c>conv1.weight.average</c>.</summary>
    public IReadOnlyList<Parameter> State => [.. pairs.Select(pair => pair.Average)];

    /// <summary>Takes the values in, after an optimizer's step.</summary>
    public void Update()
    {
        var share = 1 - Math.Min(decay, (1.0 + Steps) / (10 + Steps));
        Steps++;
        foreach (var (value, average) in pairs) average.Update(new Approach(share), value.Value);
    }

    /// <summary>
    /// Puts the averages in the place of the values, until the result is disposed: evaluate or save meanwhile, and do
    /// not train.
    /// </summary>
    public IDisposable Use() => new Exchange(pairs);

    internal readonly struct Approach(double share) : IUpdate
    {
        public void Apply<T>(ref T average, T value, ref T first, ref T second) where T : struct, IReal<T> =>
            average = T.FusedMultiplyAdd(T.Of(share), value - average, average);
    }

    private sealed class Exchange : IDisposable
    {
        private readonly (Parameter Value, Parameter Average)[] pairs;
        private bool done;

        public Exchange((Parameter Value, Parameter Average)[] pairs)
        {
            this.pairs = pairs;
            Swap();
        }

        public void Dispose()
        {
            if (!done) Swap();
            done = true;
        }

        private void Swap()
        {
            using var _ = Tape.Current?.Pause();
            foreach (var (value, average) in pairs) (value.Value, average.Value) = (average.Value * 1, value.Value * 1);
        }
    }
}
