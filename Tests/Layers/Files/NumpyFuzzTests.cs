using System.IO.Compression;
using System.Text;
using Tapegrad.Layers.Files;
using Tapegrad.Tests.Fuzzing;
using Xunit;
using Xunit.Abstractions;

namespace Tapegrad.Tests.Layers.Files;

/// <summary>No damaged .npy or .npz file does anything but load or be refused.</summary>
public sealed class NumpyFuzzTests(ITestOutputHelper output)
{
    private static readonly byte[][] Arrays =
    [
        NumpyTests.Npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }\n", [1, 2, 3, 4, 5, 6, 7, 8]),
        NumpyTests.Npy("{'descr': '>i2', 'fortran_order': True, 'shape': (2, 2)}", [1, 2, 3, 4, 5, 6, 7, 8], major: 2),
        NumpyTests.Npy("{'descr': '|b1', 'fortran_order': False, 'shape': ()}", [1], major: 3),
    ];

    private static readonly byte[][] Archives =
    [
        NumpyTests.Npz(CompressionLevel.NoCompression, ("a.npy", Arrays[0]), ("b.npy", Arrays[1])),
        NumpyTests.Npz(CompressionLevel.SmallestSize,
            ("long.npy", NumpyTests.Npy("{'descr': '|u1', 'fortran_order': False, 'shape': (5000,)}", new byte[5000]))),
        NumpyTests.Npz(CompressionLevel.NoCompression),
    ];

    private static readonly string[] Words =
        ["'descr'", "'shape'", "'fortran_order'", "True", "False", "'<f4'", "'>f8'", "'|b1'", "'|O'",
            "(", ")", "{", "}", ",", ":", "'", "1", "[", ".npy"];

    // One word of Python becomes another.
    private static byte[] ReplaceWord(byte[] input, Random random)
    {
        var (old, other) = (Words[random.Next(Words.Length)], Words[random.Next(Words.Length)]);
        var found = input.AsSpan().IndexOf(Encoding.ASCII.GetBytes(old));
        return found < 0 ? input : Mutators.Replace(input, found..(found + old.Length), Encoding.ASCII.GetBytes(other));
    }

    private static Fuzzer OfArrays() =>
        new("npy", Arrays, Fuzzer.OnFile(path => NumpyFile.Read(path))) { Mutators = [ReplaceWord] };

    // What is packed may be a thousand times as long unpacked.
    private static Fuzzer OfArchives() => new("npz", Archives, Fuzzer.OnFile(path => NumpyFile.ReadArchive(path)))
    {
        Mutators = [ReplaceWord],
        MayAllocate = input => (1 << 20) + 1100L * input.Length,
    };

    [Fact]
    public void DamagedArraysLoadOrAreRefused() => OfArrays().Run(output);

    [Fact]
    public void DamagedArchivesLoadOrAreRefused() => OfArchives().Run(output);

    [Fact]
    public void FilesCutAnywhereAreRefused()
    {
        foreach (var file in Arrays) OfArrays().CutEverywhere(file);
        foreach (var file in Archives) OfArchives().CutEverywhere(file);
    }
}
