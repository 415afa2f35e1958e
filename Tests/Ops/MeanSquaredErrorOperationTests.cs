using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class MeanSquaredErrorOperationTests
{
    [Fact]
    public void ObeysTheLaws() =>
        OperationLaws.Check((x, y) => x.MeanSquaredError(y), Input.Of("N C"), Input.Of("N C"));

    [Fact]
    public void IsTheMeanOfTheSquares() => OnBothDevices(() =>
    {
        Gives(Of([2, 2], 1, 2, 3, 4).MeanSquaredError(Of([2, 2], 1, 4, 3, 0)), Shape.Scalar, 5);
        Gives(Gradient(x => x.MeanSquaredError(Vector(1, 4)), Vector(1, 2), 10), 0, -20);
    });

    [Fact]
    public void RefusesToBroadcastAndToAverageNothing()
    {
        Refuses<ShapeException>(() => Counting(3).MeanSquaredError(Counting(3, 1)), "mean squared error", "[3]",
            "[3, 1]");
        Refuses<ShapeException>(() => Of([0]).MeanSquaredError(Of([0])), "[0]");
    }
}
