using System.Numerics.Tensors;
using Tapegrad.Devices.Cpu;
using Tapegrad.Memory;
using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad.Devices;

/// <summary>
/// The float device: loops over vectors of eight floats (<see cref="Real32x8"/>) on several threads (<see cref="Workers"/>). One file for each group
/// of verbs; each says which plain loop of the <see cref="ReferenceDevice"/> it equals, what its lanes are, and what becomes of a remainder.
/// </summary>
/// <remarks>
/// Where a run of elements ends between two whole vectors, the last vector is computed like any other, from what happens to lie behind the run
/// (buffers are padded), and only the lanes that belong to the run are kept. So an element's bits do not depend on where it stands. Inner loops ask
/// for AggressiveOptimization, which skips the runtime's slow first compilation: a short program would spend most of its time there.
/// </remarks>
public sealed unsafe partial class CpuDevice : Device
{
    private const int Lanes = Real32x8.Lanes;

    // Below this many elements a verb runs on the calling thread: waking another one would cost more than it brings.
    private const int ParallelThreshold = 32768;

    internal CpuDevice() : base("CPU") { }

    /// <inheritdoc/>
    public override Type Element => typeof(float);

    /// <inheritdoc/>
    protected override Buffer Create(int length) => new HostBuffer<float>(length);

    // A caller holds on to the buffer (GC.KeepAlive) for as long as it uses the pointer.
    private static float* Pointer(Buffer buffer) => ((HostBuffer<float>)buffer).Pointer;

    private static Span<float> Numbers(Buffer buffer) => ((HostBuffer<float>)buffer).Span;

    /// <summary>
    /// Calls the body for consecutive ranges (from, to) that together are 0 .. count - 1. They are cut by size alone: about
    /// <see cref="ParallelThreshold"/> / 2 elements each, and one range for what is smaller than the threshold.
    /// </summary>
    internal static void InRanges(int count, long elementsEach, Action<int, int> body) => InRanges(count, elementsEach, new Calling(body));

    // The same with a struct for a body: see Workers.Run.
    private static void InRanges<TBody>(int count, long elementsEach, TBody body) where TBody : struct, IRangeBody
    {
        if (count == 0) return;
        if (count * elementsEach < ParallelThreshold) body.Run(0, count);
        else InParallel(count, (int)Math.Clamp(ParallelThreshold / 2 / Math.Max(1, elementsEach), 1, count), body);
    }

    private static void InParallel<TBody>(int count, int each, TBody body) where TBody : struct, IRangeBody =>
        Workers.Run((count - 1) / each + 1, new Range<TBody>(body, each, count));

    private readonly struct Range<TBody>(TBody body, int each, int count) : IItemBody where TBody : struct, IRangeBody
    {
        public void Run(int item) => body.Run(item * each, (int)Math.Min((item + 1L) * each, count));
    }

    private interface IRangeBody
    {
        void Run(int from, int to);
    }

    private readonly struct Calling(Action<int, int> body) : IRangeBody
    {
        public void Run(int from, int to) => body(from, to);
    }

    /// <inheritdoc/>
    public override void Write(ReadOnlySpan<double> source, Buffer target)
    {
        TensorPrimitives.ConvertTruncating(source, Numbers(target));
        GC.KeepAlive(target);
    }

    /// <inheritdoc/>
    public override void Write(ReadOnlySpan<float> source, Buffer target)
    {
        source.CopyTo(Numbers(target));
        GC.KeepAlive(target);
    }

    /// <inheritdoc/>
    public override void Read(Buffer source, Span<double> target)
    {
        TensorPrimitives.ConvertTruncating<float, double>(Numbers(source), target);
        GC.KeepAlive(source);
    }

    /// <inheritdoc/>
    public override void Read(Buffer source, Span<float> target)
    {
        Numbers(source).CopyTo(target);
        GC.KeepAlive(source);
    }

    /// <inheritdoc/>
    public override void Fill(Buffer target, double value)
    {
        InRanges(target.Length, 1, new Filling(Pointer(target), (float)value));
        GC.KeepAlive(target);
    }

    private readonly struct Filling(float* target, float value) : IRangeBody
    {
        public void Run(int from, int to) => new Span<float>(target + from, to - from).Fill(value);
    }

    /// <inheritdoc/>
    public override (int Buffer, int Element)? FirstNonFinite(ReadOnlySpan<Buffer> buffers)
    {
        for (var buffer = 0; buffer < buffers.Length; buffer++)
        {
            var element = FirstNonFinite(Numbers(buffers[buffer]));
            GC.KeepAlive(buffers[buffer]);
            if (element >= 0) return (buffer, element);
        }
        return null;
    }

    private static int FirstNonFinite(Span<float> numbers)
    {
        const int block = 4096;
        for (var start = 0; start < numbers.Length; start += block)
        {
            var run = numbers[start..Math.Min(start + block, numbers.Length)];
            if (TensorPrimitives.IsFiniteAll<float>(run)) continue;
            for (var i = 0; i < run.Length; i++)
                if (!float.IsFinite(run[i])) return start + i;
        }
        return -1;
    }
}
