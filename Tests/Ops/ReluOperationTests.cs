using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class ReluOperationTests
{
    [Fact]
    public void ObeysTheLaws() => OperationLaws.Check(x => x.Relu(), Input.Any.AwayFrom(0));

    [Fact]
    public void ObeysTheLawsBehindAnotherOperation() =>
        OperationLaws.Check(x => x.Square().Relu() * x.Relu(), Input.Any.AwayFrom(0));

    [Fact]
    public void KeepsWhatIsPositive() => OnBothDevices(() =>
        Gives(Vector(-1, 0, 2, double.NaN, double.NegativeInfinity, double.PositiveInfinity).Relu(),
            0, 0, 2, double.NaN, 0, double.PositiveInfinity));

    [Fact]
    public void ItsDerivativeAt0Is0() =>
        OnBothDevices(() => Gives(Gradient(x => x.Relu(), Vector(-1, 0, 2), 5, 6, 7), 0, 0, 7));
}
