using System.Runtime.Intrinsics;
using static Tapegrad.Devices.Cpu.StridedCopy;

namespace Tapegrad.Devices.Cpu;

/// <summary>
/// y = a b. Every element of y is one chain of fused multiply-adds over the inner axis, in its order, from 0; where the
/// work is cut changes no bit. The tiles are those of convolutions (<see cref="ProductTiles{TLanes}"/>): some rows
/// of a and a panel of some columns of b, both copied to where they are read in one run, a block of the inner axis at a
/// time; as they lie, rows a power of two apart would share the cache's sets.
/// </summary>
internal readonly unsafe struct MatrixMultiplication<TLanes> where TLanes : struct, ILanes<TLanes>
{
    private const int ItemColumns = 256; // the most of one item of work
    private const int MostTiles = 32;    // and rows, in tiles: their a stays in the second cache for all panels
    private const int FewestTiles = 4;
    private const int FewItems = 8;
    private const int InnerBlock = 512;  // and of the inner axis: a panel of b stays in a near cache for all tiles

    // Elements from one copied row to the next: not a power of two, whose rows share a set.
    private const int RowLength = InnerBlock + 16;

    private readonly MatrixProductGeometry geometry;
    private readonly Pieces pieces;
    private readonly Ranges ranges;   // of items

    private readonly struct Pieces
    {
        public readonly TileShape Tile;
        public readonly Blocks Tiles;          // of the rows
        public readonly Clamped ItemTiles;     // the most in an item
        public readonly Blocks RowItems;       // of the tiles
        public readonly Blocks Panels;         // of the columns
        public readonly Blocks ColumnItems;    // of the panels
        public readonly Blocks Depths;         // of the inner axis

        public Pieces(MatrixProductGeometry geometry)
        {
            Tile = TileShape.For(geometry.Columns, TLanes.Count);
            (Tiles, Panels) = (new Blocks(geometry.Rows, Tile.Rows), new Blocks(geometry.Columns, Tile.Columns));
            ColumnItems = new Blocks(Panels.Count, ItemColumns / Tile.Columns);
            Depths = new Blocks(geometry.Inner, InnerBlock);
            // Packing a panel of b pays when many rows use it; but a few items at least are wanted, for the threads.
            var (tiles, others, wanted) = (Tiles.Count, geometry.OffsetsA.Length * ColumnItems.Count, MostTiles);
            while (wanted > FewestTiles && ((tiles - 1) / wanted + 1) * others < FewItems) wanted /= 2;
            ItemTiles = new Clamped(wanted, FewestTiles, MostTiles);
            RowItems = Blocks.Equal(tiles, ItemTiles.Value);
        }
    }

    public MatrixMultiplication(MatrixProductGeometry geometry)
    {
        this.geometry = geometry;
        pieces = new Pieces(geometry);
        var (rows, columns) = (Math.Min(geometry.Rows, pieces.RowItems.Size * pieces.Tile.Rows),
            Math.Min(geometry.Columns, ItemColumns));
        ranges = new Ranges(geometry.OffsetsA.Length * pieces.RowItems.Count * pieces.ColumnItems.Count,
            (long)rows * columns * Math.Max(1, geometry.Inner) / TLanes.Count);
    }

    public void Run(float* a, float* b, float* y)
    {
        fixed (Pieces* at = &pieces) ranges.Run(new Items(geometry, at, a, b, y));   // where they are: they are large
    }

    private readonly struct Items(MatrixProductGeometry geometry, Pieces* pieces, float* a, float* b, float* y)
        : IRangeBody
    {
        public void Run(int from, int to)
        {
            for (var item = from; item < to; item++)
            {
                var (rest, columnItem) = Math.DivRem(item, pieces->ColumnItems.Count);
                var (batch, rowItem) = Math.DivRem(rest, pieces->RowItems.Count);
                Multiply(geometry, pieces, a + geometry.OffsetsA[batch], b + geometry.OffsetsB[batch],
                    y + (long)batch * geometry.Rows * geometry.Columns, rowItem, columnItem);
            }
        }
    }

    // Some rows and panels of one product. Rows beyond the last, in the last tile, repeat it.
    private static void Multiply(MatrixProductGeometry geometry, Pieces* pieces, float* a, float* b, float* y,
        int rowItem, int columnItem)
    {
        var (inner, columns, isTransposed) = (geometry.Inner, geometry.Columns, geometry.TransposeA);
        var (rowItems, columnItems, panels) = (pieces->RowItems, pieces->ColumnItems, pieces->Panels);
        var (tileRows, panelColumns) = (pieces->Tile.Rows, pieces->Tile.Columns);
        var (row, tiles) = (pieces->Tiles.From(rowItems.From(rowItem)), rowItems.SizeOf(rowItem));
        var rows = Math.Min(tiles * tileRows, geometry.Rows - row);
        var starts = Scratch<int>.Rent(2L * tiles * tileRows);
        var targets = starts + tiles * tileRows;
        for (var i = 0; i < tiles * tileRows; i++)
        {
            var at = Math.Min(i, rows - 1);
            starts[i] = isTransposed ? at / tileRows * tileRows * RowLength + at % tileRows : at * RowLength;
            targets[i] = (row + at) * columns;
        }
        var packed = Scratch<float>.Rent(InnerBlock * panelColumns + (long)tiles * tileRows * RowLength);
        var start = 0;
        var left = new ProductRows
        {
            Source = packed + InnerBlock * panelColumns,
            Starts = starts,
            Tiles = tiles,
            RunStarts = &start,
            Runs = 1,
            Step = isTransposed ? tileRows : 1,
        };
        var firstPanel = columnItems.From(columnItem);
        var endPanel = firstPanel + columnItems.SizeOf(columnItem);
        for (var depth = 0; depth == 0 || depth < pieces->Depths.Count; depth++)   // the sum of nothing is 0
        {
            var k = pieces->Depths.From(depth);
            left.RunLength = pieces->Depths.SizeOf(depth);
            if (isTransposed) PackColumns(a + (long)k * geometry.Rows + row, geometry.Rows, tileRows, left);
            else
                for (var i = 0; i < rows; i++)
                    CopyRow(a + (long)(row + i) * inner + k, 1, left.Source + (long)i * RowLength, 1, left.RunLength);
            for (var panel = firstPanel; panel < endPanel; panel++)
            {
                var (column, width) = (panels.From(panel), panels.SizeOf(panel));
                if (geometry.TransposeB)
                    PackRows(b + (long)column * inner + k, inner, width, left.RunLength, packed, panelColumns);
                else PackPanel(b + (long)k * columns + column, columns, width, left.RunLength, packed, panelColumns);
                ProductTiles<TLanes>.Multiply(pieces->Tile, in left, packed, null, y + column, targets, width,
                    resumes: k > 0);
            }
        }
    }

    // packed[tile, k, i] = a[k, rows tile + i], in vectors of four; what the last one holds too many is overwritten by
    // the next k, or lies behind.
    private static void PackColumns(float* a, int stride, int rows, ProductRows left)
    {
        for (var tile = 0; tile < left.Tiles; tile++, a += rows, left.Source += rows * RowLength)
            for (var k = 0; k < left.RunLength; k++)
                for (var i = 0; i < rows; i += Vector128<float>.Count)
                    Vector128.Load(a + (long)k * stride + i).Store(left.Source + k * rows + i);
    }

    // packed[k, j] = b[k, j] for the columns of a panel; beyond the last, whatever was there.
    private static void PackPanel(float* b, int stride, int width, int depth, float* packed, int panelColumns)
    {
        for (var k = 0; k < depth; k++, b += stride, packed += panelColumns)
            if (width < panelColumns) CopyRow(b, 1, packed, 1, width);
            else
                for (var j = 0; j < panelColumns; j += TLanes.Count) TLanes.Store(TLanes.Load(b + j), packed + j);
    }

    // packed[k, j] = b[j, k], for b with its axes swapped.
    private static void PackRows(float* b, int stride, int width, int depth, float* packed, int panelColumns)
    {
        for (var j = 0; j < width; j++) CopyRow(b + (long)j * stride, 1, packed + j, panelColumns, depth);
    }
}
