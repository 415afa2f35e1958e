using System.Diagnostics;

namespace Tapegrad.Examples.Cifar10;

/// <summary>
/// How long something takes: the best of the repetitions that fit into a time, after two to warm up. A busy machine only ever
/// makes it longer.
/// </summary>
internal sealed class Clock(double seconds)
{
    /// <summary>Seconds.</summary>
    public double Best(Action action)
    {
        action();
        action();
        var (best, begin) = (double.MaxValue, Stopwatch.GetTimestamp());
        do
        {
            var start = Stopwatch.GetTimestamp();
            action();
            best = Math.Min(best, Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        while (Stopwatch.GetElapsedTime(begin).TotalSeconds < seconds);
        return best;
    }
}
