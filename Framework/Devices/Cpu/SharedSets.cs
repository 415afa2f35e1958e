namespace Tapegrad.Devices.Cpu;

/// <summary>Something to do with neighbouring rows of a slab.</summary>
internal interface IRows
{
    /// <summary>
    /// Does it with rows of <paramref name="width"/> elements, <paramref name="stride"/> apart, from element
    /// <paramref name="start"/> on. They belong to a block, which has sums of its own.
    /// </summary>
    void Run(int block, long start, int rows, long stride, int width);
}

/// <summary>
/// How the sets of a <see cref="SharingGeometry"/> lie in memory, and in which pieces they are gone through. A slab
/// holds G sets side by side: rows of C channels, <c>stride</c> elements apart.
/// <code>
/// shared over            slabs   their distance   rows   stride
/// positions              N       P C              P      C
/// positions and batch    1                        N P    C
/// neither                N P     C                1
/// batch                  P       C                N      P C
/// </code>
/// Where sub-batches of B samples share, each of them is such a batch of its own: N / B times as many slabs.
/// </summary>
/// <remarks>
/// Lanes: channels. Rows without a gap are joined into wide ones, of whole eights and two of them or more, so that few
/// channels fill the lanes too: lane l of a wide row belongs to channel l mod C. What remains of the rows is a last
/// one, shorter than the others. Pieces: items of slabs for the threads; in a slab blocks of rows, for the threads
/// where there is one slab only; in a block chunks of 64 rows, which stay in the first cache and are summed in float.
/// All of them are cut by shape.
/// </remarks>
internal sealed class SharedSets
{
    // One of the widest vectors, two of the others. The lanes of a wide row are summed apart, which the bits show:
    // no processor may decide it.
    private const int WideRow = 16;
    private const int ChunkRows = 64;
    private const int ItemElements = 16384;
    private const int BlockElements = 32768;
    private const int MostBlocks = 64;

    private readonly Blocks joined;            // rows in wide rows
    // of vectors, in the lanes of a wide row, and of the one that is left over
    private readonly Blocks pairs, lastPairs;
    private readonly Clamped blockCount, itemSize;
    private readonly Shares blocks;            // of the wide rows
    private readonly Blocks[] chunks;          // of each block, without the row that is left over
    private readonly Blocks items;             // of the slabs
    private readonly int wholeRows, restWidth, neighbours;
    private readonly long distance, neighbourDistance, stride;

    public SharedSets(SharingGeometry geometry)
    {
        var (p, c, samples) = (geometry.Positions, geometry.Channels, geometry.Samples);
        if (geometry.Batch % samples != 0)
            throw new ArgumentException($"{geometry}: the batch is not made of whole sub-batches");
        // Slabs that share different samples, and among them, unless positions share, those of different positions.
        neighbours = geometry.SharePositions ? 1 : p;
        (neighbourDistance, distance) = (c, (long)samples * p * c);
        var slabs = geometry.Batch / samples * neighbours;
        var rows = samples * (geometry.SharePositions ? p : 1);
        stride = geometry.ShareBatch && !geometry.SharePositions ? (long)p * c : c;
        joined = new Blocks(rows, stride == c ? Math.Min(RowsToJoin(c), rows) : 1);
        wholeRows = rows / joined.Size;
        restWidth = rows % joined.Size * c;
        (Channels, Width) = (c, joined.Size * c);
        (pairs, lastPairs) = (new Blocks(Width, WideRow), new Blocks(restWidth, WideRow));
        stride *= joined.Size;
        var elements = (long)rows * c;
        blockCount = new Clamped(elements / BlockElements, 1, Math.Min(MostBlocks, joined.Count));
        blocks = new Shares(joined.Count, blockCount.Value);
        chunks = [.. Enumerable.Range(0, blocks.Count).Select(block =>
            new Blocks(Math.Min(blocks.From(block + 1), wholeRows) - blocks.From(block), ChunkRows))];
        itemSize = new Clamped(ItemElements / elements, 1, slabs);
        items = new Blocks(slabs, itemSize.Value);
        IsOneSlab = slabs == 1;
    }

    private static int RowsToJoin(int channels)
    {
        var rows = 1;
        while (rows * channels % (WideRow / 2) != 0 || rows * channels < WideRow) rows++;
        return rows;
    }

    /// <summary>C.</summary>
    public int Channels { get; }

    /// <summary>Lanes of a row, and of the numbers that go with it.</summary>
    public int Width { get; }

    /// <summary>Pieces of a slab.</summary>
    public int Blocks => blocks.Count;

    /// <summary>Pieces of the whole.</summary>
    public int Items => items.Count;

    /// <summary>Whether there is one slab, so that the threads share its blocks.</summary>
    public bool IsOneSlab { get; }

    /// <summary>The slabs of an item: the first, and the one behind the last.</summary>
    public (int From, int To) Slabs(int item) => (items.From(item), items.From(item) + items.SizeOf(item));

    /// <summary>The first element of a slab.</summary>
    public long Start(int slab) => slab / neighbours * distance + slab % neighbours * neighbourDistance;

    /// <summary>Goes through a block of a slab, chunk by chunk, from either end.</summary>
    public void Run<TRows>(TRows rows, int slab, int block, bool fromTheEnd = false) where TRows : struct, IRows
    {
        var start = Start(slab);
        if (blocks.From(block + 1) > wholeRows) rows.Run(block, start + wholeRows * stride, 1, stride, restWidth);
        var ofBlock = chunks[block];
        for (var i = 0; i < ofBlock.Count; i++)
        {
            var chunk = fromTheEnd ? ofBlock.Count - 1 - i : i;
            rows.Run(block, start + (blocks.From(block) + ofBlock.From(chunk)) * stride, ofBlock.SizeOf(chunk),
                stride, Width);
        }
    }
}
