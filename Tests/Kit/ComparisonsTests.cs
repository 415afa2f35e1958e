using Tapegrad.Laws;
using Xunit;

namespace Tapegrad.Tests.Kit;

/// <summary>The kit is worth what it catches. None of its comparisons can be switched off, on a device, in a mode or for a kind of numbers, without
/// a test that fails.</summary>
public sealed class ComparisonsTests
{
    public static TheoryData<int, string, string> Numbered
    {
        get
        {
            var data = new TheoryData<int, string, string>();
            foreach (var (number, offender) in Offenders.All.Index()) data.Add(number, offender.Comparison, offender.Where);
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
    public void Each_comparison_has_an_offender() => Assert.Empty(Comparison.All.Keys.Except(Offenders.All.Select(offender => offender.Comparison)));

    [Fact]
    public void What_the_offenders_are_made_from_is_right()
    {
        NormalizationLaws.Check(channels => new Offenders.Variant(channels, Offenders.Right));
        NormalizationLaws.CheckMeanAndVariance(channels => new Offenders.Variant(channels, Offenders.Right));
        NormalizationLaws.Check(channels => new Running(channels), except: ["BatchIndependence"]);
    }

    // ---- exceptions ------------------------------------------------------------------------------------------------------------------------------

    [Fact]
    public void An_exception_that_is_none_is_reported()
    {
        var held = Assert.Throws<LawException>(() => OperationLaws.Check(x => x.Exp(), Input.Any, new() { Except = Law.DevicesAgree }));
        Assert.Equal(Law.DevicesAgree, held.Law);
        Assert.Contains("take the exception back", held.Message);
        held = Assert.Throws<LawException>(() => NormalizationLaws.Check(channels => new Offenders.Variant(channels, Offenders.Right), except: ["Pooling"]));
        Assert.Contains("Variant is excepted from the law Pooling", held.Message);
    }

    [Fact]
    public void A_law_that_is_left_aside_is_neither_checked_nor_an_exception() =>
        OperationLaws.Check(x => x, Input.Any, new() { Skip = Law.Derivatives | Law.ThreadsAgree });

    [Fact]
    public void A_law_of_another_name_is_refused() =>
        Assert.Throws<ArgumentException>(() => NormalizationLaws.Check(channels => new Running(channels), except: ["Batchindependence!"]));
}
