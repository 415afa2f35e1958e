using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class ExpOperationTests
{
    [Fact]
    public void ObeysTheLaws() => OperationLaws.Check(x => x.Exp(), Input.Any);

    [Fact]
    public void GivesThePowersOfE() => OnBothDevices(() =>
        Gives(Vector(0, 1, -1, double.NegativeInfinity, double.PositiveInfinity).Exp(), 1, Math.E, 1 / Math.E, 0,
            double.PositiveInfinity));

    [Fact]
    public void ItsDerivativeIsItself() =>
        OnBothDevices(() => Gives(Gradient(x => x.Exp(), Vector(0, 1), 2, 3), 2, 3 * Math.E));
}
