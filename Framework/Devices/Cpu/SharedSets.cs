using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Tapegrad.Devices;

/// <summary>A formula over the elements of a tensor and numbers that each channel has.</summary>
internal interface ILine
{
    /// <summary>The formula for eight elements from <paramref name="element"/> on; their channels' numbers begin at <paramref name="lane"/>.</summary>
    Vector256<float> At(long element, int lane);
}

/// <summary>
/// How the sets of a <see cref="SharingGeometry"/> lie in memory, and the two loops over them. A slab holds G sets side by side: rows of C channels,
/// <c>stride</c> elements apart.
/// <code>
/// shared over            slabs   their distance   rows   stride
/// positions              N       P C              P      C
/// positions and batch    1                        N P    C
/// neither                N P     C                1
/// batch                  P       C                N      P C
/// </code>
/// </summary>
/// <remarks>
/// Lanes: channels. Rows without a gap are joined into wide ones, of whole vectors and 32 elements or more, so that few channels fill the lanes too:
/// lane l of a wide row belongs to channel l mod C, and numbers that each channel has are repeated as often. Remainders (the last vector of a row)
/// are computed from what lies behind and dropped.
/// Sums: 64 rows in float, these in double, blocks of rows for the threads (only where the batch shares and there is one slab) in their order.
/// </remarks>
internal sealed unsafe class SharedSets
{
    private const int Lanes = Real32x8.Lanes;
    private const int WideRow = 4 * Lanes;
    private const int FloatRows = 64;
    private const int BlockElements = 16384;
    private const int MostBlocks = 64;

    private readonly SharingGeometry geometry;
    private readonly int joined, wholeRows, restWidth, allRows, blocks;
    private readonly long distance, stride;

    public SharedSets(SharingGeometry geometry)
    {
        this.geometry = geometry;
        var (n, p, c) = (geometry.Batch, geometry.Positions, geometry.Channels);
        (Slabs, distance, var rows, stride) = (geometry.ShareBatch, geometry.SharePositions) switch
        {
            (false, true) => (n, (long)p * c, p, (long)c),
            (true, true) => (1, 0L, n * p, c),
            (false, false) => (n * p, c, 1, c),
            (true, false) => (p, c, n, (long)p * c),
        };
        joined = 1;
        if (stride == c)
        {
            while (joined * c % Lanes != 0 || joined * c < WideRow) joined++;
            joined = Math.Min(joined, rows);
        }
        Width = joined * c;
        stride *= joined;
        wholeRows = rows / joined;
        restWidth = rows % joined * c;
        allRows = wholeRows + (restWidth > 0 ? 1 : 0);
        blocks = geometry is not { ShareBatch: true, SharePositions: true } ? 1
            : (int)Math.Clamp((long)rows * c / BlockElements, 1, Math.Min(MostBlocks, allRows));
    }

    public int Slabs { get; }

    /// <summary>Lanes of a row, and of the numbers that go with it.</summary>
    public int Width { get; }

    /// <summary>The first element of a slab.</summary>
    public long Start(int slab) => slab * distance;

    /// <summary>The first channel of a group.</summary>
    public int Channel(int group) => group * (geometry.Channels / geometry.Groups);

    /// <summary>Calls the body for every slab, on several threads.</summary>
    public void ForEachSlab(Action<int> body)
    {
        if (Slabs == 1) body(0);   // on this thread: the loops over its rows use the others
        else CpuDevice.InRanges(Slabs, (long)allRows * Width, (from, to) =>
        {
            for (var slab = from; slab < to; slab++) body(slab);
        });
    }

    /// <summary>Gives every lane the number of its group: lanes[l] = numbers[group of channel l mod C].</summary>
    public void Spread(float* numbers, float* lanes)
    {
        var each = geometry.Channels / geometry.Groups;
        for (var group = 0; group < geometry.Groups; group++) new Span<float>(lanes + group * each, each).Fill(numbers[group]);
        for (var lane = geometry.Channels; lane < Width; lane++) lanes[lane] = lanes[lane - geometry.Channels];
    }

    /// <summary>The mean of the line's values over each set of a slab.</summary>
    public void Means<TLine>(TLine line, int slab, float* means) where TLine : struct, ILine
    {
        var totals = Scratch<double>.Rent((blocks + 1) * Width);
        new Span<double>(totals, (blocks + 1) * Width).Clear();
        if (blocks == 1) SumRows(line, Start(slab), 0, allRows, totals);
        else SumBlocks(line, totals);
        var each = geometry.Channels / geometry.Groups;
        for (var group = 0; group < geometry.Groups; group++)
        {
            var sum = 0.0;
            for (var row = 0; row < joined; row++) sum += Sum(totals + row * geometry.Channels + group * each, each);
            means[group] = (float)(sum / geometry.SetSize);
        }
    }

    private void SumBlocks<TLine>(TLine line, double* totals) where TLine : struct, ILine
    {
        Workers.Run(blocks, block => SumRows(line, 0, FirstRow(block), FirstRow(block + 1), totals + (block + 1) * Width));
        for (var block = 1; block <= blocks; block++)
            for (var lane = 0; lane < Width; lane++) totals[lane] += totals[block * Width + lane];
    }

    private int FirstRow(int block) => (int)((long)allRows * block / blocks);

    /// <summary>y = the line's value, for all elements of a slab.</summary>
    public void Write<TLine>(TLine line, int slab, float* y) where TLine : struct, ILine
    {
        if (blocks == 1) WriteRows(line, Start(slab), 0, allRows, y);
        else WriteBlocks(line, y);
    }

    private void WriteBlocks<TLine>(TLine line, float* y) where TLine : struct, ILine =>
        Workers.Run(blocks, block => WriteRows(line, 0, FirstRow(block), FirstRow(block + 1), y));

    private void SumRows<TLine>(TLine line, long start, int from, int to, double* totals) where TLine : struct, ILine
    {
        for (var row = from; row < Math.Min(to, wholeRows); row += FloatRows)
            AddRows(line, start + row * stride, Math.Min(FloatRows, Math.Min(to, wholeRows) - row), stride, Width, totals);
        if (to > wholeRows) AddRows(line, start + wholeRows * stride, 1, stride, restWidth, totals);
    }

    private void WriteRows<TLine>(TLine line, long start, int from, int to, float* y) where TLine : struct, ILine
    {
        WriteRows(line, start + from * stride, Math.Min(to, wholeRows) - from, stride, Width, y);
        if (to > wholeRows) WriteRows(line, start + wholeRows * stride, 1, stride, restWidth, y);
    }

    // for (l = 0; l < width; l++) totals[l] += the sum over rows of line(row, l), which is a float.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void AddRows<TLine>(TLine line, long start, int rows, long stride, int width, double* totals) where TLine : struct, ILine
    {
        var lane = 0;
        for (; lane + 4 * Lanes <= width; lane += 4 * Lanes)
        {
            Vector256<float> a = default, b = default, c = default, d = default;
            var element = start + lane;
            for (var row = 0; row < rows; row++, element += stride)
            {
                a += line.At(element, lane);
                b += line.At(element + Lanes, lane + Lanes);
                c += line.At(element + 2 * Lanes, lane + 2 * Lanes);
                d += line.At(element + 3 * Lanes, lane + 3 * Lanes);
            }
            AddTo(totals + lane, a);
            AddTo(totals + lane + Lanes, b);
            AddTo(totals + lane + 2 * Lanes, c);
            AddTo(totals + lane + 3 * Lanes, d);
        }
        for (; lane < width; lane += Lanes)
        {
            Vector256<float> a = default;
            var element = start + lane;
            for (var row = 0; row < rows; row++, element += stride) a += line.At(element, lane);
            if (lane + Lanes <= width) AddTo(totals + lane, a);
            else
                for (var rest = lane; rest < width; rest++) totals[rest] += a[rest - lane];
        }
    }

    private static void AddTo(double* totals, Vector256<float> sums)
    {
        var (low, high) = Vector256.Widen(sums);
        (Vector256.Load(totals) + low).Store(totals);
        (Vector256.Load(totals + 4) + high).Store(totals + 4);
    }

    // Four lanes, then what remains of them.
    private static double Sum(double* numbers, int length)
    {
        var lanes = Vector256<double>.Zero;
        var i = 0;
        for (; i + 4 <= length; i += 4) lanes += Vector256.Load(numbers + i);
        var sum = lanes[0] + lanes[1] + (lanes[2] + lanes[3]);
        for (; i < length; i++) sum += numbers[i];
        return sum;
    }

    // for each row, for (l = 0; l < width; l++) y[row, l] = line(row, l)
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void WriteRows<TLine>(TLine line, long start, int rows, long stride, int width, float* y) where TLine : struct, ILine
    {
        for (var row = 0; row < rows; row++, start += stride)
        {
            var lane = 0;
            for (; lane + Lanes <= width; lane += Lanes) line.At(start + lane, lane).Store(y + start + lane);
            if (lane == width) continue;
            var last = line.At(start + lane, lane);
            for (var rest = lane; rest < width; rest++) y[start + rest] = last[rest - lane];
        }
    }
}
