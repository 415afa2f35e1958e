using FsCheck;
using FsCheck.Fluent;
using Xunit;

namespace Tapegrad.Tests.Engine;

/// <summary>
/// Every rule about shapes as a property over nasty shapes (ones, primes, empty axes), and every error text.
/// </summary>
public sealed class ShapeTests
{
    private static readonly Arbitrary<Shape> Any = ShapesOf(0, 1, 1, 2, 3, 5, 7);

    private static Arbitrary<Shape> ShapesOf(params int[] lengths) =>
        Arb.From(Gen.Elements(lengths).ArrayOf().Resize(5)
            .Select(dimensions => new Shape(dimensions[..Math.Min(5, dimensions.Length)])), Shrink);

    private static IEnumerable<Shape> Shrink(Shape shape)
    {
        var dimensions = shape.Dimensions.ToArray();
        for (var axis = 0; axis < dimensions.Length; axis++)
        {
            yield return new Shape([.. dimensions[..axis], .. dimensions[(axis + 1)..]]);
            if (dimensions[axis] > 1) yield return new Shape([.. dimensions[..axis], 1, .. dimensions[(axis + 1)..]]);
        }
    }

    private static void ForAll(Arbitrary<Shape> shapes, Action<Shape> property) =>
        Prop.ForAll(shapes, property).Check(Config.QuickThrowOnFailure.WithMaxTest(300));

    private static void ForAll(Arbitrary<Shape> shapes, Action<Shape, RandomSource> property) =>
        Prop.ForAll(shapes, ArbMap.Default.ArbFor<int>(),
        (shape, seed) => property(shape, new RandomSource(seed))).Check(Config.QuickThrowOnFailure.WithMaxTest(300));

    private static string Message(Action action) => Assert.Throws<ShapeException>(action).Message;

    // The position of element number i of a shape, axis by axis: the meaning of row-major.
    private static int[] Position(Shape shape, int i)
    {
        var position = new int[shape.Rank];
        for (var axis = shape.Rank - 1; axis >= 0; axis--) (i, position[axis]) = (i / shape.Dimensions[axis],
            i % shape.Dimensions[axis]);
        return position;
    }

    [Fact]
    public void Count_is_the_product_and_strides_are_row_major() => ForAll(Any, shape =>
    {
        Assert.Equal(shape.Dimensions.ToArray().Aggregate(1, (a, b) => a * b), shape.Count);
        var strides = shape.Strides();
        Assert.Equal(shape.Rank, strides.Length);
        for (var i = 0; i < shape.Count; i++) Assert.Equal(i, Position(shape, i).Zip(strides, (p, s) => p * s).Sum());
    });

    [Fact]
    public void Equality_is_that_of_the_lengths()
    {
        Prop.ForAll(ShapesOf(1, 2), ShapesOf(1, 2), (a, b) =>
        {
            var same = a.Dimensions.SequenceEqual(b.Dimensions);
            Assert.Equal((same, !same, same), (a == b, a != b, a.Equals((object)b)));
            if (same) Assert.Equal(a.GetHashCode(), b.GetHashCode());
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));
        Assert.NotEqual(new Shape(2, 3).GetHashCode(), new Shape(3, 2).GetHashCode());
        Assert.False(new Shape(2).Equals("[2]"));
    }

    [Fact]
    public void The_default_is_a_scalar()
    {
        Assert.Equal((0, 1, "[]"), (default(Shape).Rank, default(Shape).Count, $"{default(Shape)}"));
        Assert.Equal(Shape.Scalar, default);
        Assert.Equal(Shape.Scalar, new Shape([]));
        Assert.Equal(1, Shape.Scalar.Count);
    }

    [Fact]
    public void A_shape_is_a_copy_of_the_lengths_given()
    {
        int[] lengths = [2, 3];
        var shape = new Shape(lengths);
        lengths[0] = 9;
        Assert.Equal("[2, 3]", $"{shape}");
    }

    // Equal shapes may share an array: more shapes than there is room for.
    [Fact]
    public void A_shape_keeps_its_lengths_whatever_others_are_made() =>
        ForAll(ShapesOf([.. Enumerable.Range(0, 70)]), shape =>
        {
            var lengths = shape.Dimensions.ToArray();
            for (var i = 0; i < 5000; i++) Assert.Equal([i, 7], new Shape(i, 7).Dimensions);
            Assert.Equal(lengths, shape.Dimensions);
            Assert.Equal(lengths, new Shape(lengths).Dimensions);
            Assert.Equal(shape, new Shape(lengths));
        });

    [Fact]
    public void Shapes_are_made_on_many_threads() => Parallel.For(0, 20_000, i =>
    {
        var (first, last) = (i % 1777, i % 13);
        Assert.Equal([first, 3, last], new Shape(first, 3, last).Dimensions);
    });

    [Fact]
    public void Impossible_shapes_are_refused()
    {
        Assert.Equal("the shape [2, -1] has a negative length.", Message(() => new Shape(2, -1)));
        Assert.Equal("the shape [0, -1] has a negative length.", Message(() => new Shape(0, -1)));
        Assert.Equal("a shape of 9 axes: at most 8 are supported.",
            Message(() => new Shape(1, 1, 1, 1, 1, 1, 1, 1, 1)));
        Assert.Equal("the shape [65536, 32768] has more than 2147483647 elements.",
            Message(() => new Shape(65536, 32768)));
        var huge = int.MaxValue;
        Assert.Contains("has more than", Message(() => new Shape(huge, huge, huge, huge, huge, huge, huge, huge)));
        Assert.Equal(int.MaxValue, new Shape(huge).Count);
        Assert.Equal(0, new Shape(huge, huge, 0).Count);   // wherever the 0 stands
        Assert.Equal(0, new Shape(0, huge, huge).Count);
        Assert.Equal(8, new Shape(1, 1, 1, 1, 1, 1, 1, 1).Rank);
    }

    [Fact]
    public void An_error_names_the_layer()
    {
        using (LayerContext.Enter("layer1"))
        using (LayerContext.Enter("conv2"))
            Assert.Equal("the shape [-1] has a negative length. (in layer layer1.conv2)", Message(() => new Shape(-1)));
    }

    [Fact]
    public void A_negative_axis_counts_from_the_end() => ForAll(Any, shape =>
    {
        for (var axis = 0; axis < shape.Rank; axis++)
        {
            Assert.Equal(axis, shape.Axis(axis));
            Assert.Equal(axis, shape.Axis(axis - shape.Rank));
            Assert.Equal(shape.Dimensions[axis], shape[axis]);
            Assert.Equal(shape.Dimensions[axis], shape[axis - shape.Rank]);
        }
        Assert.Contains($"axis {shape.Rank} of the shape {shape}: it has {shape.Rank} axes",
            Message(() => shape.Axis(shape.Rank)));
        Assert.Contains($"an axis is one of {-shape.Rank} to {shape.Rank - 1}",
            Message(() => _ = shape[-shape.Rank - 1]));
    });

    [Fact]
    public void Axes_are_sorted_and_none_means_all()
    {
        var shape = new Shape(2, 3, 4);
        Assert.Equal([0, 1, 2], shape.Axes());
        Assert.Equal([0, 2], shape.Axes(-1, 0));
        Assert.Equal([1], shape.Axes(1));
        Assert.Equal("axis 2 is named twice for the shape [2, 3, 4].", Message(() => shape.Axes(2, -1)));
        Assert.Contains("axis 3 of the shape", Message(() => shape.Axes(0, 3)));
        Assert.Empty(Shape.Scalar.Axes());
    }

    // ---- broadcast --------------------------------------------------------------------------------------------------

    // A pair that fits: some axes of a common shape are 1 or left out in front.
    private static Shape Narrow(Shape shape, RandomSource random)
    {
        var missing = random.Below(shape.Rank + 1, 0);
        return new Shape([.. shape.Dimensions[missing..].ToArray()
            .Select((length, i) => random.Below(2, i + 1) == 0 ? 1 : length)]);
    }

    [Fact]
    public void Shapes_that_fit_broadcast_to_the_common_one() => ForAll(Any, (shape, random) =>
    {
        var narrow = Narrow(shape, random);
        Assert.Equal(shape, Shape.Broadcast("add", narrow, shape));
        Assert.Equal(shape, Shape.Broadcast("add", shape, narrow));
        Assert.Equal(shape, Shape.Broadcast("add", shape, shape));
        Assert.Equal(shape, Shape.Broadcast("add", shape, Shape.Scalar));
        Assert.True(narrow.BroadcastsTo(shape));
        Assert.Equal(narrow == shape
            || Enumerable.Range(1, shape.Rank).All(i => shape[-i] == 1 || (i <= narrow.Rank && narrow[-i] == shape[-i]))
            && shape.Rank <= narrow.Rank,
            shape.BroadcastsTo(narrow));
    });

    [Fact]
    public void Two_narrow_shapes_broadcast_axis_by_axis() => ForAll(Any, (shape, random) =>
    {
        var (a, b) = (Narrow(shape, random.Split(0)), Narrow(shape, random.Split(1)));
        var common = Shape.Broadcast("add", a, b);
        Assert.Equal(Math.Max(a.Rank, b.Rank), common.Rank);
        for (var i = 1; i <= common.Rank; i++)
        {
            int[] lengths = [.. i <= a.Rank ? [a[-i]] : (int[])[], .. i <= b.Rank ? [b[-i]] : (int[])[]];
            Assert.Equal(lengths.Where(length => length != 1).DefaultIfEmpty(1).First(), common[-i]);
        }
        Assert.True(a.BroadcastsTo(common) && b.BroadcastsTo(common));
    });

    [Fact]
    public void Broadcast_strides_read_the_element_that_is_repeated() => ForAll(Any, (shape, random) =>
    {
        var narrow = Narrow(shape, random);
        var strides = narrow.BroadcastStrides(shape);
        Assert.Equal(shape.Rank, strides.Length);
        for (var i = 0; i < shape.Count; i++)
        {
            var position = Position(shape, i);
            var expected = narrow.Strides()
                .Select((stride, axis) => narrow[axis] == 1 ? 0 : position[axis + shape.Rank - narrow.Rank] * stride)
                .Sum();
            Assert.Equal(expected, position.Zip(strides, (p, s) => p * s).Sum());
        }
    });

    [Fact]
    public void Shapes_that_do_not_fit_are_named_with_the_axis()
    {
        Assert.Equal("add: the shapes [2, 3, 4] and [2, 1] do not fit: counted from the end, axis 2 is 3 in one and 2 "
            + "in the other. Two lengths fit when they are "
            + "equal or one of them is 1.", Message(() => Shape.Broadcast("add", new(2, 3, 4), new(2, 1))));
        Assert.Contains("axis 1 is 0 in one and 2", Message(() => Shape.Broadcast("add", new(0), new(2))));
        Assert.False(new Shape(3).BroadcastsTo(new(2)));
        Assert.False(new Shape(3, 1).BroadcastsTo(new(3)));
        Assert.False(new Shape(2).BroadcastsTo(new(1)));
        Assert.False(new Shape(2).BroadcastsTo(new(0)));
        Assert.True(new Shape(1).BroadcastsTo(new(0)));
        Assert.Equal(new Shape(0), Shape.Broadcast("add", new(0), new(1)));
    }

    // ---- reduce, reshape, permute -----------------------------------------------------------------------------------

    [Fact]
    public void Reduced_axes_become_one_or_vanish() => ForAll(Any, (shape, random) =>
    {
        int[] axes = [.. Enumerable.Range(0, shape.Rank).Where(axis => random.Below(2, axis) == 0)];
        var kept = shape.Reduce(axes, keepAxes: true);
        Assert.Equal(shape.Rank, kept.Rank);
        for (var axis = 0; axis < shape.Rank; axis++) Assert.Equal(axes.Contains(axis) ? 1 : shape[axis], kept[axis]);
        Assert.Equal(Enumerable.Range(0, shape.Rank).Except(axes).Select(axis => shape[axis]),
            shape.Reduce(axes, keepAxes: false).Dimensions.ToArray());
    });

    [Fact]
    public void Reshape_keeps_the_count_and_finds_the_missing_length() => ForAll(Any, (shape, random) =>
    {
        Assert.Equal(shape, shape.Reshape(shape.Dimensions));
        Assert.Equal(new Shape(shape.Count), shape.Reshape(shape.Count));
        Assert.Equal(new Shape(shape.Count, 1, 1), shape.Reshape(-1, 1, 1));
        if (shape.Rank == 0) return;
        var lengths = shape.Dimensions.ToArray();
        var open = random.Below(shape.Rank, 0);
        lengths[open] = -1;
        if (shape.Count > 0) Assert.Equal(shape, shape.Reshape(lengths));
        else if (lengths.Contains(0)) Assert.Contains("no whole number fits", Message(() => shape.Reshape(lengths)));
        else Assert.Equal(shape, shape.Reshape(lengths));
    });

    [Fact]
    public void Impossible_reshapes_say_both_counts()
    {
        var shape = new Shape(2, 3);
        Assert.Equal("reshape: [2, 3] has 6 elements and [4] has 4; the number of elements must stay.",
            Message(() => shape.Reshape(4)));
        Assert.Equal("reshape: [2, 3] with 6 elements cannot become [4, -1]: no whole number fits for -1.",
            Message(() => shape.Reshape(4, -1)));
        Assert.Contains("cannot become [-1, -1]", Message(() => shape.Reshape(-1, -1)));
        Assert.Contains("cannot become [0, -1]", Message(() => shape.Reshape(0, -1)));
        Assert.Contains("[-2, -3] has a negative length", Message(() => shape.Reshape(-2, -3)));
        Assert.Contains("cannot become [-1, -2]", Message(() => shape.Reshape(-1, -2)));
        Assert.Equal(Shape.Scalar, new Shape(1, 1).Reshape());
        Assert.Equal("reshape: [2, 3] has 6 elements and [] has 1; the number of elements must stay.",
            Message(() => shape.Reshape()));
    }

    [Fact]
    public void Permute_moves_lengths_and_its_inverse_brings_them_back() => ForAll(Any, (shape, random) =>
    {
        var order = random.Permutation(shape.Rank);
        var permuted = shape.Permute(order);
        for (var axis = 0; axis < shape.Rank; axis++) Assert.Equal(shape[order[axis]], permuted[axis]);
        Assert.Equal(shape,
            permuted.Permute([.. Enumerable.Range(0, shape.Rank).Select(axis => Array.IndexOf(order, axis))]));
        if (shape.Rank > 0) Assert.Equal(permuted,
            shape.Permute([.. order.Select((axis, i) => i % 2 == 0 ? axis : axis - shape.Rank)]));
    });

    [Fact]
    public void An_order_that_is_none_is_refused()
    {
        var shape = new Shape(2, 3);
        Assert.Equal("permute: the order (0) does not name each of the 2 axes of [2, 3] once.",
            Message(() => shape.Permute(0)));
        Assert.Contains("permute: the order ()", Message(() => shape.Permute()));
        Assert.Contains("axis 1 is named twice", Message(() => shape.Permute(1, -1)));
        Assert.Contains("axis 2 of the shape [2, 3]", Message(() => shape.Permute(0, 2)));
        Assert.Contains("permute", Message(() => shape.Permute(0, 1, 1)));
    }
}
