using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class StopGradientOperationTests
{
    // What it says about derivatives is meant to be wrong; the other laws hold.
    [Fact]
    public void ObeysTheLaws() =>
        OperationLaws.Check(x => x.StopGradient() * x, Input.Any, new() { Except = Law.Derivatives });

    [Fact]
    public void IsAConstantForTheGradient() => OnBothDevices(() =>
    {
        Gives(Vector(1, 2).StopGradient(), 1, 2);
        Gives(Gradient(x => x * x.StopGradient(), Vector(2, 3), 1, 10), 2, 30);
        Gives(Gradient(x => x.Square() + x.Square().StopGradient(), Vector(2), 1), 4);
    });

    [Fact]
    public void NothingThatIsStoppedIsRecorded()
    {
        using var tape = Tape.Evaluating();
        var x = tape.Watch(Vector(1, 2));
        var y = x.StopGradient() * 3;
        Assert.Equal(1, tape.Count);
        Refuses<InvalidOperationException>(() => tape.Gradients(y, [x]), "did not record");
    }
}
