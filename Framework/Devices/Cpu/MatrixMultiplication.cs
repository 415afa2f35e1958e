using System.Runtime.Intrinsics;
using static Tapegrad.Devices.Cpu.StridedCopy;
using static Tapegrad.Devices.Cpu.Vectors;

namespace Tapegrad.Devices.Cpu;

/// <summary>
/// y = a b. Every element of y is one chain of fused multiply-adds over the inner axis, in its order, from 0; where the
/// work is cut changes no bit. The tiles are those of convolutions (<see cref="ProductTiles"/>): six rows of a and a
/// panel of sixteen columns of b, both copied to where they are read in one run, a block of the inner axis at a time;
/// as they lie, rows a power of two apart would share the cache's sets.
/// </summary>
internal readonly unsafe struct MatrixMultiplication
{
    private const int TileRows = ProductTiles.Rows;
    private const int PanelColumns = ProductTiles.Columns;
    private const int ItemPanels = 16;   // the most columns of one item of work, in panels
    private const int ItemTiles = 32;    // and the most rows, in tiles: their a stays in the second cache for all panels
    private const int FewTiles = 4;
    private const int FewItems = 8;
    private const int InnerBlock = 512;  // and of the inner axis: a panel of b stays in a near cache for all tiles
    private const int RowLength = InnerBlock + 16;   // elements from one copied row to the next: not a power of two, whose rows share a set

    private readonly MatrixProductGeometry geometry;
    private readonly int panels, columnItems, itemRows, rowItems;
    private readonly Ranges ranges;   // of items

    public MatrixMultiplication(MatrixProductGeometry geometry)
    {
        this.geometry = geometry;
        var (rows, columns, batch) = (geometry.Rows, geometry.Columns, geometry.OffsetsA.Length);
        panels = (columns - 1) / PanelColumns + 1;
        columnItems = (panels - 1) / ItemPanels + 1;
        // Packing a panel of b pays when many rows use it; but a few items at least are wanted, for the threads.
        var itemTiles = ItemTiles;
        while (itemTiles > FewTiles && batch * ((rows - 1) / (itemTiles * TileRows) + 1) * columnItems < FewItems) itemTiles /= 2;
        var tiles = (rows - 1) / TileRows + 1;
        itemRows = ((tiles - 1) / ((tiles - 1) / itemTiles + 1) + 1) * TileRows;   // as many items, but of equal size
        rowItems = (rows - 1) / itemRows + 1;
        ranges = new Ranges(batch * rowItems * columnItems,
            (long)Math.Min(rows, itemRows) * Math.Min(columns, ItemPanels * PanelColumns) * Math.Max(1, geometry.Inner) / Lanes);
    }

    public void Run(float* a, float* b, float* y) => ranges.Run(new Items(this, a, b, y));

    private readonly struct Items(MatrixMultiplication product, float* a, float* b, float* y) : IRangeBody
    {
        public void Run(int from, int to)
        {
            for (var item = from; item < to; item++) product.MultiplyItem(item, a, b, y);
        }
    }

    private void MultiplyItem(int item, float* a, float* b, float* y)
    {
        var (rows, columns) = (geometry.Rows, geometry.Columns);
        var (rest, columnItem) = Math.DivRem(item, columnItems);
        var (batch, rowItem) = Math.DivRem(rest, rowItems);
        var (row, panel) = (rowItem * itemRows, columnItem * ItemPanels);
        MultiplyItem(a + geometry.OffsetsA[batch], b + geometry.OffsetsB[batch], y + (long)batch * rows * columns,
            row, Math.Min(itemRows, rows - row), panel, Math.Min(panel + ItemPanels, panels));
    }

    // Some rows and panels of one product. Rows beyond the last, in the last tile, repeat it.
    private void MultiplyItem(float* a, float* b, float* y, int row, int rows, int panel, int endPanel)
    {
        var (inner, columns, isTransposed) = (geometry.Inner, geometry.Columns, geometry.TransposeA);
        var tiles = (rows - 1) / TileRows + 1;
        var starts = Scratch<int>.Rent(2L * tiles * TileRows);
        var targets = starts + tiles * TileRows;
        for (var i = 0; i < tiles * TileRows; i++)
        {
            var at = Math.Min(i, rows - 1);
            starts[i] = isTransposed ? at / TileRows * TileRows * RowLength + at % TileRows : at * RowLength;
            targets[i] = (row + at) * columns;
        }
        var packed = Scratch<float>.Rent(InnerBlock * PanelColumns + (long)tiles * TileRows * RowLength);
        var start = 0;
        var left = new ProductRows
        {
            Source = packed + InnerBlock * PanelColumns,
            Starts = starts,
            Tiles = tiles,
            RunStarts = &start,
            Runs = 1,
            Step = isTransposed ? TileRows : 1,
        };
        for (var k = 0; k == 0 || k < inner; k += InnerBlock)
        {
            left.RunLength = Math.Min(InnerBlock, inner - k);
            if (isTransposed) PackColumns(a + (long)k * geometry.Rows + row, geometry.Rows, left);
            else
                for (var i = 0; i < rows; i++)
                    CopyRow(a + (long)(row + i) * inner + k, 1, left.Source + (long)i * RowLength, 1, left.RunLength);
            for (var column = panel * PanelColumns; column < Math.Min(columns, endPanel * PanelColumns); column += PanelColumns)
            {
                var width = Math.Min(PanelColumns, columns - column);
                if (geometry.TransposeB) PackRows(b + (long)column * inner + k, inner, width, left.RunLength, packed);
                else PackPanel(b + (long)k * columns + column, columns, width, left.RunLength, packed);
                ProductTiles.Multiply(left, packed, null, y + column, targets, width, resumes: k > 0);
            }
        }
    }

    // packed[tile, k, i] = a[k, 6 tile + i]: whole vectors, whose last two lanes the next one overwrites.
    private static void PackColumns(float* a, int stride, ProductRows left)
    {
        for (var tile = 0; tile < left.Tiles; tile++, a += TileRows, left.Source += TileRows * RowLength)
            for (var k = 0; k < left.RunLength; k++) Vector256.Load(a + (long)k * stride).Store(left.Source + k * TileRows);
    }

    // packed[k, j] = b[k, j] for the columns of a panel; beyond the last, whatever was there.
    private static void PackPanel(float* b, int stride, int width, int depth, float* packed)
    {
        for (var k = 0; k < depth; k++, b += stride, packed += PanelColumns)
            if (width < PanelColumns) CopyRow(b, 1, packed, 1, width);
            else
            {
                Vector256.Load(b).Store(packed);
                Vector256.Load(b + Lanes).Store(packed + Lanes);
            }
    }

    // packed[k, j] = b[j, k], for b with its axes swapped.
    private static void PackRows(float* b, int stride, int width, int depth, float* packed)
    {
        for (var j = 0; j < width; j++) CopyRow(b + (long)j * stride, 1, packed + j, PanelColumns, depth);
    }
}
