using System.Diagnostics;

namespace Tapegrad.Training;

/// <summary>
/// How long something takes: the best of the repetitions that fit into a time, after two to warm up. A busy machine
/// only ever makes it longer.
/// </summary>
/// <param name="seconds">The time.</param>
public sealed class Clock(double seconds)
{
    /// <summary>The time, in seconds.</summary>
    public double Seconds => seconds;

    /// <summary>The seconds that the fastest call took.</summary>
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
