using System.Collections.Immutable;

namespace Tapegrad.Laws;

/// <summary>Something drawn that a check runs on, and what is smaller than it.</summary>
internal interface ICase<out TSelf>
{
    /// <summary>It was drawn from this, and will be again.</summary>
    long Seed { get; }

    IReadOnlyList<Shape> Shapes { get; }

    /// <summary>The shapes and, if they are few, the numbers.</summary>
    string Describe();

    /// <summary>Smaller cases: shapes first, then numbers.</summary>
    IEnumerable<TSelf> Smaller();
}

/// <summary>Inputs with lengths for their letters. A function of the inputs and the seed alone.</summary>
internal sealed record Case : ICase<Case>
{
    // the reference device is slow, and derivatives of third order are many passes
    private const int FewElements = 250;
    private const int ManyElements = 70000;   // enough for a device to use its threads

    private readonly Input[] inputs;
    private ImmutableSortedDictionary<char, int> lengths;
    private int[] front;
    private bool isRounded;
    private bool broadcasts = true;   // not when large: two small inputs can have an enormous result

    private Case(Input[] inputs, long seed, ImmutableSortedDictionary<char, int> lengths, int[] front)
    {
        (this.inputs, Seed, this.lengths, this.front) = (inputs, seed, lengths, front);
    }

    public long Seed { get; }

    public IReadOnlyList<Shape> Shapes => [.. inputs.Select((_, i) => ShapeOf(i))];

    /// <summary>Which inputs may vary.</summary>
    public bool[] MayVary => [.. inputs.Select(input => !input.IsConstant)];

    public RandomSource Random => new(Seed);

    /// <summary>The numbers of an input, as float holds them, so that all devices compute with the same ones.</summary>
    public double[] Values(int input)
    {
        var values = inputs[input].Fill(Random.Split(input), ShapeOf(input).Count);
        return Array.ConvertAll(values, value => (double)(float)(isRounded ? Math.Round(value, 1) : value));
    }

    /// <summary>The inputs on the current device.</summary>
    public Tensor[] Tensors() => [.. inputs.Select((_, i) => Tensor.From(Values(i), ShapeOf(i)))];

    /// <summary>
    /// A small case. The seed's last two digits are the case's number, and the first ones are the edges: 0 has every
    /// axis 1, and in the next each axis in turn is empty that may be.
    /// </summary>
    public static Case Draw(Input[] inputs, long seed)
    {
        var (random, number) = (new RandomSource(seed).Split(-1), (int)(seed % 100));
        var letters = LettersOf(inputs);
        var empty = letters.Where(char.IsLower).ToArray();
        var anyFront = inputs.Any(input => input.HasFront);
        var front = anyFront ? new int[random.Below(4, 0)] : [];
        var result = new Case(inputs, seed,
            letters.ToImmutableSortedDictionary(letter => letter, letter =>
                DrawLength(random.Split(letter), notEmpty: !char.IsLower(letter))),
            [.. front.Select((_, axis) => DrawLength(random.Split(1000 + axis), notEmpty: false))]);
        if (number == 0)
            return result with
            {
                lengths = letters.ToImmutableSortedDictionary(letter => letter, _ => 1),
                front = Array.ConvertAll(front, _ => 1)
            };
        if (number <= empty.Length) result = result with { lengths = result.lengths.SetItem(empty[number - 1], 0) };
        else if (number == empty.Length + 1 && anyFront) result = result with { front = [.. result.front.Take(2), 0] };
        while (result.Count > FewElements
            && result.Smaller().FirstOrDefault(other => other.Count < result.Count) is { } smaller) result = smaller;
        return result;
    }

    /// <summary>A large case.</summary>
    public static Case DrawLarge(Input[] inputs, long seed)
    {
        var random = new RandomSource(seed).Split(-2);
        var letters = LettersOf(inputs);
        var lengths = letters.Select(_ => 2).Concat(inputs.Any(input => input.HasFront) ? [3, 5] : (int[])[]).ToArray();
        Case Current() =>
            new(inputs, seed, letters.Zip(lengths).ToImmutableSortedDictionary(pair => pair.First, pair => pair.Second),
            lengths[letters.Length..])
            { broadcasts = false };
        // One axis after another grows by half and a bit, so that lengths are odd, prime, anything but powers of two.
        for (var i = 0; Current().Count < ManyElements && lengths.Length > 0; i++)
        {
            ref var length = ref lengths[random.Below(lengths.Length, i)];
            length += length / 2 + 1;
        }
        return Current();
    }

    public IEnumerable<Case> Smaller()
    {
        foreach (var (letter, length) in lengths)
            foreach (var smaller in SmallerLengths(length, char.IsLower(letter) ? 0 : 1))
                yield return this with { lengths = lengths.SetItem(letter, smaller) };
        for (var axis = 0; axis < front.Length; axis++)
        {
            yield return this with { front = [.. front[..axis], .. front[(axis + 1)..]] };
            foreach (var smaller in SmallerLengths(front[axis], 0))
                yield return this with { front = [.. front[..axis], smaller, .. front[(axis + 1)..]] };
        }
        if (!isRounded) yield return this with { isRounded = true };
    }

    public string Describe() => string.Join(", ", inputs.Select((_, i) => ShapeOf(i).Count is > 0 and <= 12
        ? FormattableString.Invariant(
            $"{ShapeOf(i)} = ({string.Join(", ", Values(i).Select(value => value.ToString("G7")))})")
            : $"{ShapeOf(i)}"));

    private int Count => Shapes.Sum(shape => shape.Count);

    // From the smallest on: the first one that still fails is taken. 1 before 0, since an empty input seldom shows
    // anything.
    private static IEnumerable<int> SmallerLengths(int length, int least) =>
        new[] { 1, length / 2, length - 1 }.Where(smaller => smaller >= least && smaller < length
            && (smaller > 0 || length == 1)).Distinct();

    private static int DrawLength(RandomSource random, bool notEmpty)
    {
        int[] lengths = notEmpty ? [1, 1, 2, 2, 3, 3, 5, 7] : [1, 1, 2, 2, 3, 3, 5, 0];
        return lengths[random.Below(lengths.Length, 0)];
    }

    private static char[] LettersOf(Input[] inputs) =>
        [.. inputs.SelectMany(input => input.Axes).Select(axis => axis.Letter).OfType<char>().Distinct().Order()];

    // The axes in front, some of them dropped or 1, so that the inputs broadcast with each other; then the axes by
    // letter.
    private Shape ShapeOf(int input)
    {
        IEnumerable<int> before = [];
        if (inputs[input].HasFront)
        {
            var random = Random.Split(input).Split(-1);
            var varies = broadcasts && inputs.Count(other => other.HasFront) > 1;
            var dropped = varies ? Math.Max(0, random.Below(front.Length + 3, 0) - 2) : 0;
            before = front.Select((length, axis) => varies && random.Below(4, front.Length - axis) == 0 ? 1 : length)
                .Skip(dropped);
        }
        return new Shape([.. before, .. inputs[input].Axes.Select(axis => axis.Length(lengths))]);
    }
}
