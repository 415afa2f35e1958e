using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace Tapegrad.Examples.Cifar10;

/// <summary>
/// Options that read numbers in one way on every machine: a decimal point, no thousands separators, within limits; else one line
/// that names the option.
/// </summary>
public static class Options
{
    /// <summary>A whole number.</summary>
    public static Option<int> Whole(string name, string description, int standard, int least = 1, int most = int.MaxValue) =>
        WithDefault(Parsed<int>(name, description, text => ParseWhole(text, least, most), $"a whole number from {least} to {most}"), standard);

    /// <summary>A whole number from 1 up, or nothing.</summary>
    public static Option<int?> Limit(string name, string description, int most = int.MaxValue) =>
        OptionalParsed(name, description, text => ParseWhole(text, 1, most), $"a whole number from 1 to {most}");

    /// <summary>A number.</summary>
    public static Option<double> Number(string name, string description, double standard, double least, double most) =>
        WithDefault(Parsed<double>(name, description, text => ParseNumber(text, least, most), Expected(least, most, standard)), standard);

    /// <summary>A number, or nothing.</summary>
    public static Option<double?> OptionalNumber(string name, string description, double most, double example) =>
        OptionalParsed(name, description, text => ParseNumber(text, 0, most), Expected(0, most, example));

    private static string Expected(double least, double most, double example) =>
        $"a number from {Text(least)} to {Text(most)} with a decimal point, such as {Text(example)}";

    /// <summary>One of some words.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="description">What it says.</param>
    /// <param name="standard">What stands in its place.</param>
    /// <param name="isValid">Whether a word is one of them.</param>
    /// <param name="expected">The words.</param>
    /// <param name="more">What else is to be said to whoever gives another one.</param>
    public static Option<string> Choice(string name, string description, string standard, Func<string, bool> isValid, string expected,
        string more = "") =>
        WithDefault(new Option<string>(name)
        {
            Description = description,
            HelpName = expected,
            CustomParser = result => isValid(result.Tokens[0].Value) ? result.Tokens[0].Value : Refuse<string>(result, name, expected + more)!,
        }, standard);

    /// <summary>One of some words, or nothing.</summary>
    public static Option<string?> OptionalChoice(string name, string description, Func<string, bool> isValid, string expected) => new(name)
    {
        Description = description,
        HelpName = expected,
        CustomParser = result => isValid(result.Tokens[0].Value) ? result.Tokens[0].Value : Refuse<string>(result, name, expected),
    };

    /// <summary>A path.</summary>
    public static Option<string?> Path(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "path",
        CustomParser = result =>
            result.Tokens[0].Value is { Length: > 0 } path ? path : Refuse<string>(result, name, "a path that is not empty"),
    };

    /// <summary>What is said or not.</summary>
    public static Option<bool> Flag(string name, string description) => new(name) { Description = description };

    private static Option<T> Parsed<T>(string name, string description, Func<string, T?> parse, string expected) where T : struct => new(name)
    {
        Description = description,
        HelpName = "number",
        CustomParser = result => parse(result.Tokens[0].Value) ?? Refuse<T>(result, name, expected),
    };

    private static Option<T?> OptionalParsed<T>(string name, string description, Func<string, T?> parse, string expected) where T : struct => new(name)
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

    private static int? ParseWhole(string text, int least, int most) =>
        int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value) && value >= least && value <= most ? value : null;

    private static double? ParseNumber(string text, double least, double most) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && value >= least && value <= most ? value : null;

    private static T? Refuse<T>(ArgumentResult result, string name, string expected)
    {
        result.AddError($"{name} '{result.Tokens[0].Value}': it must be {expected}.");
        return default;
    }

    private static string Text<T>(T value) where T : IFormattable => value.ToString(null, CultureInfo.InvariantCulture);
}
