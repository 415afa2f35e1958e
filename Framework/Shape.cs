namespace Tapegrad;

/// <summary>
/// The lengths of a tensor's axes, outermost first; the last axis is contiguous. An empty shape is a scalar's; a length
/// may be 0. Every rule about shapes, and the wording of every error about them, stands here.
/// </summary>
/// <remarks>An immutable value; thread-safe.</remarks>
public readonly struct Shape : IEquatable<Shape>
{
    /// <summary>The most axes a shape may have.</summary>
    public const int MaximumRank = 8;

    // Equal shapes share an array, as far as there is room for it: a training step makes those of the one before.
    private static readonly int[]?[] known = new int[]?[1024];

    private readonly int[]? lengths;   // null in default(Shape), which is a scalar's

    /// <summary>A shape of the given lengths.</summary>
    /// <exception cref="ShapeException">A length is negative, there are more than 8 axes, or there are more than 2^31 -
    /// 1 elements.</exception>
    public Shape(params ReadOnlySpan<int> dimensions)
    {
        if (dimensions.Length > MaximumRank)
            throw new ShapeException($"a shape of {dimensions.Length} axes: at most {MaximumRank} are supported.");
        lengths = Share(dimensions);
        long elements = 1;
        foreach (var length in dimensions)
        {
            if (length < 0) throw new ShapeException($"the shape {this} has a negative length.");
            // no overflow, and a later 0 still makes it empty
            elements = Math.Min(elements * length, int.MaxValue + 1L);
        }
        if (elements > int.MaxValue)
            throw new ShapeException($"the shape {this} has more than {int.MaxValue} elements.");
    }

    private static int[] Share(ReadOnlySpan<int> lengths)
    {
        var hash = 0u;
        foreach (var length in lengths) hash = (hash ^ (uint)length) * 0xC2B2AE35;   // MurmurHash3's
        ref var place = ref known[hash >> 22];   // its upper bits depend on all lengths
        var found = place;   // another thread may write there now
        return found is not null && lengths.SequenceEqual(found) ? found : place = lengths.ToArray();
    }

    /// <summary>The shape of a single number.</summary>
    public static Shape Scalar { get; } = new([]);

    /// <summary>The number of axes.</summary>
    public int Rank => Dimensions.Length;

    /// <summary>The number of elements: the product of all lengths, 1 for a scalar.</summary>
    public int Count
    {
        get
        {
            var count = 1;
            foreach (var length in Dimensions) count *= length;
            return count;
        }
    }

    /// <summary>The lengths.</summary>
    public ReadOnlySpan<int> Dimensions => lengths;

    /// <summary>The length of an axis; a negative axis counts from the end.</summary>
    public int this[int axis] => Dimensions[Axis(axis)];

    /// <summary>The axis as a number from 0, where a negative one counts from the end.</summary>
    public int Axis(int axis) => axis >= -Rank && axis < Rank
        ? axis < 0 ? axis + Rank : axis
        : throw new ShapeException($"axis {axis} of the shape {this}: it has {Rank} axes, so an axis is one of {-Rank} "
            + $"to {Rank - 1}.");

    /// <summary>Axes as sorted numbers from 0; none given means all of them.</summary>
    public int[] Axes(params ReadOnlySpan<int> axes)
    {
        if (axes.Length == 0) return [.. Enumerable.Range(0, Rank)];
        var result = new int[axes.Length];
        for (var i = 0; i < axes.Length; i++) result[i] = Axis(axes[i]);
        Array.Sort(result);
        for (var i = 1; i < result.Length; i++)
            if (result[i] == result[i - 1])
                throw new ShapeException($"axis {result[i]} is named twice for the shape {this}.");
        return result;
    }

    /// <summary>How many elements lie between neighbours along each axis.</summary>
    public int[] Strides()
    {
        var strides = new int[Rank];
        var step = 1;
        for (var axis = Rank - 1; axis >= 0; axis--)
        {
            strides[axis] = step;
            step *= Dimensions[axis];
        }
        return strides;
    }

    /// <summary>
    /// The strides that read this shape as <paramref name="target"/>: 0 along every axis that is repeated.
    /// </summary>
    public int[] BroadcastStrides(Shape target)
    {
        var strides = new int[target.Rank];
        BroadcastStrides(target, strides);
        return strides;
    }

    /// <summary>The same, written to a span of the target's rank.</summary>
    public void BroadcastStrides(Shape target, Span<int> strides)
    {
        strides.Clear();
        var (step, offset) = (1, target.Rank - Rank);
        for (var axis = Rank - 1; axis >= 0; axis--)
        {
            if (Dimensions[axis] != 1) strides[axis + offset] = step;
            step *= Dimensions[axis];
        }
    }

    /// <summary>
    /// The common shape of two: aligned at the last axis, an axis of length 1 (or a missing one) is repeated to the
    /// other's length.
    /// </summary>
    /// <exception cref="ShapeException">Two lengths differ and neither is 1.</exception>
    public static Shape Broadcast(string operation, Shape a, Shape b)
    {
        var rank = Math.Max(a.Rank, b.Rank);
        Span<int> result = stackalloc int[rank];
        for (var i = 1; i <= rank; i++)
        {
            var (p, q) = (i <= a.Rank ? a.Dimensions[^i] : 1, i <= b.Rank ? b.Dimensions[^i] : 1);
            if (p != q && p != 1 && q != 1)
                throw new ShapeException($"{operation}: the shapes {a} and {b} do not fit: counted from the end, axis "
                    + $"{i} is {p} in one and {q} in the other. Two lengths fit when they are equal or one of them is "
                    + "1.");
            result[^i] = p == 1 ? q : p;
        }
        return new Shape(result);
    }

    /// <summary>True when this shape can be repeated to <paramref name="target"/>.</summary>
    public bool BroadcastsTo(Shape target)
    {
        if (Rank > target.Rank) return false;
        for (var i = 1; i <= Rank; i++)
            if (Dimensions[^i] != 1 && Dimensions[^i] != target.Dimensions[^i]) return false;
        return true;
    }

    /// <summary>
    /// The shape after a reduction over axes: they become 1 with <paramref name="keepAxes"/>, or vanish.
    /// </summary>
    public Shape Reduce(ReadOnlySpan<int> axes, bool keepAxes)
    {
        Span<int> result = stackalloc int[Rank];
        var rank = 0;
        for (var axis = 0; axis < Rank; axis++)
            if (!axes.Contains(axis)) result[rank++] = Dimensions[axis];
            else if (keepAxes) result[rank++] = 1;
        return new Shape(result[..rank]);
    }

    /// <summary>Fills in a single -1 so that the number of elements stays.</summary>
    /// <exception cref="ShapeException">The counts differ, or more than one length is -1.</exception>
    public Shape Reshape(params ReadOnlySpan<int> dimensions)
    {
        var open = dimensions.IndexOf(-1);
        if (open >= 0) dimensions = Complete(dimensions.ToArray(), open);
        var shape = new Shape(dimensions);
        if (shape.Count != Count)
            throw new ShapeException($"reshape: {this} has {Count} elements and {shape} has {shape.Count}; the number "
                + "of elements must stay.");
        return shape;
    }

    private int[] Complete(int[] dimensions, int open)
    {
        long others = 1;
        for (var i = 0; i < dimensions.Length; i++)
            if (i != open) others *= dimensions[i];
        if (others <= 0 || Count % others != 0 || Array.IndexOf(dimensions, -1, open + 1) >= 0)
            throw new ShapeException($"reshape: {this} with {Count} elements cannot become "
                + $"[{string.Join(", ", dimensions)}]: no whole number fits for -1.");
        dimensions[open] = (int)(Count / others);
        return dimensions;
    }

    /// <summary>
    /// The shape with its axes in another order: axis i of the result is axis <c>order[i]</c> of this one.
    /// </summary>
    /// <exception cref="ShapeException"><paramref name="order"/> does not name each axis once.</exception>
    public Shape Permute(params ReadOnlySpan<int> order)
    {
        if (order.Length != Rank || Axes(order).Length != Rank)
            throw new ShapeException($"permute: the order ({string.Join(", ", order.ToArray())}) does not name each of "
                + $"the {Rank} axes of {this} once.");
        var result = new int[Rank];
        for (var i = 0; i < Rank; i++) result[i] = this[order[i]];
        return new Shape(result);
    }

    /// <inheritdoc/>
    public bool Equals(Shape other) => lengths == other.lengths || Dimensions.SequenceEqual(other.Dimensions);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Shape other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = new HashCode();
        foreach (var length in Dimensions) hash.Add(length);
        return hash.ToHashCode();
    }

    /// <summary>Equal lengths in the same order.</summary>
    public static bool operator ==(Shape a, Shape b) => a.Equals(b);

    /// <summary>Some length or the number of axes differs.</summary>
    public static bool operator !=(Shape a, Shape b) => !a.Equals(b);

    /// <summary>The lengths in brackets: [128, 32, 32, 3].</summary>
    public override string ToString() => $"[{string.Join(", ", lengths ?? [])}]";
}

/// <summary>Shapes that do not fit, in words: the operation, the shapes, the layer, and what would fit.</summary>
public sealed class ShapeException : ArgumentException
{
    /// <summary>An error with its explanation; the layer that is being applied is added.</summary>
    public ShapeException(string message) : base(message + LayerContext.Suffix) { }
}
