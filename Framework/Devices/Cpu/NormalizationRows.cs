using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using static Tapegrad.Devices.Cpu.NormalizationFollow;

namespace Tapegrad.Devices.Cpu;

// The loops of normalization over a chunk of rows (see SharedSets): two that read and sum, two that read again and
// write. Where c = (x - pivot) - remainder, scale = inverse * gamma, shift = beta:
//
//     Measuring          x            the sums of x - pivot and of its square
//     WritingValue       x            y = c * scale + shift, then what follows
//     Summing            x, g         the sums of g and of g * c, where g passes through the mask
//     WritingGradient    x, g         dx = g * scale + c * slope + offset
//
// Lanes: two vectors of a row at a time, rows one after the other, so that the numbers of a lane stay in registers.
// Remainders: the last two vectors of a row reach back into the ones before, or, where a row is shorter than two
// vectors, into what lies behind; those lanes are dropped. The loops are never inlined: next to other code they would
// lose their registers.
internal static unsafe class NormalizationRows
{
    private const int Doubles = 4;   // of a Vector256
    private const int Line = 16;     // floats in a line of the cache

    // The numbers of one vector of lanes, in registers.
    private readonly struct Affine<TLanes>(LaneNumbers numbers, int lane) where TLanes : struct, ILanes<TLanes>
    {
        public readonly TLanes Pivot = TLanes.Load(numbers.Pivot + lane),
            Remainder = TLanes.Load(numbers.Remainder + lane);
        public readonly TLanes Scale = TLanes.Load(numbers.Scale + lane), Shift = TLanes.Load(numbers.Shift + lane);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public TLanes Center(TLanes x) => x - Pivot - Remainder;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public TLanes Value(TLanes centered) => TLanes.FusedMultiplyAdd(centered, Scale, Shift);
    }

    // Asks for the rest of a row, of which the first pair of vectors is read now: the others come when all rows of the
    // chunk have been gone through, in steps that the processor does not foresee. Changes no number.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Prefetch(float* row, int width)
    {
        if (!Sse.IsSupported) return;
        for (var lane = Line; lane < width; lane += Line) Sse.Prefetch0(row + lane);
    }

    // ---- sums -------------------------------------------------------------------------------------------------------

    /// <summary>
    /// In a block's totals, first[l] += the sum over rows of x - pivot, second[l] += that of its square. In a chunk the
    /// pivot is its own first row: squares around a far one would lose what the others have to say. The chunk's sums
    /// are moved to the common pivot in double.
    /// </summary>
    public readonly struct Measuring<TLanes>(float* x, LaneNumbers numbers, double* totals) : IRows
        where TLanes : struct, ILanes<TLanes>
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
        public void Run(int block, long start, int rows, long stride, int width)
        {
            var pair = 2 * TLanes.Count;
            double* first = totals + block * 2 * numbers.Width, sums = stackalloc double[4 * pair];
            for (var lane = 0; lane < width; lane += pair)
            {
                var p = x + start + lane;
                var (pivotA, pivotB) = (TLanes.Load(p), TLanes.Load(p + TLanes.Count));
                TLanes sumA = default, sumB = default, squareA = default, squareB = default;
                for (var row = 1; row < rows; row++)
                {
                    p += stride;
                    if (lane == 0) Prefetch(p, width);
                    var (a, b) = (TLanes.Load(p) - pivotA, TLanes.Load(p + TLanes.Count) - pivotB);
                    (sumA, sumB) = (sumA + a, sumB + b);
                    squareA = TLanes.FusedMultiplyAdd(a, a, squareA);
                    squareB = TLanes.FusedMultiplyAdd(b, b, squareB);
                }
                Widen(sumA, sumB, sums);
                Widen(squareA, squareB, sums + pair);
                Widen(pivotA, pivotB, sums + 2 * pair);
                Widen(TLanes.Load(numbers.Pivot + lane), TLanes.Load(numbers.Pivot + lane + TLanes.Count),
                    sums + 3 * pair);
                Move(sums, rows, pair);
                Add(first + lane, sums, Math.Min(pair, width - lane));
                Add(first + numbers.Width + lane, sums + pair, Math.Min(pair, width - lane));
            }
        }

        // Of a pair of vectors: sums and squares around the own pivot, that pivot, the common one. With d = own pivot -
        // common pivot, the sums of x and of its square around the common one are s + n d and q + d (2 s + n d).
        private static void Move(double* sums, int rows, int pair)
        {
            for (var i = 0; i < pair; i += Doubles)
            {
                var (sum, square) = (Vector256.Load(sums + i), Vector256.Load(sums + pair + i));
                var distance = Vector256.Load(sums + 2 * pair + i) - Vector256.Load(sums + 3 * pair + i);
                var moved = sum + distance * rows;
                moved.Store(sums + i);
                (square + distance * (sum + moved)).Store(sums + pair + i);
            }
        }
    }

    /// <summary>In a block's totals, first[l] += the sum over rows of g, second[l] += that of g * c.</summary>
    public readonly struct Summing<TLanes, TMask>(float* x, float* g, LaneNumbers numbers, double* totals) : IRows
        where TLanes : struct, ILanes<TLanes> where TMask : struct, IMask
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
        public void Run(int block, long start, int rows, long stride, int width)
        {
            var pair = 2 * TLanes.Count;
            double* first = totals + block * 2 * numbers.Width, sums = stackalloc double[2 * pair];
            for (var lane = 0; lane < width; lane += pair)
            {
                float* p = x + start + lane, q = g + start + lane;
                Affine<TLanes> affineA = new(numbers, lane), affineB = new(numbers, lane + TLanes.Count);
                TLanes sumA = default, sumB = default, productA = default, productB = default;
                for (var row = 0; row < rows; row++, p += stride, q += stride)
                {
                    if (lane == 0)
                    {
                        Prefetch(p, width);
                        Prefetch(q, width);
                    }
                    var (a, b) = (affineA.Center(TLanes.Load(p)), affineB.Center(TLanes.Load(p + TLanes.Count)));
                    var gradientA = TMask.Apply(TLanes.Load(q), affineA.Value(a));
                    var gradientB = TMask.Apply(TLanes.Load(q + TLanes.Count), affineB.Value(b));
                    (sumA, sumB) = (sumA + gradientA, sumB + gradientB);
                    productA = TLanes.FusedMultiplyAdd(gradientA, a, productA);
                    productB = TLanes.FusedMultiplyAdd(gradientB, b, productB);
                }
                Widen(sumA, sumB, sums);
                Widen(productA, productB, sums + pair);
                Add(first + lane, sums, Math.Min(pair, width - lane));
                Add(first + numbers.Width + lane, sums + pair, Math.Min(pair, width - lane));
            }
        }
    }

    // Through memory: if the sums were still in registers when something is called, the loop before would keep them in
    // memory, too.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Widen<TLanes>(TLanes a, TLanes b, double* target) where TLanes : struct, ILanes<TLanes>
    {
        TLanes.StoreWide(a, target);
        TLanes.StoreWide(b, target + TLanes.Count);
    }

    // for (i = 0; i < count; i++) totals[i] += sums[i];
    private static void Add(double* totals, double* sums, int count)
    {
        var i = 0;
        for (; i + Doubles <= count; i += Doubles)
            (Vector256.Load(totals + i) + Vector256.Load(sums + i)).Store(totals + i);
        for (; i < count; i++) totals[i] += sums[i];
    }

    // ---- results ----------------------------------------------------------------------------------------------------

    /// <summary>y = c * scale + shift, then what follows.</summary>
    public readonly struct WritingValue<TLanes, TFollow>(float* x, LaneNumbers numbers, TFollow follow, float* y)
        : IRows where TLanes : struct, ILanes<TLanes> where TFollow : struct, IFollow
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
        public void Run(int block, long start, int rows, long stride, int width)
        {
            var pair = 2 * TLanes.Count;
            for (var lane = 0; lane < width; lane += pair)
            {
                lane = FirstOfPair(lane, width, pair);
                var element = start + lane;
                Affine<TLanes> affineA = new(numbers, lane), affineB = new(numbers, lane + TLanes.Count);
                for (var row = 0; row < rows; row++, element += stride)
                {
                    var (a, b) = (affineA.Center(TLanes.Load(x + element)),
                        affineB.Center(TLanes.Load(x + element + TLanes.Count)));
                    a = follow.Apply(affineA.Value(a), element);
                    b = follow.Apply(affineB.Value(b), element + TLanes.Count);
                    Store(a, b, y + element, width - lane);
                }
            }
        }
    }

    /// <summary>dx = g * scale + c * slope + offset.</summary>
    public readonly struct WritingGradient<TLanes, TMask>(float* x, float* g, LaneNumbers numbers, float* dx) : IRows
        where TLanes : struct, ILanes<TLanes> where TMask : struct, IMask
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
        public void Run(int block, long start, int rows, long stride, int width)
        {
            var pair = 2 * TLanes.Count;
            for (var lane = 0; lane < width; lane += pair)
            {
                lane = FirstOfPair(lane, width, pair);
                var element = start + lane;
                Affine<TLanes> affineA = new(numbers, lane), affineB = new(numbers, lane + TLanes.Count);
                var (slopeA, slopeB) =
                    (TLanes.Load(numbers.Slope + lane), TLanes.Load(numbers.Slope + lane + TLanes.Count));
                var (offsetA, offsetB) =
                    (TLanes.Load(numbers.Offset + lane), TLanes.Load(numbers.Offset + lane + TLanes.Count));
                for (var row = 0; row < rows; row++, element += stride)
                {
                    var (a, b) = (affineA.Center(TLanes.Load(x + element)),
                        affineB.Center(TLanes.Load(x + element + TLanes.Count)));
                    var gradientA = TMask.Apply(TLanes.Load(g + element), affineA.Value(a));
                    var gradientB = TMask.Apply(TLanes.Load(g + element + TLanes.Count), affineB.Value(b));
                    a = TLanes.FusedMultiplyAdd(gradientA, affineA.Scale,
                        TLanes.FusedMultiplyAdd(a, slopeA, offsetA));
                    b = TLanes.FusedMultiplyAdd(gradientB, affineB.Scale,
                        TLanes.FusedMultiplyAdd(b, slopeB, offsetB));
                    Store(a, b, dx + element, width - lane);
                }
            }
        }
    }

    /// <summary>kept = g where y is not 0, else 0.</summary>
    public readonly struct Masking<TLanes>(float* y, float* g, float* kept) : IRows
        where TLanes : struct, ILanes<TLanes>
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
        public void Run(int block, long start, int rows, long stride, int width)
        {
            var pair = 2 * TLanes.Count;
            for (var row = 0; row < rows; row++, start += stride)
                for (var lane = 0; lane < width; lane += pair)
                {
                    lane = FirstOfPair(lane, width, pair);
                    var element = start + lane;
                    var a = Keep(TLanes.Load(g + element), TLanes.Load(y + element));
                    var b = Keep(TLanes.Load(g + element + TLanes.Count), TLanes.Load(y + element + TLanes.Count));
                    Store(a, b, kept + element, width - lane);
                }
        }
    }

    /// <summary>One after the other.</summary>
    public readonly struct Then<TFirst, TSecond>(TFirst first, TSecond second) : IRows where TFirst : struct,
        IRows where TSecond : struct, IRows
    {
        public void Run(int block, long start, int rows, long stride, int width)
        {
            first.Run(block, start, rows, stride, width);
            second.Run(block, start, rows, stride, width);
        }
    }

    // The last pair of a row begins where it ends with the row: some lanes are written twice, the same.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int FirstOfPair(int lane, int width, int pair) => Math.Max(0, Math.Min(lane, width - pair));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store<TLanes>(TLanes a, TLanes b, float* target, int lanes)
        where TLanes : struct, ILanes<TLanes>
    {
        if (lanes >= 2 * TLanes.Count)
        {
            TLanes.Store(a, target);
            TLanes.Store(b, target + TLanes.Count);
        }
        else
        {
            Lanes.Store(a, target, lanes);
            if (lanes > TLanes.Count) Lanes.Store(b, target + TLanes.Count, lanes - TLanes.Count);
        }
    }
}
