using System.Globalization;
using System.Runtime.ExceptionServices;

namespace Tapegrad.Devices;

/// <summary>
/// The only place where the library computes on more than one thread. Work is cut into items by its shape, never by the number of threads, and
/// every item writes its own results: any number of threads gives the same bits.
/// </summary>
/// <remarks>Thread-safe. Workers never record on a tape.</remarks>
public static class Workers
{
    /// <summary>The environment variable that sets the first value of <see cref="Threads"/>; unset or empty, it is the number of processors.</summary>
    public const string Variable = "TAPEGRAD_THREADS";

    private static int? threads;
    [ThreadStatic] private static bool isWorker;

    /// <summary>How many threads compute at the same time, the calling one included.</summary>
    /// <exception cref="InvalidOperationException">Read for the first time, and the environment variable holds no number from 1 up.</exception>
    public static int Threads
    {
        get => threads ??= Parse(Environment.GetEnvironmentVariable(Variable));
        set
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1);
            threads = value;
        }
    }

    /// <summary>Calls <paramref name="body"/> once for each number from 0 to <paramref name="items"/> - 1, in any order, and returns when all are done.</summary>
    /// <remarks>Called by a worker, it runs there, one item after the other.</remarks>
    public static void Run(int items, Action<int> body)
    {
        var helpers = Math.Min(Threads, items);
        if (helpers <= 1 || isWorker)
        {
            for (var item = 0; item < items; item++) body(item);
            return;
        }
        var next = -1;
        try
        {
            // Each helper takes the next item that nobody has taken: which one works on what differs from run to run, and changes nothing.
            Parallel.For(0, helpers, new ParallelOptions { MaxDegreeOfParallelism = helpers }, _ =>
            {
                isWorker = true;
                try
                {
                    for (int item; (item = Interlocked.Increment(ref next)) < items;) body(item);
                }
                finally
                {
                    isWorker = false;
                }
            });
        }
        catch (AggregateException errors)
        {
            ExceptionDispatchInfo.Throw(errors.InnerExceptions[0]);
        }
    }

    internal static int Parse(string? text)
    {
        if (string.IsNullOrEmpty(text)) return Environment.ProcessorCount;
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= 1) return number;
        throw new InvalidOperationException($"the environment variable {Variable} is '{text}': it must be a whole number from 1 up, or unset for one "
            + "thread a processor.");
    }
}
