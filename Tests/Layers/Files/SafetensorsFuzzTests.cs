using System.Buffers.Binary;
using System.Text;
using Tapegrad.Layers.Files;
using Tapegrad.Tests.Fuzzing;
using Xunit;
using Xunit.Abstractions;

namespace Tapegrad.Tests.Layers.Files;

/// <summary>No damaged safetensors file does anything but load or be refused.</summary>
public sealed class SafetensorsFuzzTests(ITestOutputHelper output)
{
    private static readonly byte[][] Valid =
    [
        SafetensorsTests.ByHand,
        SafetensorsTests.Assemble("{}", []),
        SafetensorsTests.Assemble("""{"__metadata__":{"a":"\u00e9","b":""},"x":{"dtype":"BOOL","shape":[1,0,3],"data_offsets":[0,0]}}""", []),
        SafetensorsTests.Assemble("""{"b":{"data_offsets":[2,10],"dtype":"I64","shape":[1]},"a":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}}""",
            [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
        Written(),
    ];

    private static readonly Mutator[] Structure =
    [
        (input, random) => ReplaceText(input, random, ["\"F32\"", "\"F64\"", "\"BOOL\"", "\"I64\"", "\"BF16\""]),
        (input, random) =>
            ReplaceText(input, random,
                ["\"dtype\"", "\"shape\"", "\"data_offsets\"", "\"__metadata__\"", "\"a\"", "\"b\"", "\"sha256:a\""]),
        (input, random) =>
        ReplaceText(input, random,
            ["[", "]", "{", "}", ",", ":", "\"", "null", "-", "1e9", ".", "\\ud800", "\\u0000", " "]),
    ];

    [Fact]
    public void DamagedFilesLoadOrAreRefused() =>
        new Fuzzer("safetensors", Valid, Fuzzer.OnFile(Read)) { Mutators = Structure, Mend = MendLength }.Run(output);

    [Fact]
    public void FilesCutAnywhereAreRefused()
    {
        foreach (var file in Valid) new Fuzzer("safetensors", Valid, Fuzzer.OnFile(Read)).CutEverywhere(file);
    }

    private static void Read(string path)
    {
        using var file = SafetensorsFile.Open(path);
        foreach (var entry in file.Entries) file.ReadDoubles(entry);
    }

    // One word of a few becomes another of them.
    private static byte[] ReplaceText(byte[] input, Random random, string[] words)
    {
        var (old, other) = (words[random.Next(words.Length)], words[random.Next(words.Length)]);
        var from = random.Next(input.Length + 1);
        var found = input.AsSpan(from).IndexOf(Encoding.ASCII.GetBytes(old));
        return found < 0 ? input
            : Mutators.Replace(input, (from + found)..(from + found + old.Length), Encoding.ASCII.GetBytes(other));
    }

    // The header ends where its JSON did before, as far as that can be seen: at the last '}' and the spaces behind it.
    private static byte[] MendLength(byte[] input, Random random)
    {
        var end = input.AsSpan().LastIndexOf((byte)'}') + 1;
        if (end <= 8) return input;
        while (end < input.Length && input[end] == ' ') end++;
        var mended = (byte[])input.Clone();
        BinaryPrimitives.WriteInt64LittleEndian(mended, end - 8);
        return mended;
    }

    private static byte[] Written()
    {
        var path = Path.GetTempFileName();
        SafetensorsFile.Write(path,
            [new("a", new Shape(2), new float[] { 1, 2 }), new("b", Shape.Scalar, new long[] { 3 })],
            new Dictionary<string, string> { ["key"] = "text" });
        var bytes = File.ReadAllBytes(path);
        File.Delete(path);
        return bytes;
    }
}
