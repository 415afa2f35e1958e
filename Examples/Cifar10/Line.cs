using Spectre.Console.Rendering;

namespace Tapegrad.Examples.Cifar10;

/// <summary>
/// Text for one line of a terminal. It may come from a stranger's file, and what moves a cursor or begins a colour
/// there must not do so here: control characters, and those that turn the direction of writing round, become question
/// marks, ends of lines become blanks.
/// </summary>
internal static class Line
{
    public static string Of(string text) =>
        string.Concat(text.ReplaceLineEndings(" ")
            .Select(letter => char.IsControl(letter) || TurnsWriting(letter) ? '?' : letter));

    /// <summary>
    /// How many columns it takes: a sign of Chinese takes two, and a mark above the letter before it none.
    /// </summary>
    public static int Width(string line) => new Segment(line).CellCount();

    /// <summary>With blanks behind it, up to so many columns.</summary>
    public static string Pad(string line, int width) => line + new string(' ', Math.Max(0, width - Width(line)));

    // Unicode's embeddings, overrides and isolates.
    private static bool TurnsWriting(char letter) =>
        letter is >= '\u202A' and <= '\u202E' or >= '\u2066' and <= '\u2069';
}
