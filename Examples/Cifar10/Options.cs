using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace Tapegrad.Examples.Cifar10;

/// <summary>
/// Options that read numbers in one way on every machine: a decimal point, no thousands separators, within limits; else
/// one line that names the option.
/// </summary>
public static class Options
{
    private static readonly (double Least, double Most) Counts = (1, int.MaxValue);

    /// <summary>A whole number; from 1 up when no range is given.</summary>
    public static Option<int> Whole(string name, string description, int standard,
        (double Least, double Most)? range = null) =>
        WithDefault(Parsed<int>(name, description, text => ParseWhole(text, range ?? Counts),
            ExpectedWhole(range ?? Counts)), standard);

    /// <summary>A whole number, or nothing; from 1 up when no range is given.</summary>
    public static Option<int?> Limit(string name, string description, (double Least, double Most)? range = null) =>
        OptionalParsed(name, description, text => ParseWhole(text, range ?? Counts), ExpectedWhole(range ?? Counts));

    /// <summary>A number.</summary>
    public static Option<double> Number(string name, string description, double standard,
        (double Least, double Most) range) =>
        WithDefault(Parsed<double>(name, description, text => ParseNumber(text, range), Expected(range, standard)),
            standard);

    /// <summary>A number, or nothing.</summary>
    public static Option<double?> OptionalNumber(string name, string description, (double Least, double Most) range,
        double example) =>
        OptionalParsed(name, description, text => ParseNumber(text, range), Expected(range, example));

    private static string Expected((double Least, double Most) range, double example) =>
        $"a number from {Text(range.Least)} to {Text(range.Most)} with a decimal point, such as {Text(example)}";

    private static string ExpectedWhole((double Least, double Most) range) =>
        $"a whole number from {(int)range.Least} to {(int)range.Most}";

    /// <summary>One of some words.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="description">What it says.</param>
    /// <param name="standard">What stands in its place.</param>
    /// <param name="isValid">Whether a word is one of them.</param>
    /// <param name="expected">The words.</param>
    /// <param name="more">What else is to be said to whoever gives another one.</param>
    public static Option<string> Choice(string name, string description, string standard, Func<string, bool> isValid,
        string expected, string more = "") =>
        WithDefault(new Option<string>(name)
        {
            Description = description,
            HelpName = expected,
            CustomParser = result => isValid(result.Tokens[0].Value) ? result.Tokens[0].Value
            : Refuse<string>(result, name, expected + more)!,
        }, standard);

    /// <summary>One of some words, or nothing.</summary>
    public static Option<string?> OptionalChoice(string name, string description, Func<string, bool> isValid,
        string expected) => new(name)
        {
            Description = description,
            HelpName = expected,
            CustomParser = result =>
            isValid(result.Tokens[0].Value) ? result.Tokens[0].Value : Refuse<string>(result, name, expected),
        };

    /// <summary>A path.</summary>
    public static Option<string?> Path(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "path",
        CustomParser = result =>
            result.Tokens[0].Value is { Length: > 0 } path ? path
            : Refuse<string>(result, name, "a path that is not empty"),
    };

    /// <summary>What is said or not.</summary>
    public static Option<bool> Flag(string name, string description) => new(name) { Description = description };

    /// <summary>What is said, said not to be (<c>--nesterov false</c>), or left open.</summary>
    public static Option<bool?> OptionalFlag(string name, string description) => new(name)
    {
        Description = description,
    };

    private static Option<T> Parsed<T>(string name, string description, Func<string, T?> parse, string expected)
        where T : struct => new(name)
        {
            Description = description,
            HelpName = "number",
            CustomParser = result => parse(result.Tokens[0].Value) ?? Refuse<T>(result, name, expected),
        };

    private static Option<T?> OptionalParsed<T>(string name, string description, Func<string, T?> parse,
        string expected) where T : struct => new(name)
        {
            Description = description,
            HelpName = "number",
            CustomParser = result => parse(result.Tokens[0].Value) ?? Refuse<T?>(result, name, expected),
        };

    private static Option<T> WithDefault<T>(Option<T> option, T standard)
    {
        option.DefaultValueFactory = _ => standard;
        return option;
    }

    private static int? ParseWhole(string text, (double Least, double Most) range) =>
        int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value)
            && value >= range.Least && value <= range.Most ? value : null;

    private static double? ParseNumber(string text, (double Least, double Most) range) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value)
            && value >= range.Least && value <= range.Most ? value : null;

    private static T? Refuse<T>(ArgumentResult result, string name, string expected)
    {
        result.AddError($"{name} '{result.Tokens[0].Value}': it must be {expected}.");
        return default;
    }

    private static string Text<T>(T value) where T : IFormattable => value.ToString(null, CultureInfo.InvariantCulture);
}
