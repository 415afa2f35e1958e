using Tapegrad.Devices;
using Tapegrad.Laws;
using Tapegrad.Tests.Devices;
using Xunit;

namespace Tapegrad.Tests.Kit;

/// <summary>The kit is worth what it catches: operations that are wrong in one way each.</summary>
public class OperationLawsTests
{
    private static readonly LawOptions Options = new();

    private static LawException Breaks(Law law, Action check)
    {
        var broken = Assert.Throws<LawException>(check);
        Assert.True(broken.Law == law, $"{broken.Law} instead of {law}: {broken.Message}");
        Assert.Contains($"{law}", broken.Message);
        return broken;
    }

    [Fact]
    public void AForgottenFactorIsFoundOnTheSmallestShape()
    {
        var broken = Breaks(Law.Derivatives, () =>
            OperationLaws.Check(x => Tape.Record("wrong", x.Square(), (x, (_, g) => g * x)), Input.Of("m n")));
        Assert.Equal(new Shape(1, 1), Assert.Single(broken.Shapes));
        Assert.Contains("order 1", broken.Message);
    }

    // Right at first order, but the pull is not recorded.
    [Fact]
    public void ASecondOrderThatIsCutOffIsFound()
    {
        static Tensor Cut(Tensor x) => Tape.Record("cut", x.Square(), (x, (_, g) => g * x.StopGradient() * 2));
        Assert.Contains("order 2", Breaks(Law.Derivatives, () => OperationLaws.Check(Cut, Input.Any)).Message);
        OperationLaws.Check(Cut, Input.Any, new() { Order = 1 });
    }

    // The slope of x^3 as an operation of its own, whose derivative by x is right and not recorded.
    [Fact]
    public void AThirdOrderThatIsCutOffIsFound()
    {
        static Tensor Slope(Tensor x, Tensor g) => Tape.Record("slope", (g * x * x * 3).StopGradient(),
            (g, (_, u) => u * x * x * 3),
            (x, (_, u) => u * g * x.StopGradient() * 6));
        static Tensor Cut(Tensor x) => Tape.Record("cube", (x * x * x).StopGradient(), (x, (_, g) => Slope(x, g)));
        Assert.Contains("order 3", Breaks(Law.Derivatives, () => OperationLaws.Check(Cut, Input.Any)).Message);
        OperationLaws.Check(Cut, Input.Any, new() { Order = 2 });
    }

    // The two variables are right together, and the second one is wrong where the first is a constant.
    [Fact]
    public void EveryChoiceOfVariablesIsTried() =>
        Assert.Contains("input 1", Breaks(Law.Derivatives, () => OperationLaws.Check(
        (a, b) => Tape.Record("wrong", (a * b).StopGradient(), [a, b], (_, g, wanted) =>
            wanted[0] ? [g * b, g * a] : [null, g * b]),
        Input.Of("n"), Input.Of("n"))).Message);

    [Fact]
    public void AConstantIsNeverAVariable() =>
        OperationLaws.Check((x, c) => Tape.Record("times", (x * c).StopGradient(), [x, c],
        (_, g, wanted) => wanted[1] ? throw new InvalidOperationException("a constant") : [g * c, null]), Input.Of("n"),
        Input.Of("n").Constant());

    // Threads divide another work each time.
    [Fact]
    public void TwoLargeShapesAreTried()
    {
        var large = new HashSet<Shape>();
        OperationLaws.Check(x =>
        {
            if (x.Count > 10_000) large.Add(x.Shape);
            return x;
        }, Input.Of("m n"), new() { Skip = ~Law.ThreadsAgree });
        Assert.Equal(2, large.Count);
    }

    [Fact]
    public void AnErrorThatNeedsTwoRowsIsMadeNoSmaller()
    {
        // The sum of each column, whose gradient reaches the first row only.
        var broken = Breaks(Law.Derivatives, () =>
            OperationLaws.Check(x => Tape.Record("wrong", x.Sum([0], keepAxes: true).StopGradient(),
            (x, (_, g) => x.Shape[0] > 1 ? g.Concatenate(0, Tensor.Zeros(new Shape(x.Shape[0] - 1, x.Shape[1]))) : g)),
            Input.Of("M N")));
        Assert.Equal(new Shape(2, 1), Assert.Single(broken.Shapes));
    }

    [Fact]
    public void AnEmptyAxisIsTriedWhereItIsAllowed()
    {
        var broken = Breaks(Law.Computes, () => OperationLaws.Check(x => x.Mean(1), Input.Of("m n")));
        Assert.Equal(0, Assert.Single(broken.Shapes)[1]);
        Assert.IsType<ShapeException>(broken.InnerException);
        OperationLaws.Check(x => x.Mean(1), Input.Of("m N"));
    }

    // The engine refuses it before any law is asked.
    [Fact]
    public void AGradientOfAnotherShapeIsFound() => Breaks(Law.Computes, () =>
        OperationLaws.Check(x => Tape.Record("wrong", (x * 2).StopGradient(), (x, (_, g) => (g * 2).Reshape(-1))),
            Input.Of("m 2")));

    [Fact]
    public void AnExceptedLawIsNotMeantToHold() =>
        OperationLaws.Check(x => x.Device == Device.Cpu ? x * 1.01 : x, Input.Any, new() { Except = Law.DevicesAgree });

    [Fact]
    public void TheSeedOfAReportShowsTheCaseAgain()
    {
        static Tensor Wrong(Tensor x) => x.Shape[0] == 5 ? throw new InvalidOperationException("five") : x;
        var broken =
            Breaks(Law.Computes, () => OperationLaws.Check(Wrong, Input.Of("n"), Options with { Cases = 100 }));
        Assert.Contains($"Replay = {broken.Seed}", broken.Message);
        var again = Breaks(Law.Computes, () =>
            OperationLaws.Check(Wrong, Input.Of("n"), Options with { Replay = broken.Seed }));
        Assert.Equal(broken.Message, again.Message);
    }

    [Fact]
    public void AnotherSeedDrawsOtherCases()
    {
        static List<string> Drawn(LawOptions options)
        {
            var drawn = new List<string>();
            OperationLaws.Check(x => { drawn.Add($"{x.Shape}"); return x; }, Input.Any, options);
            return drawn;
        }
        Assert.Equal(Drawn(Options), Drawn(Options));
        Assert.NotEqual(Drawn(Options), Drawn(Options with { Seed = 1 }));
    }
}

/// <summary>Alone, since the console is everybody's: other tests print what their properties passed.</summary>
[Collection(ThreadCount.Name)]
public class OperationLawsPrintTests
{
    [Fact]
    public void NothingIsPrinted()
    {
        var before = Console.Out;
        using var output = new StringWriter();
        Console.SetOut(output);
        try
        {
            OperationLaws.Check(x => x.Exp(), Input.Any, new LawOptions { Cases = 2 });
            Assert.Throws<LawException>(() => OperationLaws.Check(x => x.Mean(), Input.Any));
        }
        finally
        {
            Console.SetOut(before);
        }
        Assert.DoesNotContain("Falsifiable", output.ToString());
        Assert.DoesNotContain("passed", output.ToString());
    }
}
