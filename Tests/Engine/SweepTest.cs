namespace Tapegrad.Tests.Engine;

/// <summary>
/// What tests of a sweep begin with: a parameter, and a loss whose gradient tells its two elements apart.
/// </summary>
public abstract class SweepTest : EngineTest
{
    protected readonly Parameter p;

    protected SweepTest() => p = new("p", Vector(2, 3));

    // The sum of the elements of y times 1 and 10.
    protected static Tensor Loss(Tensor y) => (y * Vector(1, 10)).Sum();
}
