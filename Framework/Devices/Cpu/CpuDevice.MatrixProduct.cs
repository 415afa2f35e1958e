using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad.Devices;

// y = a b. Every element of y is one chain of fused multiply-adds over the inner axis, in its order, from 0; where the work is cut changes no bit.
// Lanes: 16 columns, in two vectors; 6 rows at a time, so that 12 chains keep the unit busy. Remainder: what is computed
// for columns beyond the last is dropped; rows beyond the last repeat it and are dropped.
public sealed unsafe partial class CpuDevice
{
    private const int TileRows = 6;
    private const int PanelColumns = 2 * Lanes;
    private const int InnerBlock = 256;                 // 256 x 16 floats of b: half of a first-level cache
    private const int ItemColumns = 8 * PanelColumns;   // the most columns of one item of work
    private const int ItemTiles = 32;                   // and the most rows, in tiles

    /// <inheritdoc/>
    public override void MatrixProduct(MatrixProductGeometry geometry, Buffer a, Buffer b, Buffer y)
    {
        if (y.Length == 0) return;
        var left = Pointer(a);
        var right = Pointer(b);
        var output = Pointer(y);
        var (rows, columns) = (geometry.Rows, geometry.Columns);
        var columnItems = (columns - 1) / ItemColumns + 1;
        // Copying a panel of b pays when many rows use it; but a few items at least are wanted, for the threads.
        var itemRows = ItemTiles * TileRows;
        while (itemRows > 4 * TileRows && geometry.OffsetsA.Length * ((rows - 1) / itemRows + 1) * columnItems < 8) itemRows /= 2;
        var rowItems = (rows - 1) / itemRows + 1;
        var each = (long)Math.Min(rows, itemRows) * Math.Min(columns, ItemColumns) * Math.Max(1, geometry.Inner) / Lanes;
        InRanges(geometry.OffsetsA.Length * rowItems * columnItems, each, (from, to) =>
        {
            for (var item = from; item < to; item++)
            {
                var (rest, columnItem) = Math.DivRem(item, columnItems);
                var (batch, rowItem) = Math.DivRem(rest, rowItems);
                var (row, column) = (rowItem * itemRows, columnItem * ItemColumns);
                MultiplyItem(geometry, left + geometry.OffsetsA[batch], right + geometry.OffsetsB[batch], output + (long)batch * rows * columns,
                    row, Math.Min(row + itemRows, rows), column, Math.Min(column + ItemColumns, columns));
            }
        });
        GC.KeepAlive(a);
        GC.KeepAlive(b);
        GC.KeepAlive(y);
    }

    // Some rows and columns of one product: panel by panel of b, copied so that it is read in one run.
    private static void MultiplyItem(MatrixProductGeometry geometry, float* a, float* b, float* y, int row, int rowEnd, int column, int columnEnd)
    {
        var (inner, columns) = (geometry.Inner, geometry.Columns);
        var (rowStride, innerStride) = geometry.TransposeA ? (1, geometry.Rows) : (inner, 1);
        var panel = stackalloc float[InnerBlock * PanelColumns];
        for (var k = 0; k == 0 || k < inner; k += InnerBlock)
        {
            var depth = Math.Min(InnerBlock, inner - k);
            for (var c = column; c < columnEnd; c += PanelColumns)
            {
                var width = Math.Min(PanelColumns, columnEnd - c);
                if (geometry.TransposeB) Pack(b + (long)c * inner + k, 1, inner, depth, width, panel);
                else Pack(b + (long)k * columns + c, columns, 1, depth, width, panel);
                for (var r = row; r < rowEnd; r += TileRows)
                    MultiplyTile(a + (long)r * rowStride + (long)k * innerStride, rowStride, innerStride, panel, depth, k > 0,
                        y + (long)r * columns + c, columns, Math.Min(TileRows, rowEnd - r), width);
            }
        }
    }

    // panel[k, j] = b[k, j] for the panel's columns; beyond the last, whatever was there.
    private static void Pack(float* b, int innerStride, int columnStride, int depth, int width, float* panel)
    {
        if (columnStride == 1)
        {
            for (var k = 0; k < depth; k++) CopyRow(b + (long)k * innerStride, 1, panel + k * PanelColumns, 1, width);
            return;
        }
        for (var j = 0; j < width; j++) CopyRow(b + (long)j * columnStride, innerStride, panel + j, PanelColumns, depth);
    }

    // y[i, j] = (resume ? y[i, j] : 0) + sum over k of a[i, k] * panel[k, j], for up to 6 rows and 16 columns.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MultiplyTile(float* a, int rowStride, int innerStride, float* panel, int depth, bool resume,
        float* y, int yStride, int rows, int columns)
    {
        var whole = rows == TileRows && columns == PanelColumns;
        var spare = stackalloc float[TileRows * PanelColumns];
        var target = whole ? y : spare;
        var stride = whole ? yStride : PanelColumns;
        if (resume && !whole) CopyTile(y, yStride, spare, PanelColumns, rows, columns);
        var a0 = a;
        var a1 = a + Math.Min(1, rows - 1) * (long)rowStride;
        var a2 = a + Math.Min(2, rows - 1) * (long)rowStride;
        var a3 = a + Math.Min(3, rows - 1) * (long)rowStride;
        var a4 = a + Math.Min(4, rows - 1) * (long)rowStride;
        var a5 = a + Math.Min(5, rows - 1) * (long)rowStride;
        Vector256<float> y00 = default, y01 = default, y10 = default, y11 = default, y20 = default, y21 = default;
        Vector256<float> y30 = default, y31 = default, y40 = default, y41 = default, y50 = default, y51 = default;
        if (resume)
        {
            (y00, y01) = (Vector256.Load(target), Vector256.Load(target + Lanes));
            (y10, y11) = (Vector256.Load(target + stride), Vector256.Load(target + stride + Lanes));
            (y20, y21) = (Vector256.Load(target + 2 * stride), Vector256.Load(target + 2 * stride + Lanes));
            (y30, y31) = (Vector256.Load(target + 3 * stride), Vector256.Load(target + 3 * stride + Lanes));
            (y40, y41) = (Vector256.Load(target + 4 * stride), Vector256.Load(target + 4 * stride + Lanes));
            (y50, y51) = (Vector256.Load(target + 5 * stride), Vector256.Load(target + 5 * stride + Lanes));
        }
        for (long k = 0, at = 0; k < depth; k++, at += innerStride, panel += PanelColumns)
        {
            var (b0, b1) = (Vector256.Load(panel), Vector256.Load(panel + Lanes));
            var x = Vector256.Create(a0[at]);
            y00 = Vector256.FusedMultiplyAdd(x, b0, y00);
            y01 = Vector256.FusedMultiplyAdd(x, b1, y01);
            x = Vector256.Create(a1[at]);
            y10 = Vector256.FusedMultiplyAdd(x, b0, y10);
            y11 = Vector256.FusedMultiplyAdd(x, b1, y11);
            x = Vector256.Create(a2[at]);
            y20 = Vector256.FusedMultiplyAdd(x, b0, y20);
            y21 = Vector256.FusedMultiplyAdd(x, b1, y21);
            x = Vector256.Create(a3[at]);
            y30 = Vector256.FusedMultiplyAdd(x, b0, y30);
            y31 = Vector256.FusedMultiplyAdd(x, b1, y31);
            x = Vector256.Create(a4[at]);
            y40 = Vector256.FusedMultiplyAdd(x, b0, y40);
            y41 = Vector256.FusedMultiplyAdd(x, b1, y41);
            x = Vector256.Create(a5[at]);
            y50 = Vector256.FusedMultiplyAdd(x, b0, y50);
            y51 = Vector256.FusedMultiplyAdd(x, b1, y51);
        }
        StoreRow(y00, y01, target);
        StoreRow(y10, y11, target + stride);
        StoreRow(y20, y21, target + 2 * stride);
        StoreRow(y30, y31, target + 3 * stride);
        StoreRow(y40, y41, target + 4 * stride);
        StoreRow(y50, y51, target + 5 * stride);
        if (!whole) CopyTile(spare, PanelColumns, y, yStride, rows, columns);
    }

    private static void StoreRow(Vector256<float> low, Vector256<float> high, float* target)
    {
        low.Store(target);
        high.Store(target + Lanes);
    }

    private static void CopyTile(float* source, int strideFrom, float* target, int strideTo, int rows, int columns)
    {
        for (var row = 0; row < rows; row++)
            for (var column = 0; column < columns; column++) target[row * strideTo + column] = source[row * strideFrom + column];
    }
}
