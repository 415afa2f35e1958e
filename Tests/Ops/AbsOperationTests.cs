using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class AbsOperationTests
{
    [Fact]
    public void ObeysTheLaws() => OperationLaws.Check(x => x.Abs(), Input.Any.AwayFrom(0));

    [Fact]
    public void GivesTheMagnitude() =>
        OnBothDevices(() => Gives(Vector(-2.5, 0, 3, double.NegativeInfinity, double.NaN).Abs(), 2.5, 0, 3,
            double.PositiveInfinity, double.NaN));

    [Fact]
    public void ItsDerivativeIsTheSignAnd0At0() =>
        OnBothDevices(() => Gives(Gradient(x => x.Abs(), Vector(-2, 0, 3), 5, 6, 7), -5, 0, 7));
}
