using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class SqrtOperationTests
{
    [Fact]
    public void ObeysTheLaws() => OperationLaws.Check(x => x.Sqrt(), Input.Any.Positive());

    [Fact]
    public void GivesTheRoot() =>
        OnBothDevices(() =>
            Gives(Vector(9, 0, -1, double.PositiveInfinity).Sqrt(), 3, 0, double.NaN, double.PositiveInfinity));

    [Fact]
    public void ItsDerivativeIsHalfTheInverseRootAndInfiniteAt0() => OnBothDevices(() =>
        Gives(Gradient(x => x.Sqrt(), Vector(9, 0.25, 0), 6, 6, 1), 1, 6, double.PositiveInfinity));
}
