using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Tapegrad.Devices.Cpu;
using Xunit;

namespace Tapegrad.Tests.Devices;

/// <summary>Two walks as rows are the same two walks element by element, from whichever row one begins.</summary>
public class MergedWalkTests
{
    public static class Walks
    {
        /// <summary>Up to four axes in any order, some of which repeat or lie apart.</summary>
        public static Arbitrary<Walk> Arbitrary() => (
            from rank in Gen.Choose(0, 4)
            from lengths in Gen.Choose(1, 5).ArrayOf(rank)
            from a in Strides(lengths)
            from b in Strides(lengths)
            select new Walk(lengths, a, b)).ToArbitrary();

        private static Gen<int[]> Strides(int[] lengths) =>
            from order in Gen.Shuffle(Enumerable.Range(0, lengths.Length).ToArray())
            from repeats in Gen.Frequency((3, Gen.Constant(false)), (1, Gen.Constant(true))).ArrayOf(lengths.Length)
            from gap in Gen.Choose(1, 2)
            select Of(lengths, order, repeats, gap);

        private static int[] Of(int[] lengths, int[] order, bool[] repeats, int gap)
        {
            var (strides, step) = (new int[lengths.Length], gap);
            foreach (var axis in order)
                (strides[axis], step) = repeats[axis] ? (0, step) : (step, step * lengths[axis]);
            return strides;
        }
    }

    /// <summary>An extent, and the strides of two walks through it.</summary>
    public sealed record Walk(int[] Lengths, int[] A, int[] B)
    {
        public override string ToString() =>
            $"[{string.Join(", ", Lengths)}] by ({string.Join(", ", A)}) and ({string.Join(", ", B)})";
    }

    [Property(MaxTest = 300, Arbitrary = [typeof(Walks)])]
    public unsafe void From_any_row_the_places_are_those_of_the_elements(Walk walk)
    {
        var shape = new Shape(walk.Lengths);
        var expected = new (int, int)[shape.Count];
        for (var element = 0; element < expected.Length; element++)
        {
            var (rest, a, b) = (element, 0, 0);
            for (var axis = shape.Rank - 1; axis >= 0; axis--)
            {
                (rest, var digit) = Math.DivRem(rest, shape[axis]);
                (a, b) = (a + digit * walk.A[axis], b + digit * walk.B[axis]);
            }
            expected[element] = (a, b);
        }
        var merged = new MergedWalk(shape, walk.A, walk.B);
        var (stepA, stepB) = merged.Inner;
        Assert.Equal(expected.Length, merged.Rows * merged.Length);
        for (var first = 0; first < merged.Rows; first++)
        {
            var at = new MergedWalk.Places(&merged, first);
            for (var row = first; row < merged.Rows; row++, at.MoveNext())
                for (var i = 0; i < merged.Length; i++)
                    Assert.Equal(expected[row * merged.Length + i], (at.A + i * stepA, at.B + i * stepB));
        }
    }
}
