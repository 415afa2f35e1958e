namespace Tapegrad.Layers.Files;

/// <summary>
/// One tensor in a file: its name, the type of its numbers, its shape, and the bytes of the file that hold it.
/// </summary>
/// <param name="Name">Never empty.</param>
/// <param name="Type">The type of its numbers.</param>
/// <param name="Shape">Row-major, in the file's own order of axes.</param>
/// <param name="Offset">The position of the first byte, from the start of the file.</param>
/// <param name="Length">The number of bytes.</param>
/// <param name="Sha256">Their hash as the file states it, in hexadecimal; null when it states none.</param>
public sealed record SafetensorsEntry(string Name, SafetensorsType Type, Shape Shape, long Offset, long Length,
    string? Sha256 = null);

/// <summary>
/// The type of a tensor's numbers in a file; the names are the format's own. The 8-bit floats of newer versions of the
/// format are refused by name.
/// </summary>
public enum SafetensorsType
{
    /// <summary>One byte, 0 or 1: <c>bool</c>.</summary>
    BOOL,
    /// <summary>Unsigned, 8 bits: <c>byte</c>.</summary>
    U8,
    /// <summary>Signed, 8 bits: <c>sbyte</c>.</summary>
    I8,
    /// <summary>Unsigned, 16 bits: <c>ushort</c>.</summary>
    U16,
    /// <summary>Signed, 16 bits: <c>short</c>.</summary>
    I16,
    /// <summary>Unsigned, 32 bits: <c>uint</c>.</summary>
    U32,
    /// <summary>Signed, 32 bits: <c>int</c>.</summary>
    I32,
    /// <summary>Unsigned, 64 bits: <c>ulong</c>.</summary>
    U64,
    /// <summary>Signed, 64 bits: <c>long</c>.</summary>
    I64,
    /// <summary>IEEE 754 half precision: <see cref="Half"/>.</summary>
    F16,
    /// <summary>The upper 16 bits of a single: read as <c>float</c>, which holds it exactly; not written.</summary>
    BF16,
    /// <summary>IEEE 754 single precision: <c>float</c>.</summary>
    F32,
    /// <summary>IEEE 754 double precision: <c>double</c>.</summary>
    F64,
}
