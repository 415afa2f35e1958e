using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class SigmoidOperationTests
{
    [Fact]
    public void ObeysTheLaws() => OperationLaws.Check(x => x.Sigmoid(), Input.Any);

    // 1 / (1 + e^-(log 3)) = 1 / (1 + 1/3).
    [Fact]
    public void SquashesInto0To1() =>
        OnBothDevices(() => Gives(Vector(0, Math.Log(3), -Math.Log(3), 1000, -1000).Sigmoid(), 0.5, 0.75, 0.25, 1, 0));

    [Fact]
    public void ItsDerivativeIsSTimes1MinusSAndFiniteFarOut() => OnBothDevices(() =>
        Gives(Gradient(x => x.Sigmoid(), Vector(0, Math.Log(3), 1000, -1000), 4, 16, 1, 1), 1, 3, 0, 0));
}
