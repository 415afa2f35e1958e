using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class NegateOperationTests
{
    [Fact]
    public void ObeysTheLaws() => OperationLaws.Check(x => -x, Input.Any);

    [Fact]
    public void ChangesTheSign() => OnBothDevices(() =>
    {
        Gives(-Vector(1, -2, double.PositiveInfinity), -1, 2, double.NegativeInfinity);
        Gives(Gradient(x => -x, Vector(1, 2), 3, 4), -3, -4);
    });
}
