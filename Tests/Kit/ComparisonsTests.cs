using Tapegrad.Laws;
using Xunit;

namespace Tapegrad.Tests.Kit;

/// <summary>
/// The kit is worth what it catches. None of its comparisons can be switched off, on a device, in a mode or for a kind
/// of numbers, without a test that fails.
/// </summary>
public sealed class ComparisonsTests
{
    public static TheoryData<int, string, string> Numbered
    {
        get
        {
            var data = new TheoryData<int, string, string>();
            foreach (var (number, offender) in Offenders.All.Index())
                data.Add(number, offender.Comparison, offender.Where);
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Numbered))]
    public void An_offender_is_found_by_its_comparison(int number, string comparison, string where)
    {
        var broken = Assert.Throws<LawException>(Offenders.All[number].Check);
        Assert.True(broken.Comparison == Comparison.All[comparison], broken.Message);
        Assert.Equal(Comparison.All[comparison].Law, broken.Law);
        Assert.Contains(where, broken.Message);
    }

    [Fact]
    public void Each_comparison_has_an_offender() =>
        Assert.Empty(Comparison.All.Keys.Except(Offenders.All.Select(offender => offender.Comparison)));

    [Fact]
    public void What_the_offenders_are_made_from_is_right()
    {
        NormalizationLaws.Check(channels => new Offenders.Variant(channels, Offenders.Right));
        NormalizationLaws.CheckMeanAndVariance(channels => new Offenders.Variant(channels, Offenders.Right));
        NormalizationLaws.Check(channels => new Running(channels), except: ["BatchIndependence"]);
    }

    // A running average that takes 0.004 of each batch needs more than a thousand to come near its limit.
    [Fact]
    public void A_slow_running_average_is_given_the_time_that_it_needs() =>
        NormalizationLaws.Check(channels => new Running(channels) { New = 0.004 },
        new LawOptions { Skip = ~Law.EvaluationLimit, Cases = 2 });

    // ---- comparing --------------------------------------------------------------------------------------------------

    private static void Differs(Action compare) => Assert.Throws<LawViolation>(compare);

    [Fact]
    public void Numbers_are_close_up_to_the_tolerance_times_the_largest()
    {
        static void Close(double[] expected, double[] actual) =>
            Compare.Close(Comparison.DevicesValue, "", expected, actual, 1e-3, "");
        Close([], []);
        Close([0, 0.5], [0.0009, 0.4991]);      // in proportion to 1 where all are smaller
        Differs(() => Close([0, 0.5], [0, 0.5011]));
        Close([-1000, 1], [-1000, 1.9]);
        Differs(() => Close([-1000, 1], [-1000, 2.1]));
        foreach (var odd in (double[])[double.NaN, double.PositiveInfinity])
        {
            Differs(() => Close([1, 1], [1, odd]));
            Differs(() => Close([1, odd], [1, 1]));
        }
        Differs(() => Close([double.NaN], [double.NaN]));
        Close([double.PositiveInfinity, 1], [double.PositiveInfinity, 1]);
        // infinity allows nothing beside it
        Differs(() => Close([double.PositiveInfinity, 1], [double.PositiveInfinity, 2]));
    }

    [Fact]
    public void Bits_are_the_same_to_the_last_and_the_sign()
    {
        static void Bits(double[] expected, double[] actual) =>
            Compare.Bits(Comparison.ThreadsValue, "", expected, actual, "");
        Bits([1, 0, double.NegativeInfinity], [1, 0, double.NegativeInfinity]);
        Differs(() => Bits([1, 2], [1, Math.BitIncrement(2)]));
        Differs(() => Bits([0], [-0.0]));
        Differs(() => Bits([double.NaN], [double.NaN]));
    }

    [Fact]
    public void Arrays_of_unequal_length_differ()
    {
        foreach (var (a, b) in ((double[], double[])[])[([1, 2], [1]), ([1], [1, 2]), ([], [0]), ([0], [])])
        {
            Differs(() => Compare.Close(Comparison.DevicesValue, "", a, b, 1, ""));
            Differs(() => Compare.Bits(Comparison.DevicesValue, "", a, b, ""));
        }
    }

    [Fact]
    public void Each_number_is_finite()
    {
        Compare.Finite(Comparison.MagnitudesValue, "", [1, -1e300, 0]);
        foreach (var odd in (double[])[double.NaN, double.PositiveInfinity, double.NegativeInfinity])
            Differs(() => Compare.Finite(Comparison.MagnitudesValue, "", [1, 2, odd]));
    }

    // ---- exceptions -------------------------------------------------------------------------------------------------

    [Fact]
    public void An_exception_that_is_none_is_reported()
    {
        var held = Assert.Throws<LawException>(() =>
            OperationLaws.Check(x => x.Exp(), Input.Any, new() { Except = Law.DevicesAgree }));
        Assert.Equal(Law.DevicesAgree, held.Law);
        Assert.Contains("take the exception back", held.Message);
        held = Assert.Throws<LawException>(() =>
            NormalizationLaws.Check(channels => new Offenders.Variant(channels, Offenders.Right), except: ["Pooling"]));
        Assert.Contains("Variant is excepted from the law Pooling", held.Message);
    }

    [Fact]
    public void A_law_that_is_left_aside_is_neither_checked_nor_an_exception() =>
        OperationLaws.Check(x => x, Input.Any, new() { Skip = Law.Derivatives | Law.ThreadsAgree });

    [Fact]
    public void Magnitudes_that_are_left_aside_are_not_checked_after_equal_numbers()
    {
        static bool IsTiny(Tensor x) => x.ToDoubles() is var numbers && numbers.Max(Math.Abs) is > 0 and < 1e-13;
        static Tensor Formula(Offenders.Variant n, Tensor x) => Offenders.Right(n, x) * (IsTiny(x) ? double.NaN : 1);
        NormalizationLaws.Check(channels => new Offenders.Variant(channels, Formula),
            new LawOptions { Skip = ~Law.ConstantInput });
    }

    [Fact]
    public void A_law_of_another_name_is_refused() =>
        Assert.Throws<ArgumentException>(() =>
            NormalizationLaws.Check(channels => new Running(channels), except: ["Batchindependence!"]));
}
