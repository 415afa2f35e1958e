using Xunit;

namespace Tapegrad.Tests;

/// <summary>
/// Tests that wait for another thread or for the collector. Neither says when it comes: a busy machine is late, and
/// that is no failure. What a test may assert is that something comes at all.
/// </summary>
internal static class Waiting
{
    /// <summary>So long a test waits for what must come. Only what never comes takes it.</summary>
    public static readonly TimeSpan Long = TimeSpan.FromMinutes(5);

    private const int Collections = 1000;

    /// <summary>
    /// Collects garbage until something is so. A thread that was just at work may still hold what it worked on, and
    /// finalizers run when they are given a processor: one collection proves nothing, and a leak outlives a thousand.
    /// </summary>
    public static void ForTheCollector(Func<bool> isSo)
    {
        for (var collection = 0; collection < Collections; collection++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            if (isSo()) return;
            Thread.Sleep(10);
        }
        Assert.Fail($"not so after {Collections} collections: something holds what should be garbage.");
    }
}
