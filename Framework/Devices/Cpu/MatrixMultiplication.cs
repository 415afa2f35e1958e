using System.Runtime.Intrinsics;
using Tapegrad.Memory;
using static Tapegrad.Devices.Cpu.StridedCopy;

namespace Tapegrad.Devices.Cpu;

/// <summary>
/// y = a b. Every element of y is one chain of fused multiply-adds over the inner axis, in its order, from 0; where the
/// work is cut changes no bit. The tiles are those of convolutions (<see cref="ProductTiles{TLanes}"/>): some rows
/// of a and a panel of some columns of b, both copied to where they are read in one run, a block of the inner axis at a
/// time; as they lie, rows a power of two apart would share the cache's sets. All panels of b are copied first, once
/// for all rows; an item of work then copies its rows of a, once for all of its panels.
/// </summary>
internal readonly unsafe struct MatrixMultiplication<TLanes> where TLanes : struct, ILanes<TLanes>
{
    private const int MostColumns = 1024; // of one item of work
    private const int FewestPanels = 4;
    private const int MostTiles = 16;     // and rows, in tiles: their a stays in the second cache for all panels
    private const int FewestTiles = 4;
    private const int FewItems = 16;      // at least as many are wanted, for the threads
    private const int InnerBlock = 512;   // and of the inner axis: a panel of b stays in a near cache for all tiles

    // Elements from one copied row to the next: not a power of two, whose rows share a set.
    private const int RowLength = InnerBlock + 16;

    private readonly MatrixProductGeometry geometry;
    private readonly Pieces pieces;
    private readonly Ranges copies;   // of panels of b
    private readonly Ranges ranges;   // of items

    private readonly struct Pieces
    {
        public readonly TileShape Tile;
        public readonly Blocks Tiles;          // of the rows
        public readonly Clamped ItemTiles;     // the most in an item
        public readonly Blocks RowItems;       // of the tiles
        public readonly Blocks Panels;         // of the columns
        public readonly Clamped ItemPanels;    // the most in an item
        public readonly Blocks ColumnItems;    // of the panels
        public readonly Blocks Depths;         // of the inner axis
        public readonly int Seconds;           // matrices b: one for each product, or one for all

        public Pieces(MatrixProductGeometry geometry)
        {
            Tile = TileShape.For(geometry.Columns, TLanes.Count);
            (Tiles, Panels) = (new Blocks(geometry.Rows, Tile.Rows), new Blocks(geometry.Columns, Tile.Columns));
            Depths = new Blocks(geometry.Inner, InnerBlock);
            var (first, products) = (geometry.OffsetsB[0], geometry.OffsetsB.Length);
            Seconds = geometry.OffsetsB.AsSpan().ContainsAnyExcept(first) ? products : 1;
            // The rows are cut first: each cut of the columns copies the rows once more.
            var (tiles, panels, mostPanels) = (MostTiles, MostColumns / Tile.Columns, MostColumns / Tile.Columns);
            while (tiles > FewestTiles && Items(tiles, panels) * products < FewItems) tiles /= 2;
            while (panels > FewestPanels && Items(tiles, panels) * products < FewItems) panels /= 2;
            (ItemTiles, ItemPanels) = (new Clamped(tiles, FewestTiles, MostTiles),
                new Clamped(panels, FewestPanels, mostPanels));
            (RowItems, ColumnItems) = (Blocks.Equal(Tiles.Count, tiles), Blocks.Equal(Panels.Count, panels));
        }

        private long Items(int tiles, int panels) =>
            (long)((Tiles.Count - 1) / tiles + 1) * ((Panels.Count - 1) / panels + 1);
    }

    public MatrixMultiplication(MatrixProductGeometry geometry)
    {
        this.geometry = geometry;
        pieces = new Pieces(geometry);
        var (rows, columns) = (Math.Min(geometry.Rows, pieces.RowItems.Size * pieces.Tile.Rows),
            Math.Min(geometry.Columns, pieces.ColumnItems.Size * pieces.Tile.Columns));
        var depth = Math.Max(1, Math.Min(InnerBlock, geometry.Inner));
        copies = new Ranges(pieces.Seconds * pieces.Panels.Count, depth * pieces.Tile.Columns);
        ranges = new Ranges(geometry.OffsetsA.Length * pieces.RowItems.Count * pieces.ColumnItems.Count,
            (long)rows * columns * depth / TLanes.Count);
    }

    private int PanelLength => InnerBlock * pieces.Tile.Columns;

    public void Run(BufferPool pool, float* a, float* b, float* y)
    {
        var panels = (HostBuffer<float>)pool.Rent(checked(pieces.Seconds * pieces.Panels.Count * PanelLength));
        fixed (Pieces* at = &pieces)   // where they are: they are large
            for (var depth = 0; depth == 0 || depth < pieces.Depths.Count; depth++)   // the sum of nothing is 0
            {
                copies.Run(new Copies(geometry, at, depth, b, panels.Pointer));
                ranges.Run(new Items(geometry, at, depth, a, panels.Pointer, y));
            }
        pool.Return(panels);
    }

    private readonly struct Copies(MatrixProductGeometry geometry, Pieces* pieces, int depth, float* b, float* copied)
        : IRangeBody
    {
        public void Run(int from, int to)
        {
            var (panelColumns, panels) = (pieces->Tile.Columns, pieces->Panels);
            var (k, runLength) = (pieces->Depths.From(depth), pieces->Depths.SizeOf(depth));
            for (var item = from; item < to; item++)
            {
                var (batch, panel) = Math.DivRem(item, panels.Count);
                var (column, width) = (panels.From(panel), panels.SizeOf(panel));
                float* source = b + geometry.OffsetsB[batch], target = copied + (long)item * InnerBlock * panelColumns;
                if (geometry.TransposeB)
                    PackRows(source + (long)column * geometry.Inner + k, geometry.Inner, width, runLength, target,
                        panelColumns);
                else
                    PackPanel(source + (long)k * geometry.Columns + column, geometry.Columns, width, runLength, target,
                        panelColumns);
            }
        }
    }

    private readonly struct Items(MatrixProductGeometry geometry, Pieces* pieces, int depth, float* a, float* copied,
        float* y) : IRangeBody
    {
        public void Run(int from, int to)
        {
            for (var item = from; item < to; item++)
            {
                var (rest, columnItem) = Math.DivRem(item, pieces->ColumnItems.Count);
                var (batch, rowItem) = Math.DivRem(rest, pieces->RowItems.Count);
                var panels = pieces->Seconds == 1 ? 0 : (long)batch * pieces->Panels.Count;
                Multiply(geometry, pieces, depth, a + geometry.OffsetsA[batch],
                    copied + panels * InnerBlock * pieces->Tile.Columns,
                    y + (long)batch * geometry.Rows * geometry.Columns, rowItem, columnItem);
            }
        }
    }

    // Some rows and panels of one product. Rows beyond the last, in the last tile, repeat it.
    private static void Multiply(MatrixProductGeometry geometry, Pieces* pieces, int depth, float* a, float* copied,
        float* y, int rowItem, int columnItem)
    {
        var (inner, columns, isTransposed) = (geometry.Inner, geometry.Columns, geometry.TransposeA);
        var (rowItems, columnItems, panels) = (pieces->RowItems, pieces->ColumnItems, pieces->Panels);
        var (tileRows, panelLength) = (pieces->Tile.Rows, InnerBlock * pieces->Tile.Columns);
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
        var (k, start) = (pieces->Depths.From(depth), 0);
        var left = new ProductRows
        {
            Source = Scratch<float>.Rent((long)tiles * tileRows * RowLength),
            Starts = starts,
            Tiles = tiles,
            RunStarts = &start,
            Runs = 1,
            RunLength = pieces->Depths.SizeOf(depth),
            Step = isTransposed ? tileRows : 1,
        };
        if (isTransposed) PackColumns(a + (long)k * geometry.Rows + row, geometry.Rows, tileRows, left);
        else
            for (var i = 0; i < rows; i++)
                CopyRow(a + (long)(row + i) * inner + k, 1, left.Source + (long)i * RowLength, 1, left.RunLength);
        var first = columnItems.From(columnItem);
        for (var panel = first; panel < first + columnItems.SizeOf(columnItem); panel++)
            ProductTiles<TLanes>.Multiply(pieces->Tile, in left, copied + (long)panel * panelLength, null,
                y + panels.From(panel), targets, panels.SizeOf(panel), resumes: depth > 0);
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

    // copied[k, j] = b[k, j] for the columns of a panel; beyond the last, whatever was there.
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
