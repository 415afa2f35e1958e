using FsCheck.Xunit;
using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class PadOperationTests
{
    [Fact]
    public void ObeysTheLaws() => OperationLaws.Check(x => x.Pad([1, 0, 2], [0, 3, 1]), Input.Of("a b c"));

    [Fact]
    public void ObeysTheLawsWithAnotherFrame() => OperationLaws.Check(x => x.Pad([1], [2], 7).Square(), Input.Of("a"));

    [Fact]
    public void ObeysTheLawsWithSteps() =>
        OperationLaws.Check(x => x.Pad([1, 0, 2], [0, 3, 1], 7, [2, 1, 3]).Square(), Input.Of("a b c"));

    /// <summary>Any shape, empty ones too: the same numbers and gradients as a slice in steps, and a frame.</summary>
    [Property(MaxTest = 60)]
    public void WithStepsItIsASliceInAFrame(byte a, byte b, byte first, byte second, byte before, byte behind)
    {
        var (shape, steps) = (new Shape(a % 9, b % 9), (int[])[1 + first % 4, 1 + second % 4]);
        int[] left = [before % 3, 0], right = [behind % 3, behind % 2];
        OnBothDevices(() =>
        {
            var x = Tensor.Normal(shape, new RandomSource(1));
            using var tape = Tape.Evaluating();
            var watched = tape.Watch(x);
            var at = watched.Pad(left, right, 3, steps);
            var slice = watched.Slice([0, 0], [.. steps.Select((step, axis) => (shape[axis] + step - 1) / step)], steps)
                .Pad(left, right, 3);
            Assert.Equal(slice.Shape, at.Shape);
            Assert.Equal(slice.ToDoubles(), at.ToDoubles());
            var seed = Tensor.Normal(at.Shape, new RandomSource(2));
            Assert.Equal(tape.Gradients(slice, [watched], seed)[0].ToDoubles(),
                tape.Gradients(at, [watched], seed)[0].ToDoubles());
        });
    }

    [Fact]
    public void PutsAFrameAround() => OnBothDevices(() =>
    {
        Gives(Of([1, 2], 1, 2).Pad([1, 0], [0, 2]), new Shape(2, 4), 0, 0, 0, 0, 1, 2, 0, 0);
        Gives(Vector(1).Pad([1], [1], 5), 5, 1, 5);
        Gives(Of([0]).Pad([1], [1]), 0, 0);
        Gives(Vector(3, 4, 5).Pad([0], [1], 0, [int.MaxValue]), 3, 0);
    });

    [Fact]
    public void TheGradientIsWhatLiesInside() =>
        OnBothDevices(() => Gives(Gradient(x => x.Pad([1], [2]), Vector(1, 2), 1, 2, 3, 4, 5), 2, 3));

    [Fact]
    public void RefusesWhatIsNoFrame()
    {
        Refuses<ShapeException>(() => Counting(2, 3).Pad([1], [1]), "pad", "[2, 3]", "2 axes");
        Refuses<ShapeException>(() => Counting(2, 3).Pad([0, -1], [0, 0]), "pad", "axis 1", "[2, 3]", "-1");
        Refuses<ShapeException>(() => Counting(2, 3).Pad([0, 0], [0, 0], 0, [1]), "pad", "[2, 3]", "a step for each");
        Refuses<ShapeException>(() => Counting(2, 3).Pad([0, 0], [0, 0], 0, [1, 0]), "pad", "axis 1", "steps of 0");
    }
}
