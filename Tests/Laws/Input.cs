using System.Text.RegularExpressions;

namespace Tapegrad.Laws;

/// <summary>
/// What an operation is fed in a check: the axes, as letters, and how the numbers are drawn. A letter stands for a
/// length that is drawn; the same letter is the
/// same length in all inputs. A capital is at least 1, a small letter may be empty.
/// <code>
/// Input.Any                      any shape; several of them broadcast with each other
/// Input.Of("m K")                a matrix; with Input.Of("K n") one that can follow it in a product
/// Input.Of(".. n")               any axes in front, which broadcast with those of other inputs, and one more
/// Input.Of("n H+2 W+2 2C")       a batch of images at least 3 by 3, with an even number of channels
/// Input.Of("3 3 C O")            numbers stand for themselves
/// Input.Of("")                   a single number
/// </code>
/// </summary>
/// <remarks>
/// An immutable value; thread-safe. Numbers are drawn from the standard normal distribution unless said otherwise.
/// </remarks>
public sealed partial record Input
{
    private readonly Func<RandomSource, int, double[]> fill = (random, count) => Draw(count, random.Normal);

    private Input(bool hasFront, Axis[] axes) => (HasFront, Axes) = (hasFront, axes);

    /// <summary>Any shape; several inputs broadcast with each other.</summary>
    public static Input Any { get; } = Of("..");

    /// <summary>An input with the given axes, separated by spaces.</summary>
    /// <exception cref="FormatException">An axis is none of <c>..</c> (in front), <c>n</c>, <c>2C</c>, <c>H+2</c>,
    /// <c>3</c>.</exception>
    public static Input Of(string axes)
    {
        var words = axes.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var hasFront = words.Length > 0 && words[0] == "..";
        return new Input(hasFront, [.. words.Skip(hasFront ? 1 : 0).Select(Axis.Parse)]);
    }

    /// <summary>Numbers from 0.5 up.</summary>
    public Input Positive() => FilledBy((random, count) => Draw(count, i => 0.5 + Math.Abs(random.Normal(i))));

    /// <summary>Numbers evenly spread between two bounds.</summary>
    public Input Between(double low, double high) =>
        FilledBy((random, count) => Draw(count, i => low + (high - low) * random.Uniform(i)));

    /// <summary>Numbers at least 0.3 away from these places, where the operation has a kink or a pole.</summary>
    public Input AwayFrom(params double[] places)
    {
        const double margin = 0.3;
        bool IsNear(double value) => places.Any(place => Math.Abs(value - place) < margin);
        return FilledBy((random, count) => Draw(count, i =>
        {
            var value = 2 * random.Normal(i);
            var step = value < 0 ? -margin : margin;
            while (IsNear(value)) value += step;   // outwards, past one place after the other
            return value;
        }));
    }

    /// <summary>Numbers no two of which are nearer than 0.1: for an operation that compares its elements.</summary>
    public Input Distinct() =>
        FilledBy((random, count) => [.. random.Permutation(count).Select(i => 0.1 * (i - count / 2))]);

    /// <summary>Numbers drawn by a function of its own: (random, how many) -> numbers.</summary>
    public Input FilledBy(Func<RandomSource, int, double[]> draw) => new(this, draw, IsConstant);

    /// <summary>Never a variable.</summary>
    public Input Constant() => new(this, fill, isConstant: true);

    private Input(Input original, Func<RandomSource, int, double[]> fill, bool isConstant)
        : this(original.HasFront, original.Axes) =>
        (this.fill, IsConstant) = (fill, isConstant);

    internal bool HasFront { get; }

    internal Axis[] Axes { get; }

    internal bool IsConstant { get; }

    internal double[] Fill(RandomSource random, int count) => fill(random, count);

    private static double[] Draw(int count, Func<long, double> element) =>
        [.. Enumerable.Range(0, count).Select(i => element(i))];

    /// <summary>Factor * the length that a letter stands for + Plus; without a letter, Plus.</summary>
    internal readonly partial record struct Axis(char? Letter, int Factor, int Plus)
    {
        public static Axis Parse(string text)
        {
            var match = Pattern().Match(text);
            if (!match.Success)
                throw new FormatException($"the axis '{text}' is none of: '..' (in front), a letter ('n'), a multiple "
                    + "('2C'), a sum ('H+2'), a number ('3').");
            var (number, letter, plus) = (match.Groups[1].Value, match.Groups[2].Value, match.Groups[3].Value);
            if (letter == "") return new Axis(null, 0, int.Parse(number));
            return new Axis(letter[0], number == "" ? 1 : int.Parse(number), plus == "" ? 0 : int.Parse(plus));
        }

        public int Length(IReadOnlyDictionary<char, int> lengths) =>
            (Letter is { } letter ? Factor * lengths[letter] : 0) + Plus;

        [GeneratedRegex(@"^(?!$)(\d*)([A-Za-z]?)(?:(?<=[A-Za-z])\+(\d+))?$")]
        private static partial Regex Pattern();
    }
}
