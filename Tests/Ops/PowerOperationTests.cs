using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class PowerOperationTests
{
    [Theory]
    [InlineData(0.5)]
    [InlineData(-1.5)]
    [InlineData(2.5)]
    public void ObeysTheLaws(double exponent) => OperationLaws.Check(x => x.Power(exponent), Input.Any.Positive());

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(-2)]
    public void ObeysTheLawsForWholeExponentsOfAnyNumber(double exponent) =>
        OperationLaws.Check(x => x.Power(exponent), Input.Any.AwayFrom(0));

    [Fact]
    public void Raises() => OnBothDevices(() =>
    {
        Gives(Vector(2, -2, 0).Power(3), 8, -8, 0);
        Gives(Vector(4, 0.25).Power(-0.5), 0.5, 2);
        Gives(Vector(-4).Power(0.5), double.NaN);
        Gives(Vector(3, 0).Power(0), 1, 1);
    });

    [Fact]
    public void DerivativesByHandAlsoAt0() => OnBothDevices(() =>
    {
        Gives(Gradient(x => x.Power(3), Vector(2, 0), 1, 1), 12, 0);
        Gives(Gradient(x => x.Power(1), Vector(2, 0), 1, 1), 1, 1);
        Gives(Gradient(x => x.Power(0), Vector(2, 0), 1, 1), 0, 0);
    });
}
