using Tapegrad.Layers;
using Xunit;

namespace Tapegrad.Tests.Layers.Normalization;

public sealed class GroupNormTests
{
    [Fact]
    public void ObeysTheLawsWithTheFewestGroups() =>
        Twins.ObeyTheLaws(channels =>
            new GroupNorm(channels, GroupSpec.Count(Divisors(channels).First(d => d > 1 || channels == 1))));

    [Fact]
    public void ObeysTheLawsWithGroupsOfTwoOrThree() =>
        Twins.ObeyTheLaws(channels =>
            new GroupNorm(channels, GroupSpec.Size(Divisors(channels).First(d => d > 1 || channels == 1))));

    [Theory]
    [InlineData(3, 7)]
    [InlineData(2, 3, 5, 6)]
    [InlineData(1, 1, 1, 4)]
    public void OneGroupIsLayerNorm(params int[] shape) =>
        Twins.Agree(channels => new GroupNorm(channels, GroupSpec.Count(1)), channels =>
            new LayerNorm(channels), shape);

    [Theory]
    [InlineData(3, 5, 7)]
    [InlineData(2, 3, 5, 6)]
    [InlineData(2, 2, 3, 2, 4)]
    public void GroupsOfOneChannelAreInstanceNorm(params int[] shape) =>
        Twins.Agree(channels => new GroupNorm(channels, GroupSpec.Size(1)), channels =>
            new InstanceNorm(channels), shape);

    // Channels 0, 1 are one group and 2, 3 the other: (0, 2) and (10, 30) become -1, 1 each. Interleaved groups would
    // see (0, 10) and (2, 30).
    [Fact]
    public void GroupsAreContiguousBlocks() => Worked.OnBothDevices(() => Worked.Gives(
        new GroupNorm(4, GroupSpec.Count(2), eps: 0).Apply(Worked.Of([1, 4], 0, 2, 10, 30)), new Shape(1, 4), -1, 1,
        -1, 1));

    private static IEnumerable<int> Divisors(int number) =>
        Enumerable.Range(1, number).Where(divisor => number % divisor == 0);
}
