namespace Tapegrad.Layers;

/// <summary>
/// How channels are cut into groups: into so many, or into groups of so many. Groups are contiguous blocks of channels,
/// and a remainder is refused.
/// </summary>
public readonly record struct GroupSpec
{
    private readonly int number;
    private readonly bool isSize;

    private GroupSpec(int number, bool isSize)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(number, 1);
        (this.number, this.isSize) = (number, isSize);
    }

    /// <summary>So many groups.</summary>
    public static GroupSpec Count(int groups) => new(groups, false);

    /// <summary>Groups of so many channels each.</summary>
    public static GroupSpec Size(int channelsPerGroup) => new(channelsPerGroup, true);

    /// <summary>The number of groups that the channels form.</summary>
    /// <exception cref="ShapeException">The channels cannot be cut so without a remainder.</exception>
    public int Groups(int channels)
    {
        if (number > 0 && channels % number == 0) return isSize ? channels / number : number;
        var divisors = string.Join(", ", Enumerable.Range(1, channels).Where(divisor => channels % divisor == 0));
        var wish = isSize ? $"groups of {number} channels" : $"{number} groups of equal size";
        throw new ShapeException($"GroupNorm: {channels} channels do not form {wish}; the "
            + $"{(isSize ? "size" : "number")} of groups must divide {channels}: one of {divisors}.");
    }

    /// <summary>"group:8" for eight groups, "size:8" for groups of eight channels.</summary>
    public override string ToString() => $"{(isSize ? "size" : "group")}:{number}";
}
