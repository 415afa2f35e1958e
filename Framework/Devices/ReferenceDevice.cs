using Tapegrad.Memory;
using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad.Devices;

/// <summary>
/// The specification: every verb as the plainest loop that says what it means, in double. Calculus is checked here,
/// because finite differences need double; other devices are checked against it, verb by verb. It is what to step
/// through to see what happens.
/// </summary>
public sealed class ReferenceDevice : Device
{
    internal ReferenceDevice() : base("reference") { }

    /// <inheritdoc/>
    public override Type Element => typeof(double);

    /// <inheritdoc/>
    protected override Buffer Create(int length) => new HostBuffer<double>(length);

    // A verb keeps its buffers alive to its end: a span does not, and the collector would hand their memory to somebody
    // else.
    private static Span<double> Numbers(Buffer buffer) => ((HostBuffer<double>)buffer).Span;

    private static void KeepAlive(params ReadOnlySpan<Buffer?> buffers)
    {
        foreach (var buffer in buffers) GC.KeepAlive(buffer);
    }

    /// <inheritdoc/>
    public override void Write(ReadOnlySpan<double> source, Buffer target)
    {
        source.CopyTo(Numbers(target));
        KeepAlive(target);
    }

    /// <inheritdoc/>
    public override void Write(ReadOnlySpan<float> source, Buffer target)
    {
        var numbers = Numbers(target);
        for (var i = 0; i < source.Length; i++) numbers[i] = source[i];
        KeepAlive(target);
    }

    /// <inheritdoc/>
    public override void Read(Buffer source, Span<double> target)
    {
        Numbers(source).CopyTo(target);
        KeepAlive(source);
    }

    /// <inheritdoc/>
    public override void Read(Buffer source, Span<float> target)
    {
        var numbers = Numbers(source);
        for (var i = 0; i < numbers.Length; i++) target[i] = (float)numbers[i];
        KeepAlive(source);
    }

    /// <inheritdoc/>
    public override void Fill(Buffer target, double value)
    {
        Numbers(target).Fill(value);
        KeepAlive(target);
    }

    /// <inheritdoc/>
    public override void Copy(Shape extent, Buffer source, Walk from, Buffer target, Walk to)
    {
        var numbers = Numbers(source);
        var copies = Numbers(target);
        var read = new Walker(extent, from);
        var write = new Walker(extent, to);
        for (var i = 0; i < extent.Count; i++) copies[write.Next()] = numbers[read.Next()];
        KeepAlive(source, target);
    }

    /// <inheritdoc/>
    public override void Map<TMap>(TMap map, Buffer x, Buffer y)
    {
        var input = Numbers(x);
        var output = Numbers(y);
        for (var i = 0; i < output.Length; i++) output[i] = map.Apply(new Real64(input[i])).Value;
        KeepAlive(x, y);
    }

    /// <inheritdoc/>
    public override void Zip<TZip>(TZip zip, Buffer a, Shape shapeA, Buffer b, Shape shapeB, Buffer y, Shape shape)
    {
        var left = Numbers(a);
        var right = Numbers(b);
        var output = Numbers(y);
        var walkA = new Walker(shape, new Walk(0, shapeA.BroadcastStrides(shape)));
        var walkB = new Walker(shape, new Walk(0, shapeB.BroadcastStrides(shape)));
        for (var i = 0; i < shape.Count; i++)
            output[i] = zip.Apply(new Real64(left[walkA.Next()]), new Real64(right[walkB.Next()])).Value;
        KeepAlive(a, b, y);
    }

    /// <inheritdoc/>
    public override void Fold<TFold>(TFold fold, Buffer x, Shape shape, ReadOnlySpan<int> axes, Buffer y)
    {
        var input = Numbers(x);
        var output = Numbers(y);
        output.Fill(fold.Neutral);
        // Seen from x, the result does not move along the axes that are folded: all their elements meet in one place.
        var results = new Walker(shape, new Walk(0, shape.Reduce(axes, keepAxes: true).BroadcastStrides(shape)));
        for (var i = 0; i < shape.Count; i++)
        {
            var place = results.Next();
            output[place] = fold.Apply(new Real64(output[place]), new Real64(input[i])).Value;
        }
        KeepAlive(x, y);
    }

    /// <inheritdoc/>
    public override void MatrixProduct(MatrixProductGeometry geometry, Buffer a, Buffer b, Buffer y)
    {
        var left = Numbers(a);
        var right = Numbers(b);
        var output = Numbers(y);
        var (rows, inner, columns) = (geometry.Rows, geometry.Inner, geometry.Columns);
        var next = 0;
        for (var batch = 0; batch < geometry.OffsetsA.Length; batch++)
            for (var row = 0; row < rows; row++)
                for (var column = 0; column < columns; column++)
                {
                    var sum = 0.0;
                    for (var k = 0; k < inner; k++)
                        sum += left[geometry.OffsetsA[batch] + (geometry.TransposeA ? k * rows + row : row * inner + k)]
                            * right[geometry.OffsetsB[batch]
                                + (geometry.TransposeB ? column * inner + k : k * columns + column)];
                    output[next++] = sum;
                }
        KeepAlive(a, b, y);
    }

    /// <inheritdoc/>
    public override void ExtractWindows(WindowGeometry geometry, Buffer x, Buffer windows)
    {
        var pixels = Numbers(x);
        var elements = Numbers(windows);
        for (var i = 0; i < elements.Length; i++)
            elements[i] = PixelOf(geometry, i) is var pixel and >= 0 ? pixels[pixel] : 0;
        KeepAlive(x, windows);
    }

    /// <inheritdoc/>
    public override void AddWindows(WindowGeometry geometry, Buffer windows, Buffer x)
    {
        var elements = Numbers(windows);
        var pixels = Numbers(x);
        pixels.Clear();
        for (var i = 0; i < elements.Length; i++)
            if (PixelOf(geometry, i) is var pixel and >= 0) pixels[pixel] += elements[i];
        KeepAlive(windows, x);
    }

    // Where in [N, H, W, C] the element of windows [N, OH, OW, KH, KW, C] comes from; -1 when it lies in the padding.
    private static int PixelOf(WindowGeometry geometry, int element)
    {
        var (rest, channel) = Math.DivRem(element, geometry.Channels);
        (rest, var kernelX) = Math.DivRem(rest, geometry.Kernel.Width);
        (rest, var kernelY) = Math.DivRem(rest, geometry.Kernel.Height);
        (rest, var windowX) = Math.DivRem(rest, geometry.OutputWidth);
        (var image, var windowY) = Math.DivRem(rest, geometry.OutputHeight);
        var row = windowY * geometry.Stride.Height + kernelY * geometry.Dilation.Height - geometry.Padding.Height;
        var column = windowX * geometry.Stride.Width + kernelX * geometry.Dilation.Width - geometry.Padding.Width;
        var inside = row >= 0 && row < geometry.Height && column >= 0 && column < geometry.Width;
        return inside ? ((image * geometry.Height + row) * geometry.Width + column) * geometry.Channels + channel : -1;
    }

    /// <inheritdoc/>
    public override void Gather(GatherGeometry geometry, Buffer x, Buffer y)
    {
        var slices = Numbers(x);
        var picked = Numbers(y);
        for (var i = 0; i < picked.Length; i++) picked[i] = slices[PlaceOf(geometry, i)];
        KeepAlive(x, y);
    }

    /// <inheritdoc/>
    public override void AddGathered(GatherGeometry geometry, Buffer y, Buffer x)
    {
        var picked = Numbers(y);
        var slices = Numbers(x);
        slices.Clear();
        for (var i = 0; i < picked.Length; i++) slices[PlaceOf(geometry, i)] += picked[i];
        KeepAlive(y, x);
    }

    // Where in [Outer, Length, Inner] the element of [Outer, Indices, Inner] comes from.
    private static int PlaceOf(GatherGeometry geometry, int element)
    {
        var (slice, inside) = Math.DivRem(element, geometry.Inner);
        var (outer, i) = Math.DivRem(slice, geometry.Indices.Length);
        return (outer * geometry.Length + geometry.Indices[i]) * geometry.Inner + inside;
    }

    /// <inheritdoc/>
    public override void FillUniform(Buffer target, RandomSource random)
    {
        var numbers = Numbers(target);
        for (var i = 0; i < numbers.Length; i++) numbers[i] = random.Uniform(i);
        KeepAlive(target);
    }

    /// <inheritdoc/>
    public override void FillNormal(Buffer target, RandomSource random)
    {
        var numbers = Numbers(target);
        for (var i = 0; i < numbers.Length; i++) numbers[i] = random.Normal(i);
        KeepAlive(target);
    }

    /// <inheritdoc/>
    public override void Update<TUpdate>(TUpdate update, Buffer parameter, Buffer gradient, Buffer? first,
        Buffer? second)
    {
        var values = Numbers(parameter);
        var slopes = Numbers(gradient);
        var firsts = first is null ? [] : Numbers(first);
        var seconds = second is null ? [] : Numbers(second);
        for (var i = 0; i < values.Length; i++)
        {
            var value = new Real64(values[i]);
            var one = new Real64(first is null ? 0 : firsts[i]);
            var two = new Real64(second is null ? 0 : seconds[i]);
            update.Apply(ref value, new Real64(slopes[i]), ref one, ref two);
            values[i] = value.Value;
            if (first is not null) firsts[i] = one.Value;
            if (second is not null) seconds[i] = two.Value;
        }
        KeepAlive(parameter, gradient, first, second);
    }

    /// <inheritdoc/>
    public override void CheckUpdate<TUpdate>(TUpdate update, Buffer parameter, Buffer gradient, Buffer? first,
        Buffer? second, Buffer y)
    {
        var values = Numbers(parameter);
        var slopes = Numbers(gradient);
        var allFinite = true;
        for (var i = 0; i < values.Length; i++)
        {
            var value = new Real64(values[i]);
            var one = new Real64(first is null ? 0 : Numbers(first)[i]);
            var two = new Real64(second is null ? 0 : Numbers(second)[i]);
            update.Apply(ref value, new Real64(slopes[i]), ref one, ref two);
            allFinite &= double.IsFinite(slopes[i]) && double.IsFinite(value.Value)
                && (first is null || double.IsFinite(one.Value)) && (second is null || double.IsFinite(two.Value));
        }
        if (!allFinite) Numbers(y)[0] = double.NaN;
        KeepAlive(parameter, gradient, first, second, y);
    }

    /// <inheritdoc/>
    public override (int Buffer, int Element)? FirstNonFinite(ReadOnlySpan<Buffer> buffers)
    {
        (int, int)? found = null;
        for (var buffer = 0; buffer < buffers.Length && found is null; buffer++)
        {
            var numbers = Numbers(buffers[buffer]);
            for (var i = 0; i < numbers.Length && found is null; i++)
                if (!double.IsFinite(numbers[i])) found = (buffer, i);
            KeepAlive(buffers[buffer]);
        }
        return found;
    }

    // Goes through an extent in row-major order, the last axis fastest, as the digits of a counter do, and says where
    // in a buffer a walk stands.
    private ref struct Walker(Shape extent, Walk walk)
    {
        private readonly ReadOnlySpan<int> lengths = extent.Dimensions;
        private readonly int[] digits = new int[extent.Rank];
        private int place = walk.Offset;

        public int Next()
        {
            var here = place;
            for (var axis = lengths.Length - 1; axis >= 0; axis--)
            {
                place += walk.Strides[axis];
                if (++digits[axis] < lengths[axis]) break;
                place -= walk.Strides[axis] * lengths[axis];
                digits[axis] = 0;
            }
            return here;
        }
    }
}
