using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class LeakyReluOperationTests
{
    [Theory]
    [InlineData(0.01)]
    [InlineData(-2)]
    [InlineData(0)]
    public void ObeysTheLaws(double slope) => OperationLaws.Check(x => x.LeakyRelu(slope), Input.Any.AwayFrom(0));

    [Fact]
    public void LeaksBelow0() => OnBothDevices(() =>
    {
        Gives(Vector(-2, 0, 3, double.NaN).LeakyRelu(), -0.02, 0, 3, double.NaN);
        Gives(Vector(-2, 0, 3, double.NegativeInfinity).LeakyRelu(0.5), -1, 0, 3, double.NegativeInfinity);
    });

    [Fact]
    public void ItsSlopeAt0IsTheOneBelow() =>
        OnBothDevices(() => Gives(Gradient(x => x.LeakyRelu(0.25), Vector(-1, 0, 1), 4, 4, 4), 1, 1, 4));
}
