using System.Runtime.Intrinsics;
using Tapegrad.Memory;
using static Tapegrad.Devices.Cpu.StridedCopy;

namespace Tapegrad.Devices.Cpu;

/// <summary>
/// y = a b. Every element of y is one chain of fused multiply-adds over the inner axis, in its order, from 0; where the
/// work is cut changes no bit. The tiles are those of convolutions (<see cref="ProductTiles{TLanes}"/>): some rows
/// of a and a panel of some columns of b, both copied to where they are read in one run, a block of the inner axis at a
/// time; as they lie, rows a power of two apart would share the cache's sets. An item of work copies its rows of a
/// once, for all of its panels, and its panels; but where many items need the panels of one large product, these are
/// copied first, once for all.
/// </summary>
internal readonly unsafe struct MatrixMultiplication<TLanes> where TLanes : struct, ILanes<TLanes>
{
    private const int MostColumns = 1024; // of one item of work
    private const int FewestPanels = 4;
    private const int MostTiles = 16;     // and rows, in tiles: their a stays in the second cache for all panels
    private const int FewestTiles = 4;
    private const int FewItems = 16;      // at least as many are wanted, for the threads
    private const int InnerBlock = 512;   // and of the inner axis: a panel of b stays in a near cache for all tiles
    private const int Large = 1 << 23;    // multiply-adds of a product that the threads meet for, block by block

    // Elements from one copied row to the next: not a power of two, whose rows share a set.
    private const int RowLength = InnerBlock + 16;

    private readonly MatrixProductGeometry geometry;
    private readonly Pieces pieces;
    private readonly Ranges copies;   // of panels, where all are copied first
    private readonly Ranges ranges;   // of items: of one product then, else of all

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
        public readonly bool CopiesFirst;      // all panels of a product

        public Pieces(MatrixProductGeometry geometry)
        {
            Tile = TileShape.For(geometry.Columns, TLanes.Count);
            (Tiles, Panels) = (new Blocks(geometry.Rows, Tile.Rows), new Blocks(geometry.Columns, Tile.Columns));
            Depths = new Blocks(geometry.Inner, InnerBlock);
            var isLarge = (long)geometry.Rows * geometry.Columns * geometry.Inner >= Large;
            var together = isLarge ? 1 : geometry.OffsetsA.Length;
            // The rows are cut first: each cut of the columns copies the rows once more.
            var mostPanels = MostColumns / Tile.Columns;
            var (tiles, panels) = (MostTiles, mostPanels);
            while (tiles > FewestTiles && ItemsOf(tiles, panels) * together < FewItems) tiles /= 2;
            while (panels > FewestPanels && ItemsOf(tiles, panels) * together < FewItems) panels /= 2;
            (ItemTiles, ItemPanels) = (new Clamped(tiles, FewestTiles, MostTiles),
                new Clamped(panels, FewestPanels, mostPanels));
            (RowItems, ColumnItems) = (Blocks.Equal(Tiles.Count, tiles), Blocks.Equal(Panels.Count, panels));
            CopiesFirst = isLarge && RowItems.Count > 1;
        }

        public int Depth => Math.Max(1, Math.Min(Depths.Size, Depths.Length));

        public int PanelLength => Depth * Tile.Columns;

        private long ItemsOf(int tiles, int panels) =>
            (long)((Tiles.Count - 1) / tiles + 1) * ((Panels.Count - 1) / panels + 1);
    }

    public MatrixMultiplication(MatrixProductGeometry geometry)
    {
        this.geometry = geometry;
        pieces = new Pieces(geometry);
        var (rows, columns) = (Math.Min(geometry.Rows, pieces.RowItems.Size * pieces.Tile.Rows),
            Math.Min(geometry.Columns, pieces.ColumnItems.Size * pieces.Tile.Columns));
        var items = pieces.RowItems.Count * pieces.ColumnItems.Count;
        if (pieces.CopiesFirst)
        {
            copies = new Ranges(pieces.Panels.Count, pieces.PanelLength);
            ranges = new Ranges(items, (long)rows * columns * pieces.Depth / TLanes.Count);
        }
        else
            ranges = new Ranges(geometry.OffsetsA.Length * items,
                (long)rows * columns * Math.Max(1, geometry.Inner) / TLanes.Count);
    }

    public void Run(BufferPool pool, float* a, float* b, float* y)
    {
        fixed (Pieces* at = &pieces)   // where they are: they are large
        {
            var factors = new Factors(geometry, at, a, b, y);
            if (!pieces.CopiesFirst)
            {
                ranges.Run(new Multiplying(factors));
                return;
            }
            var copied = (HostBuffer<float>)pool.Rent(checked(pieces.Panels.Count * pieces.PanelLength));
            for (var product = 0; product < geometry.OffsetsA.Length; product++)
                for (var depth = 0; depth < pieces.Depths.Count; depth++)
                {
                    copies.Run(new Copying(factors, product, depth, copied.Pointer));
                    ranges.Run(new MultiplyingCopied(factors, product, depth, copied.Pointer));
                }
            pool.Return(copied);
        }
    }

    // Panels of one product's b.
    private readonly struct Copying(Factors factors, int product, int depth, float* copied) : IRangeBody
    {
        public void Run(int from, int to)
        {
            for (var panel = from; panel < to; panel++)
                factors.CopyPanel(product, depth, panel, copied + (long)panel * factors.Pieces->PanelLength);
        }
    }

    // Items of that product.
    private readonly struct MultiplyingCopied(Factors factors, int product, int depth, float* copied) : IRangeBody
    {
        public void Run(int from, int to)
        {
            for (var item = from; item < to; item++) factors.Multiply(product, item, depth, copied);
        }
    }

    // Items of all products, which copy their panels themselves.
    private readonly struct Multiplying(Factors factors) : IRangeBody
    {
        public void Run(int from, int to)
        {
            var pieces = factors.Pieces;
            var depths = Math.Max(1, pieces->Depths.Count);   // the sum of nothing is 0
            for (var item = from; item < to; item++)
            {
                var (product, ofProduct) = Math.DivRem(item, pieces->RowItems.Count * pieces->ColumnItems.Count);
                for (var depth = 0; depth < depths; depth++) factors.Multiply(product, ofProduct, depth, copied: null);
            }
        }
    }

    private readonly struct Factors(MatrixProductGeometry geometry, Pieces* pieces, float* a, float* b, float* y)
    {
        public Pieces* Pieces => pieces;

        // Some rows and panels of one product, in a block of the inner axis. Rows beyond the last, in the last tile,
        // repeat it.
        public void Multiply(int product, int item, int depth, float* copied)
        {
            var (rowItem, columnItem) = Math.DivRem(item, pieces->ColumnItems.Count);
            var (panels, panelLength) = (pieces->Panels, pieces->PanelLength);
            var (tileRows, tiles) = (pieces->Tile.Rows, pieces->RowItems.SizeOf(rowItem));
            var row = pieces->Tiles.From(pieces->RowItems.From(rowItem));
            var rows = Math.Min(tiles * tileRows, geometry.Rows - row);
            var starts = Scratch<int>.Rent(2L * tiles * tileRows);
            var targets = starts + tiles * tileRows;
            for (var i = 0; i < tiles * tileRows; i++)
            {
                var at = Math.Min(i, rows - 1);
                starts[i] = geometry.TransposeA ? at / tileRows * tileRows * RowLength + at % tileRows : at * RowLength;
                targets[i] = (row + at) * geometry.Columns;
            }
            var (start, here) = (0, copied == null ? panelLength : 0);
            var scratch = Scratch<float>.Rent(here + (long)tiles * tileRows * RowLength);
            var left = new ProductRows
            {
                Source = scratch + here,
                Starts = starts,
                Tiles = tiles,
                RunStarts = &start,
                Runs = 1,
                RunLength = pieces->Depths.SizeOf(depth),
                Step = geometry.TransposeA ? tileRows : 1,
            };
            CopyRows(product, depth, row, rows, left);
            var result = y + (long)product * geometry.Rows * geometry.Columns;
            var first = pieces->ColumnItems.From(columnItem);
            for (var panel = first; panel < first + pieces->ColumnItems.SizeOf(columnItem); panel++)
            {
                var right = copied == null ? scratch : copied + (long)panel * panelLength;
                if (copied == null) CopyPanel(product, depth, panel, right);
                ProductTiles<TLanes>.Multiply(pieces->Tile, in left, right, null, result + panels.From(panel), targets,
                    panels.SizeOf(panel), resumes: depth > 0);
            }
        }

        private void CopyRows(int product, int depth, int row, int rows, ProductRows left)
        {
            var from = a + geometry.OffsetsA[product];
            var k = pieces->Depths.From(depth);
            if (geometry.TransposeA)
                PackColumns(from + (long)k * geometry.Rows + row, geometry.Rows, pieces->Tile.Rows, left);
            else
                for (var i = 0; i < rows; i++)
                    CopyRow(from + (long)(row + i) * geometry.Inner + k, 1, left.Source + (long)i * RowLength, 1,
                        left.RunLength);
        }

        // A block of the inner axis of a panel of b.
        public void CopyPanel(int product, int depth, int panel, float* target)
        {
            var from = b + geometry.OffsetsB[product];
            var (column, width) = (pieces->Panels.From(panel), pieces->Panels.SizeOf(panel));
            var (k, length) = (pieces->Depths.From(depth), pieces->Depths.SizeOf(depth));
            var (inner, columns, panelColumns) = (geometry.Inner, geometry.Columns, pieces->Tile.Columns);
            if (geometry.TransposeB)
                PackRows(from + (long)column * inner + k, inner, width, length, target, panelColumns);
            else PackPanel(from + (long)k * columns + column, columns, width, length, target, panelColumns);
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
