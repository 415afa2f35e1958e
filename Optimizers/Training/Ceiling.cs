using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Tapegrad.Devices;

namespace Tapegrad.Training;

/// <summary>
/// What this machine allows, measured: how fast fused multiply-adds can be when nothing else is in their way, and how
/// fast memory can be copied. On as many threads as the library uses; the best of what fits into the time, since a busy
/// neighbour only ever lowers it.
/// </summary>
/// <param name="GigaflopsPerSecond">A multiplication and an addition count as two.</param>
/// <param name="GigabytesPerSecond">Read and written, in arrays far beyond any cache.</param>
public sealed record Ceiling(double GigaflopsPerSecond, double GigabytesPerSecond)
{
    private const int Chains = 12, Rounds = 1 << 19, Copied = 1 << 24;   // 64 MB from each thread to 64 MB

    /// <summary>Measures both, each for so long.</summary>
    public static Ceiling Measure(double seconds)
    {
        var (threads, clock) = (Workers.Threads, new Clock(seconds));
        var sinks = new float[threads * 16];
        var multiply = clock.Best(() => Workers.Run(threads, thread => sinks[thread * 16] = MultiplyAdd(Rounds)));
        var lanes = Vector512.IsHardwareAccelerated ? Vector512<float>.Count : Vector256<float>.Count;
        var part = Copied / threads;
        var (from, to) = (new float[Copied], new float[Copied]);
        from.AsSpan().Fill(1);   // a page that was never written is not in memory
        var copy = clock.Best(() =>
            Workers.Run(threads, thread => from.AsSpan(thread * part, part).CopyTo(to.AsSpan(thread * part))));
        return new Ceiling(2.0 * lanes * Chains * Rounds * threads / multiply / 1e9,
            2.0 * sizeof(float) * part * threads / copy / 1e9);
    }

    // Twelve chains that do not wait for one another: a fused multiply-add takes four or five cycles, and two can begin
    // in each. x = x m + a stays near 1.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float MultiplyAdd(int rounds)
    {
        if (Vector512.IsHardwareAccelerated)
        {
            var (m, a) = (Vector512.Create(0.5f), Vector512.Create(0.5f));
            var (x0, x1, x2, x3, x4, x5) = (a, a, a, a, a, a);
            var (x6, x7, x8, x9, x10, x11) = (a, a, a, a, a, a);
            for (var round = 0; round < rounds; round++)
            {
                x0 = Vector512.FusedMultiplyAdd(x0, m, a);
                x1 = Vector512.FusedMultiplyAdd(x1, m, a);
                x2 = Vector512.FusedMultiplyAdd(x2, m, a);
                x3 = Vector512.FusedMultiplyAdd(x3, m, a);
                x4 = Vector512.FusedMultiplyAdd(x4, m, a);
                x5 = Vector512.FusedMultiplyAdd(x5, m, a);
                x6 = Vector512.FusedMultiplyAdd(x6, m, a);
                x7 = Vector512.FusedMultiplyAdd(x7, m, a);
                x8 = Vector512.FusedMultiplyAdd(x8, m, a);
                x9 = Vector512.FusedMultiplyAdd(x9, m, a);
                x10 = Vector512.FusedMultiplyAdd(x10, m, a);
                x11 = Vector512.FusedMultiplyAdd(x11, m, a);
            }
            return Vector512.Sum(x0 + x1 + x2 + x3 + x4 + x5 + x6 + x7 + x8 + x9 + x10 + x11);
        }
        else
        {
            var (m, a) = (Vector256.Create(0.5f), Vector256.Create(0.5f));
            var (x0, x1, x2, x3, x4, x5) = (a, a, a, a, a, a);
            var (x6, x7, x8, x9, x10, x11) = (a, a, a, a, a, a);
            for (var round = 0; round < rounds; round++)
            {
                x0 = Vector256.FusedMultiplyAdd(x0, m, a);
                x1 = Vector256.FusedMultiplyAdd(x1, m, a);
                x2 = Vector256.FusedMultiplyAdd(x2, m, a);
                x3 = Vector256.FusedMultiplyAdd(x3, m, a);
                x4 = Vector256.FusedMultiplyAdd(x4, m, a);
                x5 = Vector256.FusedMultiplyAdd(x5, m, a);
                x6 = Vector256.FusedMultiplyAdd(x6, m, a);
                x7 = Vector256.FusedMultiplyAdd(x7, m, a);
                x8 = Vector256.FusedMultiplyAdd(x8, m, a);
                x9 = Vector256.FusedMultiplyAdd(x9, m, a);
                x10 = Vector256.FusedMultiplyAdd(x10, m, a);
                x11 = Vector256.FusedMultiplyAdd(x11, m, a);
            }
            return Vector256.Sum(x0 + x1 + x2 + x3 + x4 + x5 + x6 + x7 + x8 + x9 + x10 + x11);
        }
    }
}
