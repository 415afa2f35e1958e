using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class GlobalAveragePoolOperationTests
{
    [Theory]
    [InlineData("n L c")]
    [InlineData("n H W c")]
    [InlineData("n D H W c")]
    public void ObeysTheLaws(string axes) => OperationLaws.Check(x => x.GlobalAveragePool(), Input.Of(axes));

    // Channels 0 and 1 of two pixels: (0 + 2) / 2 and (1 + 3) / 2; the second sample follows 4 later.
    [Fact]
    public void GivesTheMeanOfEachChannel() =>
        OnBothDevices(() => Gives(Counting(2, 1, 2, 2).GlobalAveragePool(), new Shape(2, 2), 1, 2, 5, 6));

    [Fact]
    public void SpreadsTheGradientEvenly() => OnBothDevices(() =>
        Gives(Gradient(x => x.GlobalAveragePool(), Counting(1, 2, 1, 2), 6, 8), new Shape(1, 2, 1, 2), 3, 4, 3, 4));

    [Fact]
    public void RefusesWhatHasNoPositions()
    {
        Refuses<ShapeException>(() => Counting(2, 3).GlobalAveragePool(), "global average pool", "[2, 3]");
        Refuses<ShapeException>(() => Counting(2, 0, 3, 4).GlobalAveragePool(), "mean", "[2, 0, 3, 4]");
    }
}
