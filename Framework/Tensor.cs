using System.Globalization;
using System.Text;
using Tapegrad.Devices;
using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad;

/// <summary>
/// An immutable array of numbers with a shape, contiguous and row-major, on a device. The channel axis is the last:
/// images are [N, H, W, C], convolution weights [KH, KW, C / groups, O]. What can be done with a tensor stands in
/// <c>Ops/</c>, one file an operation.
/// </summary>
/// <remarks>
/// A tensor needs no disposal. Made inside a <see cref="Scope"/> (a <see cref="Tape"/> is one), it is good until the
/// scope ends; later use throws and names <see cref="Keep"/>. Made outside, it lives as long as it is referenced.
/// Recording belongs to the tape's thread, and so does reading while it records: what it can compute again may leave
/// its memory at any time. A tensor that was kept, a parameter's value, or any tensor without a tape is read by any
/// thread. When the numbers come and go is decided by the <c>Storage</c>, in <c>Lifetime/</c>, which it shares with its
/// views.
/// </remarks>
public sealed class Tensor
{
    internal Tensor(Shape shape, Storage storage)
    {
        (Shape, Storage) = (shape, storage);
        storage.ShowIn(this);
    }

    /// <summary>The lengths of the axes.</summary>
    public Shape Shape { get; }

    /// <summary>Where the numbers are.</summary>
    public Device Device => Storage.Device;

    /// <summary>The number of elements.</summary>
    public int Count => Shape.Count;

    // What the tape knows of this value. A parameter's value is a variable of every tape; any other value of the one
    // whose record of this number holds it.
    internal Parameter? Parameter => IsParameter ? Storage.Parameter : null;
    internal int Record { get; set; } = -1;
    internal bool IsParameter { get; init; }

    /// <summary>Where the numbers are, and for how long.</summary>
    internal Storage Storage { get; set; }

    /// <summary>The numbers; where they are gone, an error that says why, and what to do.</summary>
    internal Buffer Buffer => Storage.Find() ?? throw Gone();

    // ---- creation ---------------------------------------------------------------------------------------------------

    /// <summary>A tensor on the current device with the given numbers, row-major.</summary>
    /// <exception cref="ShapeException">The number of values is not the shape's.</exception>
    public static Tensor From(ReadOnlySpan<double> values, Shape shape)
    {
        CheckCount(values.Length, shape);
        var result = Create(shape);
        result.Device.Write(values, result.Buffer);
        return result;
    }

    /// <inheritdoc cref="From(ReadOnlySpan{double}, Shape)"/>
    public static Tensor From(ReadOnlySpan<float> values, Shape shape)
    {
        CheckCount(values.Length, shape);
        var result = Create(shape);
        result.Device.Write(values, result.Buffer);
        return result;
    }

    /// <summary>A tensor with every element equal.</summary>
    public static Tensor Full(Shape shape, double value)
    {
        var result = Create(shape);
        result.Device.Fill(result.Buffer, value);
        return result;
    }

    /// <summary>A tensor of zeros.</summary>
    public static Tensor Zeros(Shape shape) => Full(shape, 0);

    /// <summary>A tensor of ones.</summary>
    public static Tensor Ones(Shape shape) => Full(shape, 1);

    /// <summary>A single number, with the shape [].</summary>
    public static Tensor Scalar(double value) => Full(Shape.Scalar, value);

    /// <summary>Element i is <c>random.Uniform(i)</c>: evenly spread over [0, 1).</summary>
    public static Tensor Uniform(Shape shape, RandomSource random)
    {
        var result = Create(shape);
        result.Device.FillUniform(result.Buffer, random);
        return result;
    }

    /// <summary>Element i is <c>random.Normal(i)</c>: the standard normal distribution.</summary>
    public static Tensor Normal(Shape shape, RandomSource random)
    {
        var result = Create(shape);
        result.Device.FillNormal(result.Buffer, random);
        return result;
    }

    /// <summary>
    /// A tensor whose numbers nobody has written yet; it belongs to the innermost scope. For operations.
    /// </summary>
    internal static Tensor Create(Shape shape, Device? device = null)
    {
        device ??= Device.Current;
        if (Scope.Innermost is not { } scope)
            return new Tensor(shape, Storage.Of(device, device.Pool.CreateUnpooled(shape.Count)));
        var storage = Storage.Of(device, device.Pool.Rent(shape.Count));
        scope.Adopt(storage);
        return new Tensor(shape, storage);
    }

    /// <summary>
    /// The same numbers under another shape, unrecorded. Those that were discarded are computed again, and stay.
    /// </summary>
    internal Tensor View(Shape shape) => Storage.Find() is null ? throw Gone() : new(shape, Storage);

    /// <summary>
    /// Takes the numbers out of their scope, so that they outlive it, and returns them as a tensor that is not on any
    /// tape. The collector frees them.
    /// </summary>
    public Tensor Keep()
    {
        _ = Buffer;
        Storage.EndRecomputation();
        Storage.Owner = 0;
        return View(Shape);
    }

    // ---- reading ----------------------------------------------------------------------------------------------------

    /// <summary>The numbers, row-major.</summary>
    public double[] ToDoubles()
    {
        var result = new double[Count];
        Device.Read(Buffer, result);
        return result;
    }

    /// <summary>The numbers, row-major, rounded to float.</summary>
    public float[] ToFloats()
    {
        var result = new float[Count];
        Device.Read(Buffer, result.AsSpan());
        return result;
    }

    /// <summary>Writes the numbers, row-major, into a span of exactly <see cref="Count"/> elements.</summary>
    public void CopyTo(Span<float> target)
    {
        CheckCount(target.Length, Shape);
        Device.Read(Buffer, target);
    }

    /// <summary>The only number of a tensor with one element.</summary>
    /// <exception cref="ShapeException">There is not exactly one element.</exception>
    public double ToDouble() => Count == 1 ? ToDoubles()[0]
        : throw new ShapeException($"ToDouble: the shape {Shape} has {Count} elements, not one.");

    /// <summary>The element at a position, one index an axis.</summary>
    public double At(params ReadOnlySpan<int> position)
    {
        if (position.Length != Shape.Rank)
            throw new ShapeException($"At: {position.Length} indices for the shape {Shape}.");
        var strides = Shape.Strides();
        var index = 0;
        for (var axis = 0; axis < position.Length; axis++)
        {
            if ((uint)position[axis] >= (uint)Shape[axis])
                throw new ShapeException($"At: index {position[axis]} of axis {axis} lies outside the shape {Shape}.");
            index += position[axis] * strides[axis];
        }
        return ToDoubles()[index];
    }

    // ---- for operations ---------------------------------------------------------------------------------------------

    /// <summary>
    /// Applies a formula to every element. The result is not recorded: see
    /// <see cref="Tapegrad.Tape.Record(string, Tensor, ReadOnlySpan{ValueTuple{Tensor, Pull}})"/>.
    /// </summary>
    public Tensor Map<TMap>(TMap map) where TMap : struct, IMap
    {
        var result = Create(Shape, Device);
        Device.Map(map, Buffer, result.Buffer);
        return result;
    }

    /// <summary>Applies a formula to every pair of elements, with broadcasting. The result is not recorded.</summary>
    /// <param name="other">The second operand.</param>
    /// <param name="zip">The formula.</param>
    /// <param name="operation">The operation's name, for messages.</param>
    public Tensor Zip<TZip>(Tensor other, TZip zip, string operation) where TZip : struct, IZip
    {
        CheckDevice(operation, this, other);
        var result = Create(Shape.Broadcast(operation, Shape, other.Shape), Device);
        Device.Zip(zip, Buffer, Shape, other.Buffer, other.Shape, result.Buffer, result.Shape);
        return result;
    }

    /// <summary>Folds the elements along axes, which become 1. The result is not recorded.</summary>
    public Tensor Fold<TFold>(TFold fold, ReadOnlySpan<int> axes) where TFold : struct, IFold
    {
        var sorted = Shape.Axes(axes);
        var result = Create(Shape.Reduce(sorted, keepAxes: true), Device);
        if (sorted.Length > 0) Device.Fold(fold, Buffer, Shape, sorted, result.Buffer);
        else Copy(result, new Walk(0, Shape.Strides()));
        return result;
    }

    /// <summary>Copies this tensor's elements to a walk through another one's.</summary>
    internal void Copy(Tensor target, Walk to) =>
        Device.Copy(Shape, Buffer, new Walk(0, Shape.Strides()), target.Buffer, to);

    /// <summary>Copies from a walk through this tensor: the result has the shape <paramref name="extent"/>.</summary>
    internal Tensor Gather(Shape extent, Walk from)
    {
        var result = Create(extent, Device);
        Device.Copy(extent, Buffer, from, result.Buffer, new Walk(0, extent.Strides()));
        return result;
    }

    /// <summary>A number as a tensor on this one's device.</summary>
    internal Tensor Constant(double value) => Constant(Shape.Scalar, value);

    /// <summary>A tensor of equal numbers on this one's device.</summary>
    internal Tensor Constant(Shape shape, double value)
    {
        var result = Create(shape, Device);
        Device.Fill(result.Buffer, value);
        return result;
    }

    internal static void CheckDevice(string operation, Tensor a, Tensor b) =>
        CheckDevice(operation, a.Device, b.Device);

    internal static void CheckDevice(string operation, Device a, Device b)
    {
        if (a != b)
            throw new InvalidOperationException($"{operation}: one tensor is on the {a} device, the other on the "
                + $"{b} device{LayerContext.Suffix}. Make both under the same Device.Use(...).");
    }

    private static void CheckCount(int count, Shape shape)
    {
        if (count != shape.Count)
            throw new ShapeException($"{count} numbers for the shape {shape}, which has {shape.Count} elements.");
    }

    private InvalidOperationException Gone() => new(Storage.IsOfAnotherThread
        ? $"the memory of this value {Shape} was given back, and only the thread of its tape can compute it again: "
            + "call Keep() there."
        : Storage.Parameter is { } parameter
        ? $"{parameter.Name} was updated after this value {Shape} was taken (for instance after the forward pass that "
            + "still needs it). Compute again with the new value, or ask for the gradients before the optimizer's step."
        : $"this tensor's scope has ended (shape {Shape}), or a sweep with release has freed it: call Keep() to take "
            + "it out, while the scope is open. A scope or a tape must not be open across an await: it would own what "
            + "others make meanwhile.");

    // ---- printing ---------------------------------------------------------------------------------------------------

    /// <summary>The shape and an excerpt of the numbers; never throws.</summary>
    public override string ToString()
    {
        var heading = $"Tensor {Shape} on {Device}";
        double[] values;
        try
        {
            values = ToDoubles();
        }
        catch (InvalidOperationException e)
        {
            return $"{heading} (its numbers are gone: {e.Message})";
        }
        var text = new StringBuilder(heading);
        if (Shape.Rank == 0) return text.Append(": ").Append(Format(values[0])).ToString();
        if (Count == 0) return text.Append(": empty").ToString();
        text.AppendLine();
        Excerpt(text, values, 0, 0, Count);
        return text.ToString();
    }

    // At most three entries from either end of each axis.
    private void Excerpt(StringBuilder text, double[] values, int axis, int start, int count)
    {
        const int ends = 3;
        var length = Shape[axis];
        var step = count / length;
        var last = axis == Shape.Rank - 1;
        text.Append('[');
        for (var i = 0; i < length; i++)
        {
            if (i > 0) text.Append(last ? ", " : "\n" + new string(' ', axis + 1));
            if (length > 2 * ends + 1 && i == ends)
            {
                text.Append("...");
                i = length - ends - 1;
                continue;
            }
            if (last) text.Append(Format(values[start + i]));
            else Excerpt(text, values, axis + 1, start + i * step, step);
        }
        text.Append(']');
    }

    private static string Format(double value) => value.ToString("G5", CultureInfo.InvariantCulture);
}
