using System.IO.Compression;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Tapegrad.Layers.Files;
using Xunit;

namespace Tapegrad.Tests.Layers.Files;

/// <summary>
/// .npy and .npz: what is written is read back, equal content has equal bytes, nothing malformed is let in.
/// </summary>
public sealed class NumpyTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("numpy").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private string FilePath => Path.Combine(folder, "model.np");

    internal static byte[] Npy(string text, byte[] data, byte major = 1)
    {
        var header = Encoding.UTF8.GetBytes(text);
        byte[] length = major == 1 ? BitConverter.GetBytes((ushort)header.Length)
            : BitConverter.GetBytes(header.Length);
        return [0x93, .. "NUMPY"u8, major, 0, .. length, .. header, .. data];
    }

    internal static byte[] Npz(CompressionLevel level, params (string Name, byte[] Content)[] entries)
    {
        var stream = new MemoryStream();
        using (var archive = new ZipArchive(stream, ZipArchiveMode.Create))
            foreach (var (name, bytes) in entries)
            {
                using var entry = archive.CreateEntry(name, level).Open();
                entry.Write(bytes);
            }
        return stream.ToArray();
    }

    // ---- by hand ----------------------------------------------------------------------------------------------------

    // What NumPy 1.24 writes for np.save("x", np.array([[1, -2, .5]], "<f4")): 118 bytes of text, so that the numbers
    // start at 128.
    private static readonly byte[] ByHand =
        Npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3), }".PadRight(117) + "\n",
        [0, 0, 0x80, 0x3F, 0, 0, 0, 0xC0, 0, 0, 0, 0x3F]);

    [Fact]
    public void ReadsAndWritesTheDocumentedLayout()
    {
        File.WriteAllBytes(FilePath, ByHand);
        var array = NumpyFile.Read(FilePath);
        Assert.Equal(("model", new Shape(1, 3)), (array.Name, array.Shape));
        Assert.Equal([1, -2, 0.5f], Assert.IsType<float[]>(array.Values));
        NumpyFile.Write(FilePath, array.Shape, array.Values);
        Assert.Equal(ByHand, File.ReadAllBytes(FilePath));
    }

    [Theory]
    [InlineData("{'descr': '>i2', 'fortran_order': False, 'shape': (2,)}", "0102FFFE", typeof(short),
        new double[] { 258, -2 })]
    [InlineData("{\"shape\":(2,),\"descr\":\"<i2\",\"fortran_order\":False,}  \n", "0201FEFF", typeof(short),
        new double[] { 258, -2 })]
    [InlineData("{'descr': '|b1', 'fortran_order': False, 'shape': (3, ), }\n", "010001", typeof(bool),
        new double[] { 1, 0, 1 })]
    [InlineData("{'descr': '<f2', 'fortran_order': False, 'shape': ()}", "003E", typeof(Half), new[] { 1.5 })]
    [InlineData("{'descr': '>f8', 'fortran_order': True, 'shape': (1,)}", "C000000000000000", typeof(double),
        new double[] { -2 })]
    [InlineData("{'descr': '<u8', 'fortran_order': False, 'shape': (0, 5)}", "", typeof(ulong), new double[0])]
    // The matrix 1 2 3 / 4 5 6, column by column.
    [InlineData("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3)}", "010402050306", typeof(byte),
        new double[] { 1, 2, 3, 4, 5, 6 })]
    public void ReadsOrdersAndTypes(string text, string data, Type type, double[] values)
    {
        foreach (var major in (byte[])[1, 2, 3])
        {
            File.WriteAllBytes(FilePath, Npy(text, Convert.FromHexString(data), major));
            var array = NumpyFile.Read(FilePath);
            Assert.Equal(type, array.Values.GetType().GetElementType());
            Assert.Equal(values, array.ToDoubles());
        }
    }

    [Fact]
    public void AxesInFortransOrderAreTurned()
    {
        // Element (i, j, k) of [2, 3, 5] stands at i + 2 j + 6 k, and holds 100 i + 10 j + k.
        var data = new byte[30];
        for (var i = 0; i < 2; i++)
            for (var j = 0; j < 3; j++)
                for (var k = 0; k < 5; k++) data[i + 2 * j + 6 * k] = (byte)(100 * i + 10 * j + k);
        File.WriteAllBytes(FilePath, Npy("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3, 5)}", data));
        Assert.Equal(Enumerable.Range(0, 30).Select(at => 100.0 * (at / 15) + 10 * (at / 5 % 3) + at % 5),
            NumpyFile.Read(FilePath).ToDoubles());
    }

    // ---- round trips ------------------------------------------------------------------------------------------------

    private static readonly Gen<NamedArray> Arrays =
        from name in Gen.Elements("a", "b.weight", "c/d", "é 漢", "x.npy", "😀")
        from rank in Gen.Choose(0, Shape.MaximumRank)
        from lengths in Gen.ListOf(Gen.Frequency((1, Gen.Constant(0)), (8, Gen.Constant(1)),
            (3, Gen.Elements(2, 3, 5))), rank)
        from type in Gen.Elements(NumbersTests.Types)
        from seed in Gen.Choose(0, int.MaxValue)
        let shape = new Shape([.. lengths])
        select new NamedArray(name, shape, NumbersTests.AnyBits(type, shape.Count, new Random(seed)));

    [Fact]
    public void WhatIsWrittenIsReadBack() => Prop.ForAll(Arb.From(Arrays.ListOf()), drawn =>
    {
        NamedArray[] arrays = [.. drawn.DistinctBy(array => array.Name)];
        NumpyFile.WriteArchive(FilePath, arrays);
        var bytes = File.ReadAllBytes(FilePath);
        Same(arrays, NumpyFile.ReadArchive(FilePath));
        NumpyFile.WriteArchive(FilePath, arrays);
        Assert.Equal(bytes, File.ReadAllBytes(FilePath));
        foreach (var array in arrays)
        {
            NumpyFile.Write(FilePath, array.Shape, array.Values);
            Same([array with { Name = "model" }], [NumpyFile.Read(FilePath)]);
            Assert.Equal(0, (File.ReadAllBytes(FilePath).Length - (NumbersTests.Bytes(array.Values).Length)) % 64);
        }
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void AFileHoldsNoTime()
    {
        NumpyFile.WriteArchive(FilePath, [new("a", Shape.Scalar, new[] { 1 })]);
        using var archive = ZipFile.OpenRead(FilePath);
        Assert.Equal(new DateTime(1980, 1, 1), archive.Entries.Single().LastWriteTime.DateTime);
        Assert.Equal("a.npy", archive.Entries.Single().FullName);
    }

    [Theory]
    [InlineData(CompressionLevel.NoCompression)]
    [InlineData(CompressionLevel.SmallestSize)]
    public void ArchivesMayBeCompressed(CompressionLevel level)
    {
        var zeros = Npy("{'descr': '|u1', 'fortran_order': False, 'shape': (1000000,)}", new byte[1_000_000]);
        File.WriteAllBytes(FilePath, Npz(level, ("x.npy", ByHand), ("y.npy", zeros)));
        Assert.Equal(["x", "y"], NumpyFile.ReadArchive(FilePath).Select(array => array.Name));
        Assert.Equal(1_000_000, NumpyFile.ReadArchive(FilePath)[1].Values.Length);
    }

    private static void Same(IReadOnlyList<NamedArray> expected, IReadOnlyList<NamedArray> actual)
    {
        Assert.Equal(expected.Count, actual.Count);
        foreach (var (one, other) in expected.Zip(actual))
        {
            Assert.Equal((one.Name, one.Shape, one.Values.GetType()),
                (other.Name, other.Shape, other.Values.GetType()));
            Assert.Equal(NumbersTests.Bytes(one.Values), NumbersTests.Bytes(other.Values));
        }
    }
}
