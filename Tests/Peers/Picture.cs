namespace Tapegrad.Peers;

/// <summary>One picture as a PPM file, and as the second record of a file like CIFAR-10's, for Examples/Onnx.</summary>
internal static class Picture
{
    public static void Write(string folder)
    {
        Directory.CreateDirectory(folder);
        var pixels = new byte[3 * 32 * 32];
        for (var i = 0; i < pixels.Length; i++) pixels[i] = (byte)(i * 7919);
        File.WriteAllBytes(Path.Combine(folder, "picture.ppm"), [.. "P6\n# noise\n32 32\n255\n"u8, .. pixels]);
        byte[] planes = [.. Enumerable.Range(0, pixels.Length).Select(i => pixels[3 * (i % 1024) + i / 1024])];
        File.WriteAllBytes(Path.Combine(folder, "pictures.bin"), [.. new byte[3073], 0, .. planes]);
    }
}
