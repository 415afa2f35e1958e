using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Lane = System.Runtime.Intrinsics.Vector256<float>;

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
    private const int Lanes = Real32x8.Lanes;
    private const int Pair = 2 * Lanes;
    private const int Doubles = Lanes / 2;

    // The numbers of one vector of lanes, in registers.
    private readonly struct Affine(LaneNumbers numbers, int lane)
    {
        public readonly Lane Pivot = Vector256.Load(numbers.Pivot + lane),
            Remainder = Vector256.Load(numbers.Remainder + lane);
        public readonly Lane Scale = Vector256.Load(numbers.Scale + lane), Shift = Vector256.Load(numbers.Shift + lane);

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Lane Center(Lane x) => x - Pivot - Remainder;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Lane Value(Lane centered) => Vector256.FusedMultiplyAdd(centered, Scale, Shift);
    }

    // x where the value of a ReLU is not 0, else 0; NaN is not 0.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Lane Keep(Lane x, Lane value) => Vector256.AndNot(x, Vector256.LessThanOrEqual(value, Lane.Zero));

    // ---- what follows the affine ------------------------------------------------------------------------------------

    /// <summary>What becomes of the value at an element.</summary>
    public interface IFollow
    {
        Lane Apply(Lane value, long element);
    }

    public readonly struct Nothing : IFollow
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Lane Apply(Lane value, long element) => value;
    }

    public readonly struct AddingResidual(float* residual) : IFollow
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Lane Apply(Lane value, long element) => value + Vector256.Load(residual + element);
    }

    public readonly struct Rectifying<TBefore>(TBefore before) : IFollow where TBefore : struct, IFollow
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Lane Apply(Lane value, long element)
        {
            value = before.Apply(value, element);
            return Keep(value, value);
        }
    }

    // ---- which gradients pass the ReLU ------------------------------------------------------------------------------

    /// <summary>What becomes of the gradient of a value.</summary>
    public interface IMask
    {
        static abstract Lane Apply(Lane gradient, Lane value);
    }

    public readonly struct All : IMask
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Lane Apply(Lane gradient, Lane value) => gradient;
    }

    public readonly struct Positive : IMask
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Lane Apply(Lane gradient, Lane value) => Keep(gradient, value);
    }

    // ---- sums -------------------------------------------------------------------------------------------------------

    /// <summary>
    /// In a block's totals, first[l] += the sum over rows of x - pivot, second[l] += that of its square. In a chunk the
    /// pivot is its own first row: squares around a far one would lose what the others have to say. The chunk's sums
    /// are moved to the common pivot in double.
    /// </summary>
    public readonly struct Measuring(float* x, LaneNumbers numbers, double* totals) : IRows
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
        public void Run(int block, long start, int rows, long stride, int width)
        {
            double* first = totals + block * 2 * numbers.Width, pair = stackalloc double[4 * Pair];
            for (var lane = 0; lane < width; lane += Pair)
            {
                var p = x + start + lane;
                var (pivotA, pivotB) = (Vector256.Load(p), Vector256.Load(p + Lanes));
                Lane sumA = default, sumB = default, squareA = default, squareB = default;
                for (var row = 1; row < rows; row++)
                {
                    p += stride;
                    var (a, b) = (Vector256.Load(p) - pivotA, Vector256.Load(p + Lanes) - pivotB);
                    (sumA, sumB) = (sumA + a, sumB + b);
                    squareA = Vector256.FusedMultiplyAdd(a, a, squareA);
                    squareB = Vector256.FusedMultiplyAdd(b, b, squareB);
                }
                Widen(sumA, sumB, pair);
                Widen(squareA, squareB, pair + Pair);
                Widen(pivotA, pivotB, pair + 2 * Pair);
                Widen(Vector256.Load(numbers.Pivot + lane), Vector256.Load(numbers.Pivot + lane + Lanes),
                    pair + 3 * Pair);
                Move(pair, rows);
                Add(first + lane, pair, Math.Min(Pair, width - lane));
                Add(first + numbers.Width + lane, pair + Pair, Math.Min(Pair, width - lane));
            }
        }

        // Of a pair: sums and squares around the own pivot, that pivot, the common one. With d = own pivot - common
        // pivot, the sums of x and of its square around the common one are s + n d and q + d (2 s + n d).
        private static void Move(double* pair, int rows)
        {
            for (var i = 0; i < Pair; i += Doubles)
            {
                var (sum, square) = (Vector256.Load(pair + i), Vector256.Load(pair + Pair + i));
                var distance = Vector256.Load(pair + 2 * Pair + i) - Vector256.Load(pair + 3 * Pair + i);
                var moved = sum + distance * rows;
                moved.Store(pair + i);
                (square + distance * (sum + moved)).Store(pair + Pair + i);
            }
        }
    }

    /// <summary>In a block's totals, first[l] += the sum over rows of g, second[l] += that of g * c.</summary>
    public readonly struct Summing<TMask>(float* x, float* g, LaneNumbers numbers, double* totals) : IRows
        where TMask : struct, IMask
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
        public void Run(int block, long start, int rows, long stride, int width)
        {
            double* first = totals + block * 2 * numbers.Width, pair = stackalloc double[2 * Pair];
            for (var lane = 0; lane < width; lane += Pair)
            {
                float* p = x + start + lane, q = g + start + lane;
                Affine affineA = new(numbers, lane), affineB = new(numbers, lane + Lanes);
                Lane sumA = default, sumB = default, productA = default, productB = default;
                for (var row = 0; row < rows; row++, p += stride, q += stride)
                {
                    var (a, b) = (affineA.Center(Vector256.Load(p)), affineB.Center(Vector256.Load(p + Lanes)));
                    var gradientA = TMask.Apply(Vector256.Load(q), affineA.Value(a));
                    var gradientB = TMask.Apply(Vector256.Load(q + Lanes), affineB.Value(b));
                    (sumA, sumB) = (sumA + gradientA, sumB + gradientB);
                    productA = Vector256.FusedMultiplyAdd(gradientA, a, productA);
                    productB = Vector256.FusedMultiplyAdd(gradientB, b, productB);
                }
                Widen(sumA, sumB, pair);
                Widen(productA, productB, pair + Pair);
                Add(first + lane, pair, Math.Min(Pair, width - lane));
                Add(first + numbers.Width + lane, pair + Pair, Math.Min(Pair, width - lane));
            }
        }
    }

    // Through memory: if the sums were still in registers when something is called, the loop before would keep them in
    // memory, too.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Widen(Lane a, Lane b, double* target)
    {
        var (low, high) = Vector256.Widen(a);
        low.Store(target);
        high.Store(target + Doubles);
        (low, high) = Vector256.Widen(b);
        low.Store(target + 2 * Doubles);
        high.Store(target + 3 * Doubles);
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
    public readonly struct WritingValue<TFollow>(float* x, LaneNumbers numbers, TFollow follow, float* y) : IRows
        where TFollow : struct, IFollow
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
        public void Run(int block, long start, int rows, long stride, int width)
        {
            for (var lane = 0; lane < width; lane += Pair)
            {
                lane = FirstOfPair(lane, width);
                var element = start + lane;
                Affine affineA = new(numbers, lane), affineB = new(numbers, lane + Lanes);
                for (var row = 0; row < rows; row++, element += stride)
                {
                    var (a, b) = (affineA.Center(Vector256.Load(x + element)),
                        affineB.Center(Vector256.Load(x + element + Lanes)));
                    a = follow.Apply(affineA.Value(a), element);
                    b = follow.Apply(affineB.Value(b), element + Lanes);
                    Store(a, b, y + element, width - lane);
                }
            }
        }
    }

    /// <summary>dx = g * scale + c * slope + offset.</summary>
    public readonly struct WritingGradient<TMask>(float* x, float* g, LaneNumbers numbers, float* dx) : IRows
        where TMask : struct, IMask
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
        public void Run(int block, long start, int rows, long stride, int width)
        {
            for (var lane = 0; lane < width; lane += Pair)
            {
                lane = FirstOfPair(lane, width);
                var element = start + lane;
                Affine affineA = new(numbers, lane), affineB = new(numbers, lane + Lanes);
                var (slopeA, slopeB) =
                    (Vector256.Load(numbers.Slope + lane), Vector256.Load(numbers.Slope + lane + Lanes));
                var (offsetA, offsetB) =
                    (Vector256.Load(numbers.Offset + lane), Vector256.Load(numbers.Offset + lane + Lanes));
                for (var row = 0; row < rows; row++, element += stride)
                {
                    var (a, b) = (affineA.Center(Vector256.Load(x + element)),
                        affineB.Center(Vector256.Load(x + element + Lanes)));
                    var gradientA = TMask.Apply(Vector256.Load(g + element), affineA.Value(a));
                    var gradientB = TMask.Apply(Vector256.Load(g + element + Lanes), affineB.Value(b));
                    a = Vector256.FusedMultiplyAdd(gradientA, affineA.Scale,
                        Vector256.FusedMultiplyAdd(a, slopeA, offsetA));
                    b = Vector256.FusedMultiplyAdd(gradientB, affineB.Scale,
                        Vector256.FusedMultiplyAdd(b, slopeB, offsetB));
                    Store(a, b, dx + element, width - lane);
                }
            }
        }
    }

    /// <summary>kept = g where y is not 0, else 0.</summary>
    public readonly struct Masking(float* y, float* g, float* kept) : IRows
    {
        [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
        public void Run(int block, long start, int rows, long stride, int width)
        {
            for (var row = 0; row < rows; row++, start += stride)
                for (var lane = 0; lane < width; lane += Pair)
                {
                    lane = FirstOfPair(lane, width);
                    var element = start + lane;
                    var a = Keep(Vector256.Load(g + element), Vector256.Load(y + element));
                    var b = Keep(Vector256.Load(g + element + Lanes), Vector256.Load(y + element + Lanes));
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
    private static int FirstOfPair(int lane, int width) => Math.Max(0, Math.Min(lane, width - Pair));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(Lane a, Lane b, float* target, int lanes)
    {
        if (lanes >= Pair)
        {
            a.Store(target);
            b.Store(target + Lanes);
        }
        else
            for (var i = 0; i < lanes; i++) target[i] = i < Lanes ? a[i] : b[i - Lanes];
    }
}
