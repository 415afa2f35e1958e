using System.Runtime.CompilerServices;
using static Tapegrad.Devices.Cpu.Vectors;

namespace Tapegrad.Devices.Cpu;

/// <summary>
/// y[i] = zip(a[i], b[i]) with broadcasting. Neighbouring axes that both operands walk through (or both repeat) in one
/// stride are one axis, so equal shapes become one row; [C] against [N, H, W, C] becomes rows of C; [N, 1, 1, C]
/// becomes blocks of H * W such rows.
/// </summary>
/// <remarks>Lanes: eight elements along a row. Remainder: a row's last vector is computed whole, and the lanes beyond
/// the row are dropped.</remarks>
internal readonly unsafe struct BroadcastZip
{
    private readonly MergedWalk walks;
    private readonly VectorRanges vectors;   // of the only row
    private readonly Ranges rows;            // where there are several

    public BroadcastZip(Shape shapeA, Shape shapeB, Shape shape)
    {
        Span<int> stridesA = stackalloc int[shape.Rank], stridesB = stackalloc int[shape.Rank];
        shapeA.BroadcastStrides(shape, stridesA);
        shapeB.BroadcastStrides(shape, stridesB);
        walks = new MergedWalk(shape, stridesA, stridesB);
        if (walks.Rows == 1) vectors = new VectorRanges(walks.Length);
        else rows = new Ranges(walks.Rows, walks.Length);
    }

    public void Run<TZip>(TZip zip, float* a, float* b, float* y) where TZip : struct, IZip
    {
        if (walks.Rows == 1) vectors.Run(new Elements<TZip>(zip, walks, a, b, y));
        else rows.Run(new Rows<TZip>(zip, walks, a, b, y));
    }

    // A part of the only row, in vectors.
    private readonly struct Elements<TZip>(TZip zip, MergedWalk walks, float* a, float* b, float* y) : IRangeBody where TZip : struct, IZip
    {
        public void Run(int from, int to)
        {
            var (start, length) = (from * Lanes, Math.Min(to * Lanes, walks.Length) - from * Lanes);
            var (strideA, strideB) = walks.Inner;
            ZipRow(zip, a + start * strideA, strideA, b + start * strideB, strideB, y + start, length);
        }
    }

    private readonly struct Rows<TZip>(TZip zip, MergedWalk walks, float* a, float* b, float* y) : IRangeBody where TZip : struct, IZip
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
