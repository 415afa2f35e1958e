using Tapegrad.Laws;
using Tapegrad.Layers;
using Xunit;

namespace Tapegrad.Tests.Layers.Normalization;

/// <summary>
/// Every normalization of the catalogue obeys all laws but those that it names: whoever adds one is checked without a
/// test of its own.
/// </summary>
public sealed class CatalogueLawsTests
{
    public static TheoryData<string> Examples => [.. Normalizations.All.SelectMany(info => info.Examples)];

    [Theory]
    [MemberData(nameof(Examples))]
    public void Each_example_obeys_all_laws_but_those_that_it_names(string name)
    {
        var info = Normalizations.All.Single(info => info.Examples.Contains(name));
        var create = Normalizations.Parse(name);
        // As many channels as its groups divide; 32 always fit.
        int[] channels =
            [.. ((int[])[1, 2, 3, 4, 6, 7, 8, 16, 32]).Where(count => Record.Exception(() => create(count)) is null)];
        Assert.NotEmpty(channels);
        NormalizationLaws.Check(create, new() { Channels = channels }, info.DisobeyedLaws);
    }

    [Fact]
    public void Each_has_an_example() =>
        Assert.Empty(Normalizations.All.Where(info => info.Examples.Count == 0).Select(info => info.Usage));
}
