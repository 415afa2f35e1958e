using System.Text;

namespace Tapegrad;

/// <summary>
/// One record of a tape: what was computed, from what, in which layer, and how a gradient passes back.
/// </summary>
internal readonly record struct TapeEntry(string Name, Tensor Value, Tensor[] Inputs, LayerContext? Layer)
{
    /// <summary>One pull for each input; null where they are together in <see cref="PullAll"/>.</summary>
    public Pull[]? Pulls { get; init; }

    /// <summary>One pull for all inputs.</summary>
    public PullAll? PullAll { get; init; }

    /// <summary>The same value by simpler recorded operations, for gradients of gradients.</summary>
    public Func<Tensor[], Tensor>? Composite { get; init; }

    /// <summary>The parameter whose value this is: a variable, computed from nothing.</summary>
    public Parameter? Parameter { get; init; }

    /// <summary>What an observer is told.</summary>
    public TapeEvent Event(bool backward) => new(Name, Layer, Value, Inputs, backward);

    /// <summary>Throws when a number of the value is infinite or NaN, and says where it stands.</summary>
    public void CheckValue() => CheckFinite(Value, "value",
        Parameter ?? Inputs.Select(input => input.Parameter).FirstOrDefault(parameter => parameter is not null));

    /// <summary>The same for the gradient that passes back to an input.</summary>
    public void CheckGradient(int input, Tensor gradient) =>
        CheckFinite(gradient, $"gradient of input {input}", Inputs[input].Parameter);

    private void CheckFinite(Tensor x, string what, Parameter? parameter)
    {
        var index = x.Device.FirstNonFinite(x.Buffer);
        if (index < 0) return;
        throw new NonFiniteException($"the {what} of '{Name}' {x.Shape} is {x.ToDoubles()[index]} at element {index}"
            + (Layer?.ToString() is { Length: > 0 } layer ? $", in layer {layer}" : "")
            + (parameter is null ? "" : $", parameter {parameter.Name}") + ".");
    }

    /// <summary>Records as a table: number, operation, layer, shape, and the records that a gradient goes to.</summary>
    public static string Print(ReadOnlySpan<TapeEntry> entries, Func<Tensor, int> recordOf)
    {
        var rows = new List<string[]> { (string[])["#", "operation", "layer", "shape", "gradient goes to"] };
        foreach (var entry in entries)
        {
            var sources = entry.Inputs.Select(recordOf).Where(record => record >= 0).Select(record => $"#{record}");
            var target = entry.Parameter is { } parameter ? $"(parameter {parameter.Name})"
                : entry.Inputs.Length == 0 ? "(watched)" : string.Join(", ", sources);
            rows.Add([$"{rows.Count - 1}", entry.Name, entry.Layer?.ToString() ?? "", $"{entry.Value.Shape}", target]);
        }
        var widths = Enumerable.Range(0, 5).Select(column => rows.Max(row => row[column].Length)).ToArray();
        var text = new StringBuilder();
        foreach (var row in rows)
            text.AppendLine(string.Join("  ", row.Select((cell, column) => cell.PadRight(widths[column]))).TrimEnd());
        return text.ToString();
    }
}

/// <summary>A value or a gradient that is infinite or not a number.</summary>
public sealed class NonFiniteException(string message) : ArithmeticException(message);

/// <summary>
/// How a gradient passes back through an operation to one of its inputs: (value, gradient of the value) -> gradient of
/// the input.
/// </summary>
public delegate Tensor Pull(Tensor value, Tensor gradient);

/// <summary>
/// Like <see cref="Pull"/>, for all inputs at once, where they share work. What is not wanted may be null.
/// </summary>
public delegate Tensor?[] PullAll(Tensor value, Tensor gradient, ReadOnlySpan<bool> wanted);
