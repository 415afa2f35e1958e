using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace Tapegrad.Datasets.Images;

/// <summary>
/// A file with the decoded images of a folder, one for each folder: 32 bytes of SHA-256 of all that follows, 32 of what
/// the images follow from (<see cref="DecodedImages.Key"/>), a byte for each image that says what came of it, and all
/// pixels. It is written aside and renamed.
/// </summary>
/// <remarks>Whatever is wrong with it, the images are read from their own files, and it is written again.</remarks>
internal sealed class ImageCache(string cacheFolder, string folder)
{
    private const int Sum = SHA256.HashSizeInBytes;

    private readonly string path = Path.Combine(cacheFolder,
        $"images-{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Path.GetFullPath(folder))))[..16]}.cache");

    /// <summary>Takes the images from the file; false where it does not hold these.</summary>
    public bool Read(DecodedImages images)
    {
        if (!File.Exists(path)) return false;
        try
        {
            using var file = RegularFile.Open(path);
            var (sum, key, flags) = (new byte[Sum], new byte[Sum], new byte[images.Outcomes.Length]);
            file.ReadExactly(sum);
            file.ReadExactly(key);
            if (!key.AsSpan().SequenceEqual(KeyOf(images))) return false;   // another size, or other files
            if (file.Length != 2L * Sum + flags.Length + images.Pixels.Length)
                throw new InvalidDataException("its length does not fit");
            file.ReadExactly(flags);
            file.ReadExactly(images.Pixels);
            if (!sum.AsSpan().SequenceEqual(SumOf(key, flags, images.Pixels)))
                throw new InvalidDataException("its SHA-256 does not fit");
            flags.CopyTo(MemoryMarshal.AsBytes(images.Outcomes.AsSpan()));
            return true;
        }
        catch (Exception error) when (error is IOException or InvalidDataException or UnauthorizedAccessException)
        {
            Array.Clear(images.Pixels);
            Notices.Raise($"the cache {path} is damaged ({error.Message.TrimEnd('.')}); the images are read again.");
            return false;
        }
    }

    /// <summary>Writes the images; that it cannot be done is no more than a notice.</summary>
    public void Write(DecodedImages images)
    {
        var aside = $"{path}.{Path.GetRandomFileName()}";
        try
        {
            Directory.CreateDirectory(cacheFolder);
            RemoveLeft();
            var (key, flags) = (KeyOf(images), MemoryMarshal.AsBytes(images.Outcomes.AsSpan()).ToArray());
            using (var file = File.Create(aside))
            {
                file.Write(SumOf(key, flags, images.Pixels));
                file.Write(key);
                file.Write(flags);
                file.Write(images.Pixels);
            }
            File.Move(aside, path, overwrite: true);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            RemoveQuietly(aside);
            Notices.Raise($"the images are not kept for the next time: {path} cannot be written: {error.Message}");
        }
    }

    // What was written aside by a process that was killed; one that lives is done within a day.
    private void RemoveLeft()
    {
        foreach (var left in Directory.EnumerateFiles(cacheFolder, $"{Path.GetFileName(path)}.*"))
            if (File.GetLastWriteTimeUtc(left) < DateTime.UtcNow.AddDays(-1)) RemoveQuietly(left);
    }

    private static void RemoveQuietly(string file)
    {
        try
        {
            File.Delete(file);
        }
        // the next one who writes removes it
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
        }
    }

    private static byte[] KeyOf(DecodedImages images) => SHA256.HashData(Encoding.UTF8.GetBytes(images.Key));

    private static byte[] SumOf(params byte[][] parts)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var part in parts) hash.AppendData(part);
        return hash.GetHashAndReset();
    }
}
