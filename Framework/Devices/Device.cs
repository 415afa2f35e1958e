using Tapegrad.Memory;
using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad.Devices;

/// <summary>
/// The seam between calculus and arithmetic: a dozen verbs over buffers. A device knows nothing of tensors, tapes or
/// gradients. Whatever a device can do faster than by these verbs, it offers through one of the small interfaces in
/// this folder (<see cref="IConvolutionKernels"/>, <see cref="INormalizationKernels"/>).
/// </summary>
/// <remarks>
/// Every verb gives the same bits on every run and for any number of threads. Outputs never overlap inputs. Devices are
/// thread-safe.
/// </remarks>
public abstract class Device
{
    private static Device? standard;
    [ThreadStatic] private static Device? chosen;

    /// <summary>
    /// A device with a name for messages, and how it wants its memory kept; by default as memory of this process.
    /// </summary>
    protected Device(string name, PoolPolicy? policy = null)
    {
        Name = name;
        Pool = new BufferPool(Create, policy);
    }

    /// <summary>The float device of this process.</summary>
    public static CpuDevice Cpu { get; } = CpuDevice.Create();

    /// <summary>The double device: plain loops, the specification.</summary>
    public static ReferenceDevice Reference { get; } = new();

    /// <summary>
    /// The device that new tensors are made on: this thread's choice, else the default, which is <see cref="Cpu"/>
    /// unless set.
    /// </summary>
    public static Device Current => chosen ?? standard ?? Cpu;

    /// <summary>The device's name in messages.</summary>
    public string Name { get; }

    /// <summary>The buffers that wait to be used again.</summary>
    public BufferPool Pool { get; }

    /// <summary>Sets the default device of the process. Do it once, before the first tensor.</summary>
    public static void SetDefault(Device device) => standard = device;

    /// <summary>Makes a device current on this thread until the result is disposed.</summary>
    public static IDisposable Use(Device device)
    {
        var before = chosen;
        chosen = device;
        return new Restore(before);
    }

    private sealed class Restore(Device? before) : IDisposable
    {
        public void Dispose() => chosen = before;
    }

    /// <summary>The type of an element as the device keeps it: <c>double</c> or <c>float</c>.</summary>
    public abstract Type Element { get; }

    /// <summary>Makes a buffer, outside the pool.</summary>
    /// <exception cref="OutOfMemoryException">There is no room; the pool then gives up what waits in it, and asks once
    /// more.</exception>
    protected abstract Buffer Create(int length);

    /// <summary>Writes numbers into a buffer, rounding to the device's type.</summary>
    public abstract void Write(ReadOnlySpan<double> source, Buffer target);

    /// <inheritdoc cref="Write(ReadOnlySpan{double}, Buffer)"/>
    public abstract void Write(ReadOnlySpan<float> source, Buffer target);

    /// <summary>Reads a buffer's numbers.</summary>
    public abstract void Read(Buffer source, Span<double> target);

    /// <inheritdoc cref="Read(Buffer, Span{double})"/>
    public abstract void Read(Buffer source, Span<float> target);

    /// <summary>Every element becomes <paramref name="value"/>.</summary>
    public abstract void Fill(Buffer target, double value);

    /// <summary>
    /// Copies the elements of <paramref name="extent"/> from one walk to another: this is permute, broadcast, slice,
    /// pad and concatenate.
    /// </summary>
    public abstract void Copy(Shape extent, Buffer source, Walk from, Buffer target, Walk to);

    /// <summary>y[i] = map(x[i]).</summary>
    public abstract void Map<TMap>(TMap map, Buffer x, Buffer y) where TMap : struct, IMap;

    /// <summary>
    /// y[i] = zip(a[i], b[i]), where a and b are repeated along their axes of length 1 to fill
    /// <paramref name="shape"/>.
    /// </summary>
    public abstract void Zip<TZip>(TZip zip, Buffer a, Shape shapeA, Buffer b, Shape shapeB, Buffer y, Shape shape)
        where TZip : struct, IZip;

    /// <summary>
    /// Folds x over <paramref name="axes"/> (sorted, at least one), in an order that depends on the shape alone.
    /// </summary>
    public abstract void Fold<TFold>(TFold fold, Buffer x, Shape shape, ReadOnlySpan<int> axes, Buffer y)
        where TFold : struct, IFold;

    /// <summary>y = a b, batch by batch.</summary>
    public abstract void MatrixProduct(MatrixProductGeometry geometry, Buffer a, Buffer b, Buffer y);

    /// <summary>Copies every window of x [N, H, W, C] to windows [N, OH, OW, KH, KW, C].</summary>
    public abstract void ExtractWindows(WindowGeometry geometry, Buffer x, Buffer windows);

    /// <summary>
    /// The adjoint of <see cref="ExtractWindows"/>: x is the sum, at each pixel, of all window elements that were read
    /// from it.
    /// </summary>
    public abstract void AddWindows(WindowGeometry geometry, Buffer windows, Buffer x);

    /// <summary>Copies slices of x, in any order, any number of times.</summary>
    public abstract void Gather(GatherGeometry geometry, Buffer x, Buffer y);

    /// <summary>
    /// The adjoint of <see cref="Gather"/>: each slice of x is the sum of those of y that were copied from it, in their
    /// order.
    /// </summary>
    public abstract void AddGathered(GatherGeometry geometry, Buffer y, Buffer x);

    /// <summary>Element i becomes <c>random.Uniform(i)</c>.</summary>
    public abstract void FillUniform(Buffer target, RandomSource random);

    /// <summary>Element i becomes <c>random.Normal(i)</c>.</summary>
    public abstract void FillNormal(Buffer target, RandomSource random);

    /// <summary>Updates a parameter and up to two states in place, element by element.</summary>
    public abstract void Update<TUpdate>(TUpdate update, Buffer parameter, Buffer gradient, Buffer? first,
        Buffer? second)
        where TUpdate : struct, IUpdate;

    /// <summary>
    /// The only element of y becomes NaN if the gradient, or what <see cref="Update"/> would leave, is not finite
    /// anywhere.
    /// </summary>
    public abstract void CheckUpdate<TUpdate>(TUpdate update, Buffer parameter, Buffer gradient, Buffer? first,
        Buffer? second, Buffer y)
        where TUpdate : struct, IUpdate;

    /// <summary>
    /// Where the first element stands that is infinite or NaN, buffer by buffer: the buffer's number and the element's;
    /// null when all are finite. One call for many buffers, since a device far away answers each call only after all
    /// that was asked before.
    /// </summary>
    public abstract (int Buffer, int Element)? FirstNonFinite(ReadOnlySpan<Buffer> buffers);

    /// <summary>The index of the first element that is infinite or NaN; -1 when all are finite.</summary>
    public int FirstNonFinite(Buffer x) => FirstNonFinite([x]) is var (_, element) ? element : -1;

    /// <summary>The name.</summary>
    public override string ToString() => Name;
}
