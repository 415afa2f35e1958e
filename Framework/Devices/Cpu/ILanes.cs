using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Tapegrad.Devices.Cpu;

/// <summary>
/// Floats side by side in one register: eight (<see cref="Real32x8"/>) or sixteen (<see cref="Real32x16"/>). A kernel
/// is written once, for any of them; <see cref="CpuDevice"/> chooses what the processor computes fastest with. Each
/// lane has the bits that <see cref="Real32"/> would, so nobody sees the choice.
/// </summary>
internal unsafe interface ILanes<T> : IReal<T> where T : struct, ILanes<T>
{
    /// <summary>How many.</summary>
    static abstract int Count { get; }

    /// <summary>The number in a lane.</summary>
    float this[int lane] { get; }

    // ---- memory -----------------------------------------------------------------------------------------------------

    /// <summary>The numbers that begin here.</summary>
    static abstract T Load(float* source);

    /// <summary>All lanes.</summary>
    static abstract void Store(T value, float* target);

    /// <summary>The lanes as doubles, to sums that need more digits.</summary>
    static abstract void StoreWide(T value, double* target);

    /// <summary>The same number in every lane.</summary>
    static abstract T Repeat(float value);

    // ---- choices: a mask has all bits of a lane set, or none --------------------------------------------------------

    /// <summary>Where a &lt; b.</summary>
    static abstract T IsLess(T a, T b);

    /// <summary>Where a &lt;= b.</summary>
    static abstract T IsLessOrEqual(T a, T b);

    /// <summary>Where a = b; NaN equals nothing.</summary>
    static abstract T IsEqual(T a, T b);

    /// <summary>Bit by bit <paramref name="a"/> where the mask is set, else <paramref name="b"/>.</summary>
    static abstract T Choose(T mask, T a, T b);

    /// <summary>Both masks, or x where the mask is set, else 0.</summary>
    static abstract T And(T x, T mask);

    /// <summary>x where the mask is not set, else 0.</summary>
    static abstract T AndNot(T x, T mask);

    /// <summary>Set in the first lanes.</summary>
    static abstract T First(int count);

    // ---- for elementary functions: whole numbers in the bits of the lanes -------------------------------------------

    /// <summary>The smaller; NaN if either is NaN.</summary>
    static abstract T Min(T a, T b);

    /// <summary>The nearest whole number; of two, the even one.</summary>
    static abstract T Round(T x);

    /// <summary>A whole number as bits, in every lane.</summary>
    static abstract T OfBits(int value);

    /// <summary>The bits of a whole number, from the number.</summary>
    static abstract T ToBits(T x);

    /// <summary>The whole number, from its bits.</summary>
    static abstract T FromBits(T bits);

    /// <summary>The sum of whole numbers, as bits.</summary>
    static abstract T AddBits(T a, T b);

    /// <summary>The difference of whole numbers, as bits.</summary>
    static abstract T SubtractBits(T a, T b);

    /// <summary>A whole number times a power of two, as bits.</summary>
    static abstract T ShiftLeft(T bits, int count);

    /// <summary>A whole number divided by a power of two, rounded down, as bits.</summary>
    static abstract T ShiftRight(T bits, int count);
}

/// <summary>What any lanes can do.</summary>
internal static unsafe class Lanes
{
    /// <summary>Elements that <see cref="Align"/> may skip.</summary>
    public const int Slack = Line / sizeof(float);

    private const int Line = 64;   // bytes

    /// <summary>Stores only the first lanes, at the end of a run behind which other elements lie.</summary>
    /// <remarks>Inlined, since a loop that calls something keeps no vector in a register.</remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store<TLanes>(TLanes value, float* target, int count) where TLanes : struct, ILanes<TLanes>
    {
        if (count >= TLanes.Count) TLanes.Store(value, target);
        else
            for (var lane = 0; lane < count; lane++) target[lane] = value[lane];
    }

    /// <summary>
    /// Where a table of vectors begins in memory of the stack: at a line of the cache. A vector across two lines takes
    /// twice as long, and the stack may begin anywhere.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float* Align(Span<float> memory) =>
        (float*)(((nint)Unsafe.AsPointer(ref MemoryMarshal.GetReference(memory)) + Line - 1) & -Line);

    /// <summary>Whether every lane is 0.</summary>
    public static bool AreZero<TLanes>(TLanes x) where TLanes : struct, ILanes<TLanes>
    {
        for (var lane = 0; lane < TLanes.Count; lane++)
            if (!(x[lane] == 0)) return false;
        return true;
    }
}
