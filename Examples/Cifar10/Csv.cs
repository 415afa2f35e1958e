using System.Text;

namespace Tapegrad.Examples.Cifar10;

/// <summary>
/// Tables as text, as RFC 4180 has them: commas, and quotes around what has commas, quotes or ends of lines in it.
/// </summary>
internal static class Csv
{
    public static string Of(string[] head, IEnumerable<string[]> rows)
    {
        var text = new StringBuilder();
        foreach (var row in rows.Prepend(head)) text.AppendJoin(',', row.Select(Field)).Append("\r\n");
        return text.ToString();
    }

    private static string Field(string text) =>
        text.AsSpan().ContainsAny(",\"\r\n") ? $"\"{text.Replace("\"", "\"\"", StringComparison.Ordinal)}\"" : text;
}
