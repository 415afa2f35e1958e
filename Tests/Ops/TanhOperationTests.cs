using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class TanhOperationTests
{
    [Fact]
    public void ObeysTheLaws() => OperationLaws.Check(x => x.Tanh(), Input.Any);

    // tanh(x) = (e^2x - 1) / (e^2x + 1), so at (log 3) / 2 it is (3 - 1) / (3 + 1).
    [Fact]
    public void SquashesInto1() =>
        OnBothDevices(() =>
            Gives(Vector(0, Math.Log(3) / 2, -Math.Log(3) / 2, 1000, -1000).Tanh(), 0, 0.5, -0.5, 1, -1));

    [Fact]
    public void ItsDerivativeIs1MinusItsSquare() =>
        OnBothDevices(() => Gives(Gradient(x => x.Tanh(), Vector(0, Math.Log(3) / 2, 1000), 4, 4, 1), 4, 3, 0));
}
