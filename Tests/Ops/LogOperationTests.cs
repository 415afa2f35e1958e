using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class LogOperationTests
{
    [Fact]
    public void ObeysTheLaws() => OperationLaws.Check(x => x.Log(), Input.Any.Positive());

    [Fact]
    public void GivesTheNaturalLogarithm() => OnBothDevices(() =>
        Gives(Vector(1, Math.E, 0, -1, double.PositiveInfinity).Log(), 0, 1, double.NegativeInfinity, double.NaN,
            double.PositiveInfinity));

    [Fact]
    public void ItsDerivativeIsTheInverse() =>
        OnBothDevices(() => Gives(Gradient(x => x.Log(), Vector(4, 0.5), 2, 3), 0.5, 6));
}
