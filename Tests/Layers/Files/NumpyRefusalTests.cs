using System.Buffers.Binary;
using System.IO.Compression;
using Tapegrad.Layers.Files;
using Xunit;

namespace Tapegrad.Tests.Layers.Files;

/// <summary>
/// Nothing malformed is let in from .npy and .npz: each refusal in one line, with the byte where it is known.
/// </summary>
public sealed class NumpyRefusalTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("numpy").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private string FilePath => Path.Combine(folder, "model.np");

    private static readonly byte[] One = NumpyTests.Npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}",
        new byte[4]);

    private void Refused(byte[] bytes, string what, Action<string>? read = null)
    {
        File.WriteAllBytes(FilePath, bytes);
        var error = Assert.Throws<InvalidDataException>(() => (read ?? (path => NumpyFile.Read(path)))(FilePath));
        Assert.StartsWith(FilePath, error.Message);
        Assert.Contains(what, error.Message);
        Assert.DoesNotContain('\n', error.Message);
        Assert.EndsWith(".", error.Message);
    }

    private void RefusedArchive(byte[] bytes, string what) => Refused(bytes, what, path => NumpyFile.ReadArchive(path));

    // A shape may have 2^31 - 1 numbers, an array a few less.
    [Fact]
    public void MoreNumbersThanAnArrayHoldsAreRefused()
    {
        var header = NumpyTests.Npy($"{{'descr': '|u1', 'fortran_order': False, 'shape': ({int.MaxValue},)}}", []);
        using (var stream = File.Create(FilePath))
        {
            stream.Write(header);
            stream.SetLength(header.Length + (long)int.MaxValue);   // a hole: takes no room on the disk
        }
        Assert.Contains($"{int.MaxValue} numbers",
            Assert.Throws<InvalidDataException>(() => NumpyFile.Read(FilePath)).Message);
    }

    // The text starts at byte 10.
    [Theory]
    [InlineData("", "at byte 10: a '{' should stand here")]
    [InlineData("{}", "at byte 10: the header has no descr")]
    [InlineData("{'descr': '<f4'}", "at byte 10: the header has no fortran_order")]
    [InlineData("{'descr': '<f4', 'fortran_order': True}", "at byte 10: the header has no shape")]
    [InlineData("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (1,)}",
        "at byte 27: the key 'descr' is there twice")]
    [InlineData("{'fortran_order': False, 'fortran_order': False}",
        "at byte 35: the key 'fortran_order' is there twice")]
    [InlineData("{'shape': (1,), 'shape': (1,)}", "at byte 26: the key 'shape' is there twice")]
    [InlineData("{'dtype': '<f4'}", "at byte 11: the key 'dtype' is unknown")]
    [InlineData("{1: 2}", "at byte 11: a key should be a string")]
    [InlineData("{'descr", "at byte 11: a key does not end")]
    [InlineData("{'d\\u0065scr': '<f4'}", "at byte 11: a key holds other letters")]
    [InlineData("{'é': '<f4'}", "at byte 11: a key holds other letters")]
    [InlineData("{'descr' '<f4'}", "at byte 19: a ':' should stand here")]
    [InlineData("{'descr': '<f4' 'shape': (1,)}", "at byte 26: a '}' should stand here")]
    [InlineData("{'descr': <f4}", "at byte 20: descr should be a string")]
    [InlineData("{'descr': '|O'}",
        "at byte 20: the array holds Python objects, which are pickled programs and never read")]
    [InlineData("{'descr': '|O8'}", "holds Python objects")]
    [InlineData("{'descr': [('a', '<f4')]}", "at byte 20: the array holds records of several fields")]
    [InlineData("{'descr': '<c8'}", "at byte 20: the array holds elements of type '<c8'")]
    [InlineData("{'descr': '<U3'}", "elements of type '<U3'")]
    [InlineData("{'descr': '<f16'}", "elements of type '<f16'")]
    [InlineData("{'descr': 'f4'}", "elements of type 'f4'")]
    [InlineData("{'descr': '=f4'}", "elements of type '=f4'")]
    [InlineData("{'descr': '|f4'}", "elements of type '|f4'")]
    [InlineData("{'descr': '<u1'}", "elements of type '<u1'")]
    [InlineData("{'descr': ''}", "elements of type ''")]
    [InlineData("{'fortran_order': 1}", "at byte 28: fortran_order should be True or False")]
    [InlineData("{'fortran_order': false}", "at byte 28: fortran_order should be True or False")]
    [InlineData("{'fortran_order': ", "at byte 28: fortran_order should be True or False")]
    [InlineData("{'shape': 1}", "at byte 20: a '(' should stand here")]
    [InlineData("{'shape': [1]}", "at byte 20: a '(' should stand here")]
    [InlineData("{'shape': (1)}", "at byte 20: the shape should be a tuple")]
    [InlineData("{'shape': (1 2)}", "at byte 23: a comma should stand between")]
    [InlineData("{'shape': (,)}", "at byte 21: the shape holds something that is not a whole number")]
    [InlineData("{'shape': (-1,)}", "at byte 21: the shape holds something that is not a whole number")]
    [InlineData("{'shape': (", "at byte 21: the shape holds something that is not a whole number")]
    [InlineData("{'shape': (1", "at byte 22: a comma should stand between")]
    [InlineData("{'shape': (1.0,)}", "at byte 22: a comma should stand between")]
    [InlineData("{'shape': (01,)}", "at byte 21: a length of the shape begins with 0")]
    [InlineData("{'shape': (2147483648,)}", "at byte 21: the shape holds a length above 2147483647")]
    [InlineData("{'shape': (65536, 65536)}", "at byte 20: the shape [65536, 65536] has more than 2147483647 elements")]
    [InlineData("{'shape': (1, 1, 1, 1, 1, 1, 1, 1, 1)}", "at byte 45: the shape has more than 8 axes")]
    [InlineData("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}\n\n",
        "at byte 66: something follows the header's closing '}'")]
    [InlineData("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)};",
        "at byte 65: something follows the header's closing '}'")]
    [InlineData("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)}",
        "at byte 65: an array of Single and shape [2] needs 8 bytes, but 4 follow")]
    [InlineData("{'descr': '<f4', 'fortran_order': False, 'shape': ()}   ", "needs 4 bytes, but 4 follow", true)]
    [InlineData("{'descr': '<f4', 'fortran_order': False, 'shape': (0,)}", "needs 0 bytes, but 4 follow")]
    public void AMalformedHeaderIsRefused(string text, string what, bool isRight = false)
    {
        if (!isRight) Refused(NumpyTests.Npy(text, new byte[4]), what);
        else
        {
            File.WriteAllBytes(FilePath, NumpyTests.Npy(text, new byte[4]));
            Assert.Equal(Shape.Scalar, NumpyFile.Read(FilePath).Shape);
        }
    }

    [Fact]
    public void ABeginningOfAnotherKindIsRefused()
    {
        Refused([], "the file is empty");
        Refused([1, .. One[1..]], "at byte 0: the first bytes are not those of a .npy file");
        foreach (var version in (byte[][])[[0, 0], [1, 1], [4, 0]])
            Refused([.. One[..6], .. version, .. One[8..]],
                $"at byte 6: the version is {version[0]}.{version[1]}; known are 1.0, 2.0 and 3.0");
        Refused([.. One[..8], 255, 255, .. One[10..]], "at byte 10: the header goes on after the end");
        Refused([.. One[..6], 2, 0, 1, 0, 1, 0, .. One[10..]],
            "at byte 8: the header is said to have 65537 bytes; at most 65536 are allowed");
        Refused([.. One[..6], 2, 0, 255, 255], "at byte 10: the header goes on after the end");
    }

    [Fact]
    public void ABoolIsZeroOrOne() =>
        Refused(NumpyTests.Npy("{'descr': '|b1', 'fortran_order': False, 'shape': (3,)}", [0, 1, 2]),
        "at byte 67: a bool is neither 0 nor 1");

    // ---- archives ---------------------------------------------------------------------------------------------------

    private static byte[] Archive(params (string, byte[])[] entries) =>
        NumpyTests.Npz(CompressionLevel.NoCompression, entries);

    [Fact]
    public void ArchivesOfOtherThingsAreRefused()
    {
        RefusedArchive([], "the file is empty");
        RefusedArchive(One, "not a .npz archive");
        RefusedArchive(Archive(("readme.txt", [])), "the entry 'readme.txt' is not a .npy file");
        RefusedArchive(Archive((".npy", One)), "the name '' is empty");
        RefusedArchive(Archive(("a\nb.npy", One)), "the name 'a?b' is empty or holds control characters");
        RefusedArchive(Archive(("a.npy", One), ("a.npy", One)), "the name 'a' is there twice");
        RefusedArchive(Archive(("a.npy", One[..^1])),
            "a.npy: at byte 65: an array of Single and shape [1] needs 4 bytes, but 3 follow");
    }

    // The central directory's record of the only entry: 46 bytes and the name, before the 22 bytes of the end. Each
    // field by its offset there (APPNOTE 4.3.12).
    private static byte[] Changed(byte[] archive, int field, uint value, int size = 4)
    {
        var changed = (byte[])archive.Clone();
        var record = changed.AsSpan(changed.Length - 22 - 46 - "a.npy".Length);
        Assert.Equal(0x02014B50u, BinaryPrimitives.ReadUInt32LittleEndian(record));
        if (size == 4) BinaryPrimitives.WriteUInt32LittleEndian(record[field..], value);
        else BinaryPrimitives.WriteUInt16LittleEndian(record[field..], (ushort)value);
        return changed;
    }

    private static uint Crc32(byte[] content)
    {
        using var archive = new ZipArchive(new MemoryStream(Archive(("a.npy", content))));
        return archive.Entries[0].Crc32;
    }

    [Fact]
    public void EntriesThatLieAreRefused()
    {
        var archive = Archive(("a.npy", One));
        RefusedArchive(Changed(archive, 16, 1), "the entry 'a' has not the CRC that was written with it");
        RefusedArchive(Changed(archive, 8, 1, size: 2), "the entry 'a' is encrypted");
        RefusedArchive(Changed(archive, 20, 1 << 30), "its entries together are longer than the file");
        RefusedArchive(Changed(archive, 24, 1 << 30), "bytes is said to hold 1073741824, more than it can");
        // a method of compression that there is not
        RefusedArchive(Changed(archive, 10, 99, size: 2), "not a .npz archive");
        var longer = Changed(Archive(("a.npy", [.. One, 7])), 24, (uint)One.Length);
        RefusedArchive(Changed(longer, 16, Crc32(One)), "the entry 'a' is longer than it says");
        var changed = (byte[])archive.Clone();
        changed[archive.AsSpan().IndexOf(One) + One.Length - 1] ^= 1;                  // one bit of the numbers
        RefusedArchive(changed, "has not the CRC");
    }

    [Fact]
    public void NothingIsAllocatedForNumbersThatAreNotThere()
    {
        var promise = NumpyTests.Npy("{'descr': '<f8', 'fortran_order': False, 'shape': (268435455,)}", new byte[4]);
        Refused(promise, "needs 2147483640 bytes, but 4 follow");
        var before = GC.GetAllocatedBytesForCurrentThread();
        Refused(promise, "needs 2147483640 bytes, but 4 follow");
        RefusedArchive(Archive(("a.npy", promise)), "needs 2147483640 bytes, but 4 follow");
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1 << 20);
    }

    [Fact]
    public void WhatCannotBeWrittenIsRefused()
    {
        NamedArray one = new("a", Shape.Scalar, new float[] { 1 });
        void Fails(string what, params NamedArray[] arrays) =>
            Assert.Contains(what,
                Assert.Throws<ArgumentException>(() => NumpyFile.WriteArchive(FilePath, arrays)).Message);
        Fails("given to two", one, one);
        foreach (var name in (string[])["../a", "/a", "a/../b", "a//b", "a\\..\\b", "."])
            Fails("cannot name a file in an archive", one with { Name = name });
        Assert.Throws<ArgumentException>(() => NumpyFile.Write(FilePath, new Shape(2), new[] { 1 }));
        Assert.Empty(Directory.GetFileSystemEntries(folder));
    }

    [Fact]
    public void WhatCannotBeReadIsNamed()
    {
        Assert.Contains("there is no such file",
            Assert.Throws<FileNotFoundException>(() => NumpyFile.Read(FilePath)).Message);
        Assert.Contains("it is a folder", Assert.Throws<IOException>(() => NumpyFile.ReadArchive(folder)).Message);
    }
}
