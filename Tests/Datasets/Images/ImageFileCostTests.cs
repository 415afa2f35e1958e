using System.Buffers.Binary;
using Tapegrad.Datasets.Images;
using Xunit;
using static Tapegrad.Tests.Datasets.Images.ImageFileTests;

namespace Tapegrad.Tests.Datasets.Images;

/// <summary>Files that would cost too much: what they take is bounded before it is taken.</summary>
public sealed class ImageFileCostTests
{
    private static byte[] Changed(byte[] file, int at, params byte[] bytes)
    {
        var changed = file.ToArray();
        bytes.CopyTo(changed, at);
        return changed;
    }

    // A size that the file says, of each kind: where it stands, and how.
    [Theory]
    [InlineData("4:2:0", 0)]
    [InlineData("BMP colour", 18)]
    [InlineData("GIF", 6)]
    [InlineData("WebP", 26)]
    public void A_promise_that_the_file_cannot_keep_is_refused_before_memory_is_taken(string name, int at)
    {
        var file = GoldenImages.Of(name).File;
        var huge = name switch
        {
            "4:2:0" => Changed(file, file.AsSpan().IndexOf((byte[])[0xFF, 0xC0]) + 5, 0x20, 0, 0x20, 0),
            "BMP colour" => Changed(file, at, 0, 0x20, 0, 0, 0, 0x20, 0, 0),
            "GIF" => Changed(file, at, 0, 0x20, 0, 0x20),
            _ => Changed(file, at, 0, 0x20, 0, 0x20),
        };
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Contains("cannot hold so many", Refusal(huge, ImageFile.MostPixels));
        Assert.Contains("more than the 1000 that are read", Refusal(huge));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 4_000_000);
    }

    [Fact]
    public void Compressed_text_in_a_png_is_not_unfolded()
    {
        using var text = new MemoryStream();
        using (var folding = new System.IO.Compression.ZLibStream(text, System.IO.Compression.CompressionLevel.Optimal,
            leaveOpen: true))
            folding.Write(new byte[100 << 20]);
        byte[] body = [.. "zTXtbomb\0\0"u8, .. text.ToArray()], chunk = [0, 0, 0, 0, .. body, 0, 0, 0, 0];
        BinaryPrimitives.WriteInt32BigEndian(chunk, body.Length - 4);
        byte[] file = [.. Png[..33], .. chunk, .. Png[33..]];
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Equal(Seen, ImageFile.Decode(file, strict: true).Pixels);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 10_000_000);
    }

    // Each scan takes as long as an image.
    [Fact]
    public void A_jpeg_of_very_many_scans_is_refused()
    {
        var file = GoldenImages.Of("progressive, grey").File;
        var last = file.AsSpan().LastIndexOf((byte[])[0xFF, 0xDA]);
        byte[] more = [.. file[..last], .. Enumerable.Repeat(file[last..^2], 200).SelectMany(scan => scan),
            .. file[^2..]];
        Assert.Contains("at most 100 are read", Refusal(more));
    }

    // ImageSharp waits for ever for the rows that are missing: the chunks are right, and one of the data is not there.
    [Fact]
    public async Task An_interlaced_png_without_all_its_rows_is_refused()
    {
        var file = GoldenImages.Of("PNG colour with opacity, interlaced").File;
        var data = file.AsSpan().IndexOf("IDAT"u8) - 4;
        var length = BinaryPrimitives.ReadInt32BigEndian(file.AsSpan(data));
        byte[] half = [.. "IDAT"u8, .. file.AsSpan(data + 8, length / 2)], chunk = [0, 0, 0, 0, .. half, 0, 0, 0, 0];
        BinaryPrimitives.WriteInt32BigEndian(chunk, half.Length - 4);
        BinaryPrimitives.WriteUInt32BigEndian(chunk.AsSpan(chunk.Length - 4), Tapegrad.Layers.Files.Crc32.Of(half));
        byte[] cut = [.. file[..data], .. chunk, .. file[(data + 12 + length)..]];
        Assert.Contains("rows are missing", await Task.Run(() => Refusal(cut)).WaitAsync(TimeSpan.FromSeconds(20)));
    }

    // What damage found: what lies before a BMP's rows is taken for colours.
    [Fact]
    public void A_bmp_whose_rows_begin_far_behind_its_end_takes_no_memory()
    {
        var file = Changed(GoldenImages.Of("BMP indexed").File, 10, 0, 0, 0, 0x28);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Contains("begin behind its end", Refusal(file));
        Assert.Contains("header is cut off", Refusal(file[..29]));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 4_000_000);
    }

    [Fact]
    public void Memory_is_bounded_in_sum()
    {
        var memory = new ImageMemory(1000);
        var first = memory.Allocate<int>(200);
        Assert.Throws<SixLabors.ImageSharp.Memory.InvalidMemoryOperationException>(() => memory.Allocate<byte>(201));
        Assert.Throws<SixLabors.ImageSharp.Memory.InvalidMemoryOperationException>(() => memory.Allocate<byte>(-1));
        first.Dispose();
        first.Dispose();   // once counts
        Assert.Equal(250, memory.Allocate<int>(250).Memory.Length);
        Assert.Throws<SixLabors.ImageSharp.Memory.InvalidMemoryOperationException>(() => memory.Allocate<byte>(1));
    }

    // Larger images of every kind fit into the bound.
    [Fact]
    public void The_bound_is_enough()
    {
        foreach (var ending in (string[])[".jpg", ".png", ".webp", ".bmp", ".gif", ".tif"])
            foreach (var (height, width) in ((int, int)[])[(700, 500), (3, 9000)])
                Assert.Equal(height,
                    ImageFile.Decode(ImageFile.Encode(Noise(height, width, 3, seed: 2), ending), strict: true).Height);
    }
}
