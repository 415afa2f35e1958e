using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class SoftplusOperationTests
{
    [Fact]
    public void ObeysTheLaws() => OperationLaws.Check(x => x.Softplus(), Input.Any);

    [Fact]
    public void IsASmoothRectifier() => OnBothDevices(() =>
        Gives(Vector(0, Math.Log(3), -Math.Log(3), 1000, -1000).Softplus(), Math.Log(2), Math.Log(4), Math.Log(4 / 3.0),
            1000, 0));

    // log(1 + e) is about e: its digits are not lost in 1 + e.
    [Fact]
    public void SmallValuesKeepTheirDigits() => OnBothDevices(() =>
        Gives(Vector(-12, -20, -40).Softplus() * Vector(Math.Exp(12), Math.Exp(20), Math.Exp(40)),
            1 - Math.Exp(-12) / 2 + Math.Exp(-24) / 3, 1 - Math.Exp(-20) / 2, 1));

    [Fact]
    public void ItsSlopeIsTheSigmoid() => OnBothDevices(() =>
        Gives(Gradient(x => x.Softplus(), Vector(0, Math.Log(3), 1000, -1000), 2, 4, 1, 1), 1, 3, 1, 0));
}
