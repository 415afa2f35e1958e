using Tapegrad.Devices;

namespace Tapegrad.Layers.Files;

/// <summary>
/// An array as files hold it: a name, a shape, and numbers of one of the types <c>bool</c>, <c>byte</c>, <c>sbyte</c>,
/// <c>ushort</c>, <c>short</c>, <c>uint</c>, <c>int</c>, <c>ulong</c>, <c>long</c>, <see cref="Half"/>, <c>float</c>,
/// <c>double</c>.
/// </summary>
/// <param name="Name">Not empty, and without control characters.</param>
/// <param name="Shape">Row-major, in the file's own order of axes.</param>
/// <param name="Values">A one-dimensional array of as many numbers as the shape has elements.</param>
public sealed record NamedArray(string Name, Shape Shape, Array Values)
{
    /// <summary>The numbers as float; rounded where they do not fit, true is 1.</summary>
    public float[] ToFloats() => Numbers.Convert<float>(Values);

    /// <summary>The numbers as double; true is 1.</summary>
    public double[] ToDoubles() => Numbers.Convert<double>(Values);

    /// <summary>A tensor to be written without loss: as float, or as double where its device holds doubles.</summary>
    internal static NamedArray Of(string name, Tensor value) =>
        new(name, value.Shape, value.Device.Element == typeof(double) ? value.ToDoubles() : value.ToFloats());

    /// <summary>Whether something can name an array in a file.</summary>
    internal static bool IsName(string name) => name.Length > 0 && !name.Any(char.IsControl);

    /// <summary>Refuses what cannot be written.</summary>
    internal static void Check(IReadOnlyList<NamedArray> arrays)
    {
        var names = new HashSet<string>();
        foreach (var (name, shape, values) in arrays)
        {
            var shown = Show(name);
            if (!IsName(name))
                throw new ArgumentException($"'{shown}' cannot name a tensor in a file: a name is not empty and holds "
                    + "no control characters.");
            if (!names.Add(name)) throw new ArgumentException($"the name '{shown}' is given to two tensors.");
            if (Numbers.SizeOf(values) == 0)
                throw new ArgumentException($"the tensor '{shown}' is of {values.GetType().Name}, which is none of the "
                    + "types that files hold.");
            if (values.Length != shape.Count)
                throw new ArgumentException($"the tensor '{shown}' has the shape {shape} and {values.Length} values.");
        }
    }

    /// <summary>Text from a file, fit for one line of a message.</summary>
    internal static string Show(string text)
    {
        const int most = 80;
        var line = string.Concat(text.Take(most)
            .Select(letter => char.IsControl(letter) || letter is '\u2028' or '\u2029' ? '?' : letter));
        return text.Length > most ? line + "..." : line;
    }
}
