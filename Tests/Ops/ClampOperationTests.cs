using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class ClampOperationTests
{
    [Fact]
    public void ObeysTheLaws() => OperationLaws.Check(x => x.Clamp(-1, 0.5), Input.Any.AwayFrom(-1, 0.5));

    [Fact]
    public void MovesIntoTheRange() => OnBothDevices(() =>
    {
        Gives(Vector(-3, -1, 0, 2, 3, double.NaN).Clamp(-1, 2), -1, -1, 0, 2, 2, double.NaN);
        Gives(Vector(-3, 3).Clamp(double.NegativeInfinity, 2), -3, 2);
        Gives(Vector(-3, 3).Clamp(1, 1), 1, 1);
    });

    [Fact]
    public void TheGradientPassesInsideTheRangeItsEndsIncluded() => OnBothDevices(() =>
        Gives(Gradient(x => x.Clamp(-1, 2), Vector(-3, -1, 0, 2, 3), 1, 2, 3, 4, double.PositiveInfinity), 0, 2,
            3, 4, 0));

    [Theory]
    [InlineData(2, 1)]
    [InlineData(double.NaN, 1)]
    [InlineData(0, double.NaN)]
    public void RefusesAnEmptyRange(double low, double high) =>
        Refuses<ArgumentException>(() => Vector(1).Clamp(low, high), "clamp", $"{low}", $"{high}");
}
