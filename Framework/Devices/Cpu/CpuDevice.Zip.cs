using System.Runtime.CompilerServices;
using Tapegrad.Devices.Cpu;
using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad.Devices;

// y[i] = zip(a[i], b[i]) with broadcasting. Neighbouring axes that both operands walk through (or both repeat) in one stride are one axis, so
// equal shapes become one row; [C] against [N, H, W, C] becomes rows of C; [N, 1, 1, C] becomes blocks of H * W such rows.
// Lanes: eight elements along a row. Remainder: a row's last vector is computed whole, and the lanes beyond the row are dropped.
public sealed unsafe partial class CpuDevice
{
    /// <inheritdoc/>
    public override void Zip<TZip>(TZip zip, Buffer a, Shape shapeA, Buffer b, Shape shapeB, Buffer y, Shape shape)
    {
        if (shape.Count == 0) return;
        Span<int> stridesA = stackalloc int[shape.Rank], stridesB = stackalloc int[shape.Rank];
        shapeA.BroadcastStrides(shape, stridesA);
        shapeB.BroadcastStrides(shape, stridesB);
        var walks = new MergedWalk(shape, stridesA, stridesB);
        if (walks.Rows == 1) InRanges(VectorsIn(shape.Count), Lanes, new ZippingVectors<TZip>(zip, walks, Pointer(a), Pointer(b), Pointer(y)));
        else InRanges(walks.Rows, walks.Length, new ZippingRows<TZip>(zip, walks, Pointer(a), Pointer(b), Pointer(y)));
        GC.KeepAlive(a);
        GC.KeepAlive(b);
        GC.KeepAlive(y);
    }

    // A part of the only row, in vectors.
    private readonly struct ZippingVectors<TZip>(TZip zip, MergedWalk walks, float* a, float* b, float* y) : IRangeBody where TZip : struct, IZip
    {
        public void Run(int from, int to)
        {
            var (start, length) = (from * Lanes, Math.Min(to * Lanes, walks.Length) - from * Lanes);
            var (strideA, strideB) = walks.Inner;
            ZipRow(zip, a + start * strideA, strideA, b + start * strideB, strideB, y + start, length);
        }
    }

    private readonly struct ZippingRows<TZip>(TZip zip, MergedWalk walks, float* a, float* b, float* y) : IRangeBody where TZip : struct, IZip
    {
        public void Run(int from, int to)
        {
            var (strideA, strideB) = walks.Inner;
            for (var row = from; row < to; row++)
            {
                var (placeA, placeB) = walks.Row(row);
                ZipRow(zip, a + placeA, strideA, b + placeB, strideB, y + (long)row * walks.Length, walks.Length);
            }
        }
    }

    // for (i = 0; i < length; i++) y[i] = zip(a[i * strideA], b[i * strideB]); each stride is 0 or 1.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void ZipRow<TZip>(TZip zip, float* a, int strideA, float* b, int strideB, float* y, int length) where TZip : struct, IZip
    {
        var (repeatedA, repeatedB) = (Real32x8.Of(*a), Real32x8.Of(*b));
        for (var i = 0; i < length; i += Lanes)
        {
            var result = zip.Apply(strideA == 0 ? repeatedA : Load(a + i), strideB == 0 ? repeatedB : Load(b + i));
            if (length - i >= Lanes) Store(result, y + i);
            else Store(result, y + i, length - i);
        }
    }
}
