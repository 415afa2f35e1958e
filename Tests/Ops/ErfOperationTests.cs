using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class ErfOperationTests
{
    [Fact]
    public void ObeysTheLaws() => OperationLaws.Check(x => x.Erf(), Input.Any);

    [Fact]
    public void HasTheValuesOfTheTables() => OnBothDevices(() =>
        Gives(Vector(0, 0.5, -1, 2, 30, -30).Erf(), 0, 0.5204998778130465, -0.8427007929497149, 0.9953222650189527,
            1, -1));

    [Fact]
    public void ItsDerivativeIsTheBellCurve() => OnBothDevices(() =>
        Gives(Gradient(x => x.Erf(), Vector(0, 1, 30), 1, Math.Sqrt(Math.PI), 1), 2 / Math.Sqrt(Math.PI),
            2 / Math.E, 0));
}
