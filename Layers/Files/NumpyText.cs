using System.Globalization;
using System.Text;

namespace Tapegrad.Layers.Files;

/// <summary>
/// The text in the header of a .npy file: a dictionary of three keys in Python's notation. See
/// <see cref="NumpyHeader"/>.
/// </summary>
/// <param name="where">The file, for messages.</param>
/// <param name="text">The bytes of the text.</param>
/// <param name="start">How many bytes of the file stand before it.</param>
internal sealed class NumpyText(string where, byte[] text, int start)
{
    private int at;

    public NumpyHeader Read()
    {
        (Type Type, bool IsLittleEndian)? type = null;
        bool? fortran = null;
        Shape? shape = null;
        Expect('{');
        while (!Take('}'))
        {
            var keyAt = at;
            var key = ReadString("a key");
            Expect(':');
            if (key switch
            {
                "descr" => type is not null,
                "fortran_order" => fortran is not null,
                "shape" =>
                shape is not null,
                _ => false
            })
                throw Broken(keyAt, $"the key '{key}' is there twice.");
            if (key == "descr") type = ReadType();
            else if (key == "fortran_order") fortran = ReadBool();
            else if (key == "shape") shape = ReadShape();
            else
                throw Broken(keyAt,
                    $"the key '{NamedArray.Show(key)}' is unknown; there are descr, fortran_order and shape.");
            if (Take(',')) continue;
            Expect('}');
            break;
        }
        Skip();
        if (at < text.Length && text[at] == '\n') at++;
        if (at < text.Length) throw Broken(at, "something follows the header's closing '}'.");
        if (type is null || fortran is null || shape is null)
            throw Broken(0,
                $"the header has no {(type is null ? "descr" : fortran is null ? "fortran_order" : "shape")}.");
        return new NumpyHeader(type.Value.Type, type.Value.IsLittleEndian, fortran.Value, shape.Value,
            start + text.Length);
    }

    public static InvalidDataException Broken(string where, long offset, string what) =>
        new($"{where}: at byte {offset}: {what} The file is damaged, cut short, or not in NumPy's format: fetch it "
            + "again, or save it again with the program that made it.");

    private InvalidDataException Broken(int position, string what) => Broken(where, start + position, what);

    private (Type, bool) ReadType()
    {
        Skip();
        var typeAt = at;
        if (at < text.Length && text[at] == '[') throw Refused(typeAt, "holds records of several fields");
        var code = ReadString("descr");
        if (code is [_, 'O', ..])
            throw Refused(typeAt, "holds Python objects, which are pickled programs and never read");
        // One byte has no order; more have one of two.
        if (code.Length == 3 && NumpyHeader.IsType(code[1..], out var type)
            && (code[2] == '1' ? code[0] == '|' : code[0] is '<' or '>'))
            return (type, code[0] != '>');
        throw Refused(typeAt, $"holds elements of type '{NamedArray.Show(code)}'");
    }

    private InvalidDataException Refused(int position, string what) =>
        new($"{where}: at byte {start + position}: the array {what}. Known are bool, "
        + "whole numbers and floats of 2, 4 and 8 bytes: convert it in the program that made the file.");

    private bool ReadBool()
    {
        Skip();
        foreach (var (word, value) in ((string, bool)[])[("True", true), ("False", false)])
            if (text.AsSpan(at).StartsWith(Encoding.ASCII.GetBytes(word)))
            {
                at += word.Length;
                return value;
            }
        throw Broken(at, "fortran_order should be True or False.");
    }

    // () or (2,) or (2, 3) or (2, 3,): with one length the comma makes it a tuple.
    private Shape ReadShape()
    {
        Skip();
        var (shapeAt, comma) = (at, true);
        var lengths = new List<int>();
        Expect('(');
        while (!Take(')'))
        {
            if (!comma) throw Broken(at, "a comma should stand between two lengths of the shape.");
            if (lengths.Count == Shape.MaximumRank)
                throw Broken(at, $"the shape has more than {Shape.MaximumRank} axes.");
            lengths.Add(ReadLength());
            comma = Take(',');
        }
        if (lengths.Count == 1 && !comma) throw Broken(shapeAt, "the shape should be a tuple.");
        try
        {
            return new Shape([.. lengths]);
        }
        catch (ShapeException error)
        {
            throw Broken(shapeAt, error.Message);
        }
    }

    private int ReadLength()
    {
        Skip();
        var length = text.AsSpan(at).IndexOfAnyExceptInRange((byte)'0', (byte)'9') is var end and >= 0 ? end
            : text.Length - at;
        if (length == 0) throw Broken(at, "the shape holds something that is not a whole number.");
        if (length > 1 && text[at] == '0') throw Broken(at, "a length of the shape begins with 0.");
        if (!int.TryParse(text.AsSpan(at, length), NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            throw Broken(at, $"the shape holds a length above {int.MaxValue}.");
        at += length;
        return number;
    }

    private string ReadString(string what)
    {
        Skip();
        if (at == text.Length || text[at] is not ((byte)'\'' or (byte)'"'))
            throw Broken(at, $"{what} should be a string.");
        var length = text.AsSpan(at + 1).IndexOf(text[at]);
        if (length < 0) throw Broken(at, $"{what} does not end.");
        var content = text.AsSpan(at + 1, length);
        if (content.IndexOfAnyExceptInRange((byte)' ', (byte)'~') >= 0 || content.Contains((byte)'\\'))
            throw Broken(at, $"{what} holds other letters than those of a type's name.");
        at += length + 2;
        return Encoding.ASCII.GetString(content);
    }

    private void Expect(char letter)
    {
        if (!Take(letter)) throw Broken(at, $"a '{letter}' should stand here.");
    }

    private bool Take(char letter)
    {
        Skip();
        if (at == text.Length || text[at] != letter) return false;
        at++;
        return true;
    }

    private void Skip()
    {
        while (at < text.Length && text[at] == ' ') at++;
    }
}
