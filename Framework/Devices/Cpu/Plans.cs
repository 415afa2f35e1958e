using System.Collections.Concurrent;

namespace Tapegrad.Devices.Cpu;

/// <summary>
/// What a kernel works out from a shape alone, kept for the next call with the same shape: a training step has the same
/// shapes every time. Beyond so many shapes all are forgotten, and worked out anew when they come again. Thread-safe.
/// </summary>
internal sealed class Plans<TShape, TPlan> : Plans where TShape : notnull
{
    private const int Most = 256;
    private readonly ConcurrentDictionary<TShape, TPlan> plans = new();
    private readonly Func<TShape, TPlan> make;

    public Plans(Func<TShape, TPlan> make)
    {
        this.make = make;
        Register(plans.Clear);
    }

    public TPlan For(TShape shape)
    {
        if (plans.TryGetValue(shape, out var plan)) return plan;
        if (plans.Count >= Most) plans.Clear();
        return plans[shape] = make(shape);
    }
}

/// <summary>The plans of all kernels.</summary>
internal abstract class Plans
{
    private static readonly ConcurrentBag<Action> clearing = [];

    protected static void Register(Action clear) => clearing.Add(clear);

    /// <summary>Forgets every plan of every kernel.</summary>
    public static void Forget()
    {
        foreach (var clear in clearing) clear();
    }
}
