using System.Runtime.CompilerServices;

namespace Tapegrad.Devices.Cpu;

/// <summary>
/// y[i] = zip(a[i], b[i]) with broadcasting. Neighbouring axes that both operands walk through (or both repeat) in one
/// stride are one axis, so equal shapes become one row; [C] against [N, H, W, C] becomes rows of C; [N, 1, 1, C]
/// becomes blocks of H * W such rows.
/// </summary>
/// <remarks>Lanes: elements along a row. Remainder: a row's last vector is computed whole, and the lanes beyond
/// the row are dropped.</remarks>
internal readonly unsafe struct BroadcastZip<TLanes> where TLanes : struct, ILanes<TLanes>
{
    private readonly MergedWalk walks;
    private readonly bool repeatsA, repeatsB;   // along a row
    private readonly VectorRanges only;   // row
    private readonly Ranges rows;         // where there are several
    private readonly Blocks row;          // one of several, in vectors

    public BroadcastZip(Shape shapeA, Shape shapeB, Shape shape)
    {
        Span<int> stridesA = stackalloc int[shape.Rank], stridesB = stackalloc int[shape.Rank];
        shapeA.BroadcastStrides(shape, stridesA);
        shapeB.BroadcastStrides(shape, stridesB);
        walks = new MergedWalk(shape, stridesA, stridesB);
        (repeatsA, repeatsB) = (walks.Inner.A == 0, walks.Inner.B == 0);
        if (walks.Rows == 1) only = new VectorRanges(walks.Length, TLanes.Count);
        else (rows, row) = (new Ranges(walks.Rows, walks.Length), new Blocks(walks.Length, TLanes.Count));
    }

    public void Run<TZip>(TZip zip, float* a, float* b, float* y) where TZip : struct, IZip
    {
        fixed (BroadcastZip<TLanes>* plan = &this)   // where it is: it is large
        {
            if (walks.Rows == 1) only.Run(new Elements<TZip>(plan, zip, a, b, y));
            else rows.Run(new Rows<TZip>(plan, zip, a, b, y));
        }
    }

    // A part of the only row, in vectors.
    private readonly struct Elements<TZip>(BroadcastZip<TLanes>* plan, TZip zip, float* a, float* b, float* y)
        : IRangeBody where TZip : struct, IZip
    {
        public void Run(int from, int to)
        {
            var start = from * TLanes.Count;
            var length = Math.Min(to * TLanes.Count, plan->walks.Length) - start;
            var (repeatsA, repeatsB) = (plan->repeatsA, plan->repeatsB);
            ZipRow(zip, a + (repeatsA ? 0 : start), repeatsA, b + (repeatsB ? 0 : start), repeatsB, y + start, length);
        }
    }

    private readonly struct Rows<TZip>(BroadcastZip<TLanes>* plan, TZip zip, float* a, float* b, float* y) : IRangeBody
        where TZip : struct, IZip
    {
        public void Run(int from, int to)
        {
            var (repeatsA, repeatsB, length) = (plan->repeatsA, plan->repeatsB, plan->row.Length);
            var at = new MergedWalk.Places(&plan->walks, from);
            for (var row = from; row < to; row++, at.MoveNext())
                ZipRow(zip, a + at.A, repeatsA, b + at.B, repeatsB, y + (long)row * length, length);
        }
    }

    // for (i = 0; i < length; i++) y[i] = zip(repeatsA ? a[0] : a[i], repeatsB ? b[0] : b[i]);
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void ZipRow<TZip>(TZip zip, float* a, bool repeatsA, float* b, bool repeatsB, float* y, int length)
        where TZip : struct, IZip
    {
        var (firstA, firstB) = (TLanes.Of(*a), TLanes.Of(*b));
        for (var i = 0; i < length; i += TLanes.Count)
        {
            var result = zip.Apply(repeatsA ? firstA : TLanes.Load(a + i), repeatsB ? firstB : TLanes.Load(b + i));
            Lanes.Store(result, y + i, length - i);
        }
    }
}
