using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using Tapegrad.Layers.Files;
using Xunit;

namespace Tapegrad.Tests.Layers.Files;

/// <summary>What is written is read back, in its order, and equal content has equal bytes.</summary>
public sealed class SafetensorsRoundTripTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("safetensors").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    private string FilePath => Path.Combine(folder, "model.safetensors");

    public sealed record Content(NamedArray[] Tensors, Dictionary<string, string> Metadata)
    {
        public override string ToString() =>
            string.Join("; ", Tensors.Select(tensor => $"'{tensor.Name}' {tensor.Shape}"))
            + " | " + string.Join("; ", Metadata.Select(pair => $"'{pair.Key}' = '{pair.Value}'"));
    }

    private static readonly Gen<string> Words =
        Gen.Elements("a", "weight", ".", "0", " ", "é", "漢", "😀", "\"", "\\", "/", "'", "{", "}", ":", "\u00a0",
            "\u2028", "\ue000")
            .NonEmptyListOf().Select(string.Concat);

    private static readonly Gen<string> AnyText =
        Gen.OneOf(Words, Gen.Constant(""), Words.Select(word => word + "\n\t\u0001\u007f"));

    private static readonly Gen<NamedArray> Tensors =
        from name in Words
        from rank in Gen.Choose(0, Shape.MaximumRank)
        from lengths in Gen.ListOf(Gen.Frequency((1, Gen.Constant(0)), (8, Gen.Constant(1)),
            (3, Gen.Elements(2, 3, 5))), rank)
        from type in Gen.Elements(NumbersTests.Types)
        from seed in Gen.Choose(0, int.MaxValue)
        select new NamedArray(name, new Shape([.. lengths]),
            NumbersTests.AnyBits(type, new Shape([.. lengths]).Count, new Random(seed)));

    private static readonly Gen<KeyValuePair<string, string>> Pairs = AnyText.Two()
        .Select(pair => KeyValuePair.Create(pair.Item1, pair.Item2));

    public static Arbitrary<Content> Contents() => Arb.From(
        from tensors in Tensors.ListOf()
        from metadata in Pairs.ListOf()
        select new Content([.. tensors.DistinctBy(tensor => tensor.Name)],
            metadata.DistinctBy(pair => pair.Key).ToDictionary()),
        content =>
        [
            .. content.Tensors.Select(drop =>
                content with { Tensors = [.. content.Tensors.Where(tensor => tensor != drop)] }),
            .. content.Metadata.Keys.Select(drop =>
                content with { Metadata = content.Metadata.Where(pair => pair.Key != drop).ToDictionary() }),
        ]);

    [Property(Arbitrary = [typeof(SafetensorsRoundTripTests)])]
    public void WhatIsWrittenIsReadBack(Content content)
    {
        SafetensorsFile.Write(FilePath, content.Tensors, content.Metadata);
        using var file = SafetensorsFile.Open(FilePath);
        Assert.Equal(content.Tensors.Length, file.Entries.Count);
        // sorted in the file
        Assert.Equal(content.Metadata.OrderBy(pair => pair.Key, StringComparer.Ordinal), file.Metadata);
        foreach (var tensor in content.Tensors)
        {
            var entry = file.Entries.Single(entry => entry.Name == tensor.Name);
            Assert.Equal(tensor.Shape, entry.Shape);
            Assert.Equal(tensor.Values.GetType(), file.Read(entry).GetType());
            Assert.Equal(NumbersTests.Bytes(tensor.Values), NumbersTests.Bytes(file.Read(entry)));
            Assert.Equal(tensor.ToDoubles(), file.ReadDoubles(entry));
            Assert.Equal(tensor.ToFloats(), file.ReadFloats(entry));
        }
    }

    [Property(Arbitrary = [typeof(SafetensorsRoundTripTests)])]
    public void TensorsKeepTheirOrder(Content content)
    {
        SafetensorsFile.Write(FilePath, content.Tensors, content.Metadata);
        using var file = SafetensorsFile.Open(FilePath);
        var filled = content.Tensors.Where(tensor => tensor.Values.Length > 0).Select(tensor => tensor.Name);
        Assert.Equal(filled, file.Entries.Where(entry => entry.Length > 0).Select(entry => entry.Name));
        Assert.Equal(0, (8 + BitConverter.ToInt64(File.ReadAllBytes(FilePath))) % 8);
    }

    [Property(Arbitrary = [typeof(SafetensorsRoundTripTests)])]
    public void EqualContentHasEqualBytes(Content content)
    {
        var other = Path.Combine(folder, "other");
        SafetensorsFile.Write(FilePath, content.Tensors, content.Metadata);
        SafetensorsFile.Write(other, content.Tensors, content.Metadata.Reverse().ToDictionary());
        Assert.Equal(File.ReadAllBytes(FilePath), File.ReadAllBytes(other));
    }

    [Fact]
    public void TensorsLongerThanOneChunkAreWhole()
    {
        // 400,012 bytes: six chunks of 2^16 and a rest
        var values = Enumerable.Range(0, 100_003).Select(i => i * 0.5f).ToArray();
        NamedArray[] tensors = [new("first", new Shape(1), new float[] { 7 }),
            new("long", new Shape(values.Length), values),
            new("last", new Shape(1), new float[] { 9 })];
        SafetensorsFile.Write(FilePath, tensors);
        using var file = SafetensorsFile.Open(FilePath);
        Assert.Equal(values, file.ReadFloats(file.Entries[1]));
        Assert.Equal(values.Select(value => (double)value), file.ReadDoubles(file.Entries[1]));
        Assert.Equal([9f], file.ReadFloats(file.Entries[2]));
        Assert.Equal([7f], file.ReadFloats(file.Entries[0]));
    }

    // Where each tensor is looked for among all of them, this takes a minute.
    [Fact]
    public void ManyTensorsAreReadAsFastAsTheyAreWritten()
    {
        SafetensorsFile.Write(FilePath,
            [.. Enumerable.Range(0, 100_000).Select(i => new NamedArray($"{i}", new Shape(0), Array.Empty<float>()))]);
        using var file = SafetensorsFile.Open(FilePath);
        Assert.Equal(100_000, file.Entries.Count);
        Assert.All(file.Entries, entry => Assert.Empty(file.Read(entry)));
    }
}
