using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad.Devices;

// y = a b. Every element of y is one chain of fused multiply-adds over the inner axis, in its order, from 0; where the work is cut changes no bit.
// The tiles are those of convolutions (ProductTiles): six rows of a, and a panel of sixteen columns of b, packed in the order of the walk.
public sealed unsafe partial class CpuDevice
{
    private const int TileRows = ProductTiles.Rows;
    private const int PanelColumns = ProductTiles.Columns;
    private const int ItemPanels = 8;   // the most columns of one item of work, in panels
    private const int ItemTiles = 32;   // and the most rows, in tiles: their a stays in the second cache for all panels

    /// <inheritdoc/>
    public override void MatrixProduct(MatrixProductGeometry geometry, Buffer a, Buffer b, Buffer y)
    {
        if (y.Length == 0) return;
        float* left = Pointer(a), right = Pointer(b), output = Pointer(y);
        var (rows, columns) = (geometry.Rows, geometry.Columns);
        var panels = (columns - 1) / PanelColumns + 1;
        var columnItems = (panels - 1) / ItemPanels + 1;
        // Packing a panel of b pays when many rows use it; but a few items at least are wanted, for the threads.
        var itemTiles = ItemTiles;
        while (itemTiles > 4 && geometry.OffsetsA.Length * ((rows - 1) / (itemTiles * TileRows) + 1) * columnItems < 8) itemTiles /= 2;
        var itemRows = itemTiles * TileRows;
        var rowItems = (rows - 1) / itemRows + 1;
        var each = (long)Math.Min(rows, itemRows) * Math.Min(columns, ItemPanels * PanelColumns) * Math.Max(1, geometry.Inner) / Lanes;
        InRanges(geometry.OffsetsA.Length * rowItems * columnItems, each, (from, to) =>
        {
            for (var item = from; item < to; item++)
            {
                var (rest, columnItem) = Math.DivRem(item, columnItems);
                var (batch, rowItem) = Math.DivRem(rest, rowItems);
                var (row, panel) = (rowItem * itemRows, columnItem * ItemPanels);
                MultiplyItem(geometry, left + geometry.OffsetsA[batch], right + geometry.OffsetsB[batch], output + (long)batch * rows * columns,
                    row, Math.Min(itemRows, rows - row), panel, Math.Min(panel + ItemPanels, panels));
            }
        });
        GC.KeepAlive(a);
        GC.KeepAlive(b);
        GC.KeepAlive(y);
    }

    // Some rows and panels of one product. Rows beyond the last, in the last tile, repeat it.
    private static void MultiplyItem(MatrixProductGeometry geometry, float* a, float* b, float* y, int row, int rows, int panel, int endPanel)
    {
        var (inner, columns) = (geometry.Inner, geometry.Columns);
        var (rowStride, innerStride) = geometry.TransposeA ? (1, geometry.Rows) : (inner, 1);
        var tiles = (rows - 1) / TileRows + 1;
        var starts = Scratch<int>.Rent(2L * tiles * TileRows);
        var targets = starts + tiles * TileRows;
        for (var i = 0; i < tiles * TileRows; i++)
        {
            var at = row + Math.Min(i, rows - 1);
            (starts[i], targets[i]) = (at * rowStride, at * columns);
        }
        var start = 0;
        var left = new ProductRows { Source = a, Starts = starts, Tiles = tiles, RunStarts = &start, Runs = 1, RunLength = inner, Step = innerStride };
        var packed = Scratch<float>.Rent((long)inner * PanelColumns);
        for (; panel < endPanel; panel++)
        {
            var column = panel * PanelColumns;
            var width = Math.Min(PanelColumns, columns - column);
            Pack(geometry.TransposeB ? b + (long)column * inner : b + column, geometry, width, packed);
            ProductTiles.Multiply(left, packed, null, y + column, targets, width);
        }
    }

    // packed[k, j] = b[k, column + j] for the panel's columns; beyond the last, whatever was there.
    private static void Pack(float* b, MatrixProductGeometry geometry, int width, float* packed)
    {
        var (inner, columns) = (geometry.Inner, geometry.Columns);
        if (geometry.TransposeB)
            for (var j = 0; j < width; j++) CopyRow(b + (long)j * inner, 1, packed + j, PanelColumns, inner);
        else
            for (var k = 0; k < inner; k++) CopyRow(b + (long)k * columns, 1, packed + k * PanelColumns, 1, width);
    }
}
