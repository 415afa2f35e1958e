using System.Buffers.Binary;
using System.IO.Compression;

namespace Tapegrad.Datasets;

/// <summary>
/// Datasets in the files of MNIST (LeCun, Cortes and Burges, 1998) and of others that came after it, such as
/// Fashion-MNIST: four files, each as it is or compressed with gzip, big-endian:
/// <code>
/// train-images-idx3-ubyte, t10k-images-idx3-ubyte   00 00 08 03, count, height, width (4 bytes each), a byte a pixel
/// train-labels-idx1-ubyte, t10k-labels-idx1-ubyte   00 00 08 01, count (4 bytes), a byte a label
/// class_names.txt                                   one name a line; where it is missing, classes are 0, 1, ...
/// </code>
/// </summary>
/// <remarks>
/// Images have one channel. They are cropped for training and not flipped: a mirrored digit is another sign. The first
/// dot of a name may stand for the second hyphen (<c>train-images.idx3-ubyte</c>), as some archives have it. Read here:
/// a header and bytes, for which no package is known.
/// </remarks>
public static class Idx
{
    private const string NamesFile = "class_names.txt";
    private const int Images = 3, Labels = 1;   // axes

    // The most bytes that one byte of Deflate can stand for: four matches of 258, each two codes of one bit.
    private const long MostExpansion = 4 * 258;

    /// <summary>Whether a folder holds the four files. What is in them is checked by <see cref="Load"/>.</summary>
    public static bool IsIn(string folder) =>
        ((string[])["train", "t10k"])
        .All(part => Find(folder, part, Images) is not null && Find(folder, part, Labels) is not null);

    /// <summary>Reads the four files.</summary>
    /// <exception cref="FileNotFoundException">A file is missing.</exception>
    /// <exception cref="InvalidDataException">A file is malformed, or does not fit the others: the message says which
    /// and where.</exception>
    /// <exception cref="IOException">A file cannot be read.</exception>
    public static (ImageDataset Train, ImageDataset Test) Load(string folder)
    {
        var (train, test) = (ReadPart(folder, "train"), ReadPart(folder, "t10k"));
        if (train.Size != test.Size)
            throw new InvalidDataException($"IDX: in {folder} the images to train on have "
                + $"{train.Size.Height}x{train.Size.Width} pixels, those to test on "
                + $"{test.Size.Height}x{test.Size.Width}. They are of different sets.");
        var names = ReadNames(folder, 1 + train.Labels.Concat(test.Labels).DefaultIfEmpty().Max());
        var trained = new ImageDataset("IDX", train.Pixels, train.Labels, train.Size,
            names)
        { Augment = Augment.Crop(Augment.CropAndFlip.Padding) };
        return (trained, new ImageDataset("IDX", test.Pixels, test.Labels, test.Size, names, trained.Mean,
            trained.Std)
        { Augment = trained.Augment });
    }

    private static (byte[] Pixels, int[] Labels, (int Height, int Width, int Channels) Size) ReadPart(string folder,
        string part)
    {
        var (imagesPath, labelsPath) = (Path(folder, part, Images), Path(folder, part, Labels));
        var (counts, pixels) = Read(imagesPath, Images);
        var (count, labels) = Read(labelsPath, Labels);
        if (counts[0] != count[0])
            throw new InvalidDataException($"IDX: {imagesPath} has {counts[0]} images, but {labelsPath} {count[0]} "
                + "labels. They do not belong together.");
        if (counts[1] == 0 || counts[2] == 0)
            throw new InvalidDataException($"IDX: {imagesPath} says at byte 8 that its images have "
                + $"{counts[1]}x{counts[2]} pixels.");
        return (pixels, Array.ConvertAll(labels, label => (int)label), (counts[1], counts[2], 1));
    }

    private static string Path(string folder, string part, int rank) => Find(folder, part, rank)
        ?? throw new FileNotFoundException($"IDX: {part}-{(rank == Images ? "images" : "labels")}-idx{rank}-ubyte (or "
            + $".gz) is missing in {folder}.");

    private static string? Find(string folder, string part, int rank) =>
        (from separator in (char[])['-', '.']
         from ending in (string[])["", ".gz"]
         let path = System.IO.Path.Combine(folder,
             $"{part}-{(rank == Images ? "images" : "labels")}{separator}idx{rank}-ubyte{ending}")
         where File.Exists(path)
         select path).FirstOrDefault();

    /// <summary>A file of bytes with so many axes: their lengths, and the bytes.</summary>
    internal static (int[] Lengths, byte[] Bytes) Read(string path, int rank)
    {
        using var file = RegularFile.Open(path);
        return Read(file, path, rank);
    }

    /// <summary>The same from an open file, which may become shorter or longer between two reads.</summary>
    internal static (int[] Lengths, byte[] Bytes) Read(Stream file, string path, int rank)
    {
        var isCompressed = path.EndsWith(".gz", StringComparison.Ordinal);
        using Stream stream = isCompressed ? new GZipStream(file, CompressionMode.Decompress) : file;
        try
        {
            var header = new byte[4 + 4 * rank];
            if (stream.ReadAtLeast(header, header.Length, throwOnEndOfStream: false) < header.Length)
                throw Refusal($"it ends in its header of {header.Length} bytes");
            var magic = BinaryPrimitives.ReadInt32BigEndian(header);
            if (magic != (8 << 8 | rank)) throw Refusal($"it begins with {magic:X8}, not {8 << 8 | rank:X8}");
            long count = 1;
            var lengths = new int[rank];
            for (var axis = 0; axis < rank; axis++)
            {
                lengths[axis] = BinaryPrimitives.ReadInt32BigEndian(header.AsSpan(4 + 4 * axis));
                if (lengths[axis] < 0 || lengths[axis] > 0 && count > Array.MaxLength / lengths[axis])
                    throw Refusal($"the length {(uint)lengths[axis]} at byte {4 + 4 * axis} is too large");
                count *= lengths[axis];
            }
            // Compressed or not, before memory is taken.
            if (isCompressed ? count > MostExpansion * file.Length : count != file.Length - header.Length)
                throw Refusal($"its header says {count} bytes behind it, but the file has {file.Length} in all"
                    + $"{(isCompressed ? ", compressed, which cannot hold so many" : "")}");
            var bytes = new byte[count];
            var read = stream.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
            if (read < count)
                throw Refusal($"it ends at byte {header.Length + read}; {count - read} bytes are missing");
            if (stream.ReadByte() >= 0) throw Refusal($"it goes on behind byte {header.Length + count}");
            if (isCompressed) CheckEnd(file, header.Length + count);
            return (lengths, bytes);
        }
        catch (InvalidDataException error) when (!error.Message.StartsWith("IDX", StringComparison.Ordinal))
        {
            throw Refusal($"its compressed data are damaged ({error.Message.TrimEnd('.')})");
        }

        InvalidDataException Refusal(string why) =>
            new($"IDX: {path}: {why}. It is damaged, or another kind of file; copy or download it again.");
    }

    // A gzip file ends with the CRC-32 of what is in it, which the stream has verified, and the length of that: a file
    // that is cut off in these eight bytes has read as if it were whole, and is known by the length.
    private static void CheckEnd(Stream file, long length)
    {
        var end = new byte[4];
        file.Seek(-Math.Min(end.Length, file.Length), SeekOrigin.End);   // it may have become shorter meanwhile
        if (file.ReadAtLeast(end, end.Length, throwOnEndOfStream: false) < end.Length
            || BinaryPrimitives.ReadUInt32LittleEndian(end) != (uint)length)
            throw new InvalidDataException("the length at the end does not fit");
    }

    private static string[] ReadNames(string folder, int classes)
    {
        var path = System.IO.Path.Combine(folder, NamesFile);
        if (!File.Exists(path)) return [.. Enumerable.Range(0, classes).Select(label => $"{label}")];
        var names = NameList.Read(path);
        return names.Length >= classes ? names
            : throw new InvalidDataException($"IDX: {path} has {names.Length} class names, but there are labels up to "
                + $"{classes - 1}. "
                + "Without this file classes are called by their numbers.");
    }
}
