namespace Tapegrad.Devices;

/// <summary>Something to do with neighbouring rows of a slab.</summary>
internal interface IRows
{
    /// <summary>
    /// Does it with rows of <paramref name="width"/> elements, <paramref name="stride"/> apart, from element <paramref name="start"/> on. They
    /// belong to a block, which has sums of its own.
    /// </summary>
    void Run(int block, long start, int rows, long stride, int width);
}

/// <summary>
/// How the sets of a <see cref="SharingGeometry"/> lie in memory, and in which pieces they are gone through. A slab holds G sets side by side: rows
/// of C channels, <c>stride</c> elements apart.
/// <code>
/// shared over            slabs   their distance   rows   stride
/// positions              N       P C              P      C
/// positions and batch    1                        N P    C
/// neither                N P     C                1
/// batch                  P       C                N      P C
/// </code>
/// </summary>
/// <remarks>
/// Lanes: channels. Rows without a gap are joined into wide ones, of whole vectors and two of them or more, so that few channels fill the lanes too:
/// lane l of a wide row belongs to channel l mod C. What remains of the rows is a last one, shorter than the others.
/// Pieces: items of slabs for the threads; in a slab blocks of rows, for the threads where there is one slab only; in a block chunks of 64 rows,
/// which stay in the first cache and are summed in float. All of them are cut by shape.
/// </remarks>
internal sealed class SharedSets
{
    private const int WideRow = 2 * Real32x8.Lanes;
    private const int ChunkRows = 64;
    private const int ItemElements = 16384;
    private const int BlockElements = 32768;
    private const int MostBlocks = 64;

    private readonly int joined, wholeRows, restWidth, allRows, slabs, slabsPerItem;
    private readonly long distance, stride;

    public SharedSets(SharingGeometry geometry)
    {
        var (n, p, c) = (geometry.Batch, geometry.Positions, geometry.Channels);
        (slabs, distance, var rows, stride) = (geometry.ShareBatch, geometry.SharePositions) switch
        {
            (false, true) => (n, (long)p * c, p, (long)c),
            (true, true) => (1, 0L, n * p, c),
            (false, false) => (n * p, c, 1, c),
            (true, false) => (p, c, n, (long)p * c),
        };
        joined = 1;
        if (stride == c)
        {
            while (joined * c % Real32x8.Lanes != 0 || joined * c < WideRow) joined++;
            joined = Math.Min(joined, rows);
        }
        (Channels, Width) = (c, joined * c);
        stride *= joined;
        wholeRows = rows / joined;
        restWidth = rows % joined * c;
        allRows = wholeRows + (restWidth > 0 ? 1 : 0);
        var elements = (long)rows * c;
        Blocks = (int)Math.Clamp(elements / BlockElements, 1, Math.Min(MostBlocks, allRows));
        slabsPerItem = (int)Math.Clamp(ItemElements / elements, 1, slabs);
        Items = (slabs - 1) / slabsPerItem + 1;
    }

    /// <summary>C.</summary>
    public int Channels { get; }

    /// <summary>Lanes of a row, and of the numbers that go with it.</summary>
    public int Width { get; }

    /// <summary>Pieces of a slab.</summary>
    public int Blocks { get; }

    /// <summary>Pieces of the whole.</summary>
    public int Items { get; }

    /// <summary>Whether there is one slab, so that the threads share its blocks.</summary>
    public bool IsOneSlab => slabs == 1;

    /// <summary>The slabs of an item: the first, and the one behind the last.</summary>
    public (int From, int To) Slabs(int item) => (item * slabsPerItem, Math.Min((item + 1) * slabsPerItem, slabs));

    /// <summary>The first element of a slab.</summary>
    public long Start(int slab) => slab * distance;

    /// <summary>Goes through a block of a slab, chunk by chunk, from either end.</summary>
    public void Run<TRows>(TRows rows, int slab, int block, bool fromTheEnd = false) where TRows : struct, IRows
    {
        var (from, to) = (FirstRow(block), FirstRow(block + 1));
        if (to > wholeRows) rows.Run(block, Start(slab) + wholeRows * stride, 1, stride, restWidth);
        var end = Math.Min(to, wholeRows);
        var chunks = (end - from + ChunkRows - 1) / ChunkRows;
        for (var i = 0; i < chunks; i++)
        {
            var row = from + (fromTheEnd ? chunks - 1 - i : i) * ChunkRows;
            rows.Run(block, Start(slab) + row * stride, Math.Min(ChunkRows, end - row), stride, Width);
        }
    }

    private int FirstRow(int block) => (int)((long)allRows * block / Blocks);
}
