using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class SquareOperationTests
{
    [Fact]
    public void ObeysTheLaws() => OperationLaws.Check(x => x.Square(), Input.Any);

    [Fact]
    public void SquaresAndDoubles() => OnBothDevices(() =>
    {
        Gives(Vector(-3, 0, 4).Square(), 9, 0, 16);
        Gives(Gradient(x => x.Square(), Vector(-3, 0, 4), 1, 1, 10), -6, 0, 80);
    });
}
