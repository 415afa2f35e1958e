using System.Diagnostics;
using System.Globalization;
using System.Runtime.ExceptionServices;
using Tapegrad.Devices.Cpu;

namespace Tapegrad.Devices;

/// <summary>What is done with each item of some work.</summary>
internal interface IItemBody
{
    void Run(int item);
}

/// <summary>
/// The only place where the library computes on more than one thread. Work is cut into items by its shape, never by the
/// number of threads, and every item writes its own results: any number of threads gives the same bits.
/// </summary>
/// <remarks>
/// The calling thread and its helpers each begin with a range of their own, one item after the other, and then take
/// what is left of the others', until nothing is; the caller returns when all are done. Since one operation's items lie
/// in the order of its batch as the next one's do, most of what a thread reads is what it wrote, and still in its
/// processor's caches. The caller never waits for a helper that has not come: one that sleeps, or whose processor is
/// busy with something else, costs its share and no more. Helpers are threads of the library's own. They watch for work
/// for a while before they sleep, since a training step brings the next within microseconds and waking a thread takes
/// longer than most work. One piece of work at a time is shared: what is asked for meanwhile, by an item or by another
/// thread, is done by the one who asks. Thread-safe; allocates nothing, unlike the runtime's Parallel.For. Helpers
/// never record on a tape.
/// </remarks>
public static class Workers
{
    /// <summary>
    /// The environment variable that sets the first value of <see cref="Threads"/>; unset or empty, it is the number of
    /// processors.
    /// </summary>
    public const string Variable = "TAPEGRAD_THREADS";

    // grows to Threads - 1; those that are too many when it falls sleep on
    private static readonly List<Helper> helpers = [];
    private static int? threads;

    // The work that is shared now. Each thread that takes part has a range of the items. A range's ticket holds the
    // work's number in the upper half and how many of its items nobody has taken in the lower one: whoever lowers it by
    // one has taken an item, and has read the other fields of the same work, since they change only when all items have
    // been taken.
    private static long[] tickets = [0];
    private static Action<int>? body;
    private static int items;
    private static int parts;        // ranges; helpers below this number, and the caller, have one
    private static bool backwards;
    private static int unfinished;   // items
    private static Exception? error;
    private static int isShared;     // 1 while there is such work
    private const int Apart = 16;    // tickets in one cache line would be taken from each other's processor

    /// <summary>
    /// How many threads compute at the same time, the calling one included. Setting it also forgets what kernels worked
    /// out for the shapes they have seen: nothing in that may depend on it, and whoever compares two numbers of threads
    /// sees whether something does.
    /// </summary>
    /// <exception cref="InvalidOperationException">Read for the first time, and the environment variable holds no
    /// number from 1 up.</exception>
    public static int Threads
    {
        get => threads ??= Parse(Environment.GetEnvironmentVariable(Variable));
        set
        {
            ArgumentOutOfRangeException.ThrowIfLessThan(value, 1);
            threads = value;
            Plans.Forget();
        }
    }

    /// <summary>Calls <paramref name="body"/> once for each number from 0 to <paramref name="items"/> - 1, in any
    /// order, and returns when all are done.</summary>
    /// <remarks>After an exception, items that have not begun are left out; the first one reaches the caller.</remarks>
    public static void Run(int items, Action<int> body) => Run(items, new Calling(body));

    /// <summary>
    /// The same with a struct for a body: unlike a lambda it is no garbage, of which a training step would make
    /// hundreds. Each thread goes through its range from the first item, or <paramref name="fromTheEnd"/>, where the
    /// caches still hold what came last.
    /// </summary>
    internal static void Run<TBody>(int items, TBody body, bool fromTheEnd = false) where TBody : struct, IItemBody
    {
        var others = Math.Min(Threads, items) - 1;
        if (others <= 0 || Interlocked.CompareExchange(ref isShared, 1, 0) != 0)
        {
            for (var item = 0; item < items; item++) body.Run(fromTheEnd ? items - 1 - item : item);
            return;
        }
        try
        {
            Shared<TBody>.Body = body;
            Share(items, Shared<TBody>.Run, others, fromTheEnd);
        }
        finally
        {
            Shared<TBody>.Body = default;   // or it would keep its buffers alive
            Volatile.Write(ref isShared, 0);
        }
    }

    private readonly struct Calling(Action<int> body) : IItemBody
    {
        public void Run(int item) => body(item);
    }

    // Where every thread finds a body of this type. One place for each type is enough: one piece of work at a time is
    // shared.
    private static class Shared<TBody> where TBody : struct, IItemBody
    {
        public static TBody Body;
        public static readonly Action<int> Run = item => Body.Run(item);
    }

    private static void Share(int count, Action<int> action, int others, bool fromTheEnd)
    {
        while (helpers.Count < others) helpers.Add(new Helper(helpers.Count));
        var number = (tickets[0] >> 32) + 1;
        // all of the old ones are at 0
        if (tickets.Length <= others * Apart) Volatile.Write(ref tickets, new long[others * Apart + 1]);
        (body, items, parts, backwards, unfinished, error) = (action, count, others + 1, fromTheEnd, count, null);
        for (var part = 0; part <= others; part++)
            // now everybody can see it
            Interlocked.Exchange(ref tickets[part * Apart], number << 32 | (uint)(Start(part + 1) - Start(part)));
        for (var helper = 0; helper < others; helper++) helpers[helper].Wake();
        TakeItems(0);
        for (var pauses = 0; Volatile.Read(ref unfinished) > 0;) Pause(ref pauses);
        if (error is not null) ExceptionDispatchInfo.Throw(error);
    }

    // The first item of a part.
    private static int Start(int part) => (int)((long)items * part / parts);

    private static bool HasItems(int thread)
    {
        var (all, count) = (Volatile.Read(ref tickets), Volatile.Read(ref parts));
        if (thread >= count) return false;
        for (var place = 0; place < all.Length; place += Apart)
            if ((int)Volatile.Read(ref all[place]) > 0) return true;
        return false;
    }

    // Takes items and does them, until there are none: those of the thread's own part, then those of the next one, and
    // so on. Of a work that is being shared, another part may be seen before the own one: until then it is left alone,
    // or a thread would begin in a range that is not its own.
    private static void TakeItems(int thread)
    {
        var all = Volatile.Read(ref tickets);
        var count = Volatile.Read(ref parts);
        // the tickets may be older than the count
        if (thread >= count || thread * Apart >= all.Length) return;
        var number = Volatile.Read(ref all[thread * Apart]) >> 32;
        for (var i = 0; i < count; i++)
        {
            var part = (thread + i) % count;
            if (part * Apart < all.Length && Volatile.Read(ref all[part * Apart]) >> 32 == number)
                TakePart(ref all[part * Apart], part, thread);
        }
    }

    private static void TakePart(ref long ticket, int part, int thread)
    {
        while (true)
        {
            var now = Volatile.Read(ref ticket);
            var left = (int)now;
            if (left == 0 || part >= parts || thread >= parts) return;
            // What is read until the exchange may be another work's; then the exchange fails.
            var (action, item) = (body, backwards ? Start(part) + left - 1 : Start(part + 1) - left);
            if (Interlocked.CompareExchange(ref ticket, now - 1, now) != now) continue;   // somebody else was faster
            try
            {
                if (error is null) action!(item);
            }
            catch (Exception e)
            {
                error ??= e;
            }
            Interlocked.Decrement(ref unfinished);
        }
    }

    // A moment's wait: some 10 us of pauses, then the processor is offered to whoever needs it.
    private static void Pause(ref int pauses)
    {
        if (pauses++ < 500) Thread.SpinWait(1);
        else Thread.Yield();
    }

    private sealed class Helper
    {
        // 1 ms: less than waking takes on a busy machine
        private static readonly long patience = Stopwatch.Frequency / 1000;

        private readonly SemaphoreSlim wake = new(0);
        private readonly int thread;
        private int isAsleep;

        public Helper(int number)
        {
            thread = number + 1;
            new Thread(Live) { IsBackground = true, Name = $"Tapegrad worker {number + 1}" }.UnsafeStart();
        }

        // Either this sees that the helper sleeps, or the helper sees the work: each writes first, then looks.
        public void Wake()
        {
            if (Interlocked.Exchange(ref isAsleep, 0) == 1) wake.Release();
        }

        private void Live()
        {
            while (true)
            {
                TakeItems(thread);
                var since = Stopwatch.GetTimestamp();
                for (var pauses = 0; !HasItems(thread) && Stopwatch.GetTimestamp() - since < patience;)
                    Pause(ref pauses);
                if (HasItems(thread)) continue;
                Interlocked.Exchange(ref isAsleep, 1);
                if (!HasItems(thread)) wake.Wait();   // at worst it wakes for nothing
                Volatile.Write(ref isAsleep, 0);
            }
        }
    }

    internal static int Parse(string? text)
    {
        if (string.IsNullOrEmpty(text)) return Environment.ProcessorCount;
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= 1)
            return number;
        throw new InvalidOperationException($"the environment variable {Variable} is '{text}': it must be a whole "
            + "number from 1 up, or unset for one thread a processor.");
    }
}
