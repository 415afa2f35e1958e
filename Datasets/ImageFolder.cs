using System.Buffers.Binary;
using System.IO.Enumeration;
using System.Security.Cryptography;
using System.Text;
using Tapegrad.Datasets.Images;

namespace Tapegrad.Datasets;

/// <summary>
/// One's own images: a folder with a folder for each class, which holds the class's images, in whatever sizes and in
/// folders of its own if need be (no links to folders).
/// <code>
/// folder/cats/tom.jpg, folder/dogs/rex.png, ...         about a fifth of each class is held apart to test on
/// folder/train/cats/tom.jpg, .., folder/test/cats/a.jpg  or val, valid, validation; the first of these that is there
/// </code>
/// Beside <c>train</c> with two classes nothing else is trained on. Two folders of such names without two classes in
/// <c>train</c> are refused: they would be told from each other.
/// </summary>
/// <remarks>
/// The classes are the folders' names in alphabetical order. An image becomes the square in its middle, of <c>side</c>
/// x <c>side</c> pixels, each the mean of the area that it covers (<see cref="Picture.Square"/>), in colour; what is
/// transparent is shown on white. Memory is side * side * 3 bytes an image, and while a file is decoded a few times its
/// pixels, on each processor. A file that cannot be read is left out, and named in a notice. Where there are no folders
/// to test on, an image is held apart if the SHA-256 of its name lies in the lowest fifth of all numbers: it does not
/// change sides when others come or go. Only where that leaves one side of a class without any does the image with the
/// nearest hash change over. The classes take turns, so that the first images are of all of them.
/// </remarks>
public static class ImageFolder
{
    private const int Channels = DecodedImages.Channels, NamedAtMost = 100, TestedOneIn = 5;
    private const string TrainName = "train";
    private static readonly string[] TestNames = ["test", "val", "valid", "validation"];
    private static readonly string[] Endings = [".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"];

    // Files that begin with a dot are hidden everywhere.
    private static readonly EnumerationOptions Below = new()
    {
        RecurseSubdirectories = true,
        MaxRecursionDepth = 8,
        AttributesToSkip = FileAttributes.Hidden | FileAttributes.System,
        IgnoreInaccessible = false,
    };

    // The folder with the classes to train on, the one with those to test on if there is one, and the names of the
    // classes.
    private sealed record Places(string Folder, string Train, string? Test, string[] Classes)
    {
        public static Places In(string folder)
        {
            foreach (var train in Named(folder, TrainName))
                if (ClassesIn(train) is { Length: > 1 } classes)
                    return new Places(folder, train, Named(folder, TestNames).FirstOrDefault(), classes);
            return new Places(folder, folder, null, ClassesIn(folder));
        }

        public void CheckParts()
        {
            var parts = Named(Folder, [TrainName, .. TestNames]).ToArray();
            if (Train == Folder && parts.Length > 1)
                throw new InvalidDataException($"{Folder}: '{string.Join("', '", parts.Select(Path.GetFileName))}' are "
                    + $"parts of a dataset and no classes, but no '{TrainName}' has two folders or more with files in "
                    + "them, one for each class. Put them there, or give the parts other names.");
            if (Train == Folder) return;
            foreach (var idle in Folders(Folder).Select(name => Path.Combine(Folder, name))
                .Except([Train, .. Named(Folder, TestNames)]))
                if (Files(idle).Any(IsCalledImage))
                    Notices.Raise($"{idle}: not used: the images to train on are those in {Train}.");
        }
    }

    /// <summary>
    /// Whether a folder, or its folder 'train', has two folders or more with files in them that are called .jpg, .jpeg,
    /// .png, .webp, .bmp, .gif, .tif or .tiff.
    /// </summary>
    public static bool IsIn(string folder) => Directory.Exists(folder) && Places.In(folder) is var places
        && places.Classes.Where(name => Files(Path.Combine(places.Train, name)).Any(IsCalledImage)).Take(2)
        .Count() == 2;

    /// <summary>Reads all images, on all processors.</summary>
    /// <param name="folder">With a folder for each class.</param>
    /// <param name="side">Height and width that images get.</param>
    /// <param name="cacheFolder">
    /// Where to keep the images as they have become, so that they need not be read again as long as the files' names,
    /// lengths and times, the decoders and <paramref name="strict"/> are the same; null for nowhere.
    /// </param>
    /// <param name="decoders">What reads files of other kinds than <see cref="ImageFile"/> does, or in another
    /// way.</param>
    /// <param name="strict">Whether files that are cut off are left out. If not, they are seen as far as they go; both
    /// are named.</param>
    /// <exception cref="InvalidDataException">There are no classes, or only parts of a dataset; or a class has no
    /// readable image, or is a link to another; or the images do not fit into memory.</exception>
    /// <exception cref="IOException">A folder cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">A folder may not be read.</exception>
    public static (ImageDataset Train, ImageDataset Test) Load(string folder, int side = 32, string? cacheFolder = null,
        IReadOnlyList<IImageDecoder>? decoders = null, bool strict = false)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(side, 1);
        if (!Directory.Exists(folder)) throw new DirectoryNotFoundException($"there is no folder {folder}.");
        var places = Places.In(folder);
        places.CheckParts();
        var classes = places.Classes;
        if (classes.Length < 2)
            throw new InvalidDataException($"{places.Train} has "
                + $"{(classes.Length == 0 ? "no folder" : $"only one folder, '{classes[0]}',")} with files in it; "
                + "one for each class is needed, and two classes are the least.");
        CheckApart(places);
        if (places.Test is { } test)
            foreach (var idle in Named(folder, TestNames).Where(other => other != test))
                Notices.Raise($"{idle}: not used: the images to test on are those in {test}.");
        foreach (var empty in Folders(places.Train).Except(classes))
            Notices.Raise($"{Path.Combine(places.Train, empty)}: no file, so no class.");
        Entry[] entries =
            [.. Find(places).OrderBy(entry => entry.IsTest).ThenBy(entry => entry.Turn).ThenBy(entry => entry.Label)];
        if ((double)side * side * Channels * entries.Length > Array.MaxLength)
            throw new InvalidDataException($"{folder}: {entries.Length} images of {side}x{side} pixels are more than "
                + "fit into memory. Use a smaller size.");
        var images = new DecodedImages(side, [.. entries.Select(entry => entry.Path)], decoders ?? [], strict);
        images.Read(cacheFolder is null ? null : new ImageCache(cacheFolder, folder));
        Report(folder, "left out: ", images.Refusals, "that cannot be read");
        Report(folder, "", [.. images.CutOff.Select(path => $"{path}: {ImageFile.CutOff}")], "that are cut off");

        Entry[] read = [.. entries.Where((_, i) => images.Outcomes[i] != DecodedImages.Outcome.Unread)];
        var trained = read.Where(entry => !entry.IsTest).Select(entry => entry.Label).ToHashSet();
        if (Enumerable.Range(0, classes.Length).FirstOrDefault(label => !trained.Contains(label), -1) is >= 0
            and var bare)
            throw new InvalidDataException($"{folder}: class '{classes[bare]}' has no readable image to train on. Add "
                + "some, or take its folder away.");
        var count = read.Count(entry => !entry.IsTest);
        if (count == read.Length)
            throw new InvalidDataException($"{folder}: there is no readable image to test on. "
                + (places.Test is { } given ? $"Put some into the classes' folders in {given}, or take that away."
                    : "A class needs two images or more."));
        var pixels = images.Packed();
        var statistics = PixelStatistics.Of(pixels.AsSpan(0, count * side * side * Channels), Channels);
        var whole = new ImageDataset(nameof(ImageFolder), pixels, [.. read.Select(entry => entry.Label)],
            (side, side, Channels), classes,
            [.. statistics.Select(channel => channel.Mean)], [.. statistics.Select(channel => channel.Std)])
        {
            IsResized = true,
            Augment = Augment.CropAndFlip with { Padding = side / 8 },   // as wide, for its size, as the usual one
            Sources = [.. read.Select(entry => Path.GetRelativePath(folder, entry.Path).Replace('\\', '/'))],
        };
        return (whole.Choose(Enumerable.Range(0, count)), whole.Choose(Enumerable.Range(count, read.Length - count)));
    }

    // Its turn: how many of its class and of its side stand before it.
    private sealed record Entry(string Path, int Label, bool IsTest, int Turn);

    // The folders of these names, in small letters, capitals, or both.
    private static IEnumerable<string> Named(string folder, params string[] names) =>
        from name in names
        from present in Folders(folder)
        where present.Equals(name, StringComparison.OrdinalIgnoreCase)
        select Path.Combine(folder, present);

    // A class may be a link to a folder elsewhere, but not to another class, to a folder in one, or to one with classes
    // in it.
    private static void CheckApart(Places places)
    {
        var targets = places.Classes.Select(name =>
            (Name: name, Path: Target(Path.Combine(places.Train, name)) + Path.DirectorySeparatorChar))
            .OrderBy(target => target.Path, StringComparer.Ordinal).ToArray();   // what lies in a folder follows it
        foreach (var (target, next) in targets.Zip(targets.Skip(1)))
            if (next.Path.StartsWith(target.Path, StringComparison.Ordinal))
                throw new InvalidDataException($"{places.Train}: the folders of the classes '{target.Name}' and "
                    + $"'{next.Name}' are the same, or one lies in the other:"
                    + " an image would be of both. Take away the link.");

        static string Target(string path) =>
            new DirectoryInfo(path).ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? Path.GetFullPath(path);
    }

    // The names of the folders with files in them.
    private static string[] ClassesIn(string folder) =>
        [.. Folders(folder).Where(name => Files(Path.Combine(folder, name)).Any())];

    private static IEnumerable<string> Folders(string folder) =>
        new DirectoryInfo(folder).GetDirectories()
        .Where(directory => !directory.Attributes.HasFlag(FileAttributes.Hidden))
            .Select(directory => directory.Name).Order(StringComparer.Ordinal);

    // A link to a folder is not entered: it could lead to another class, or round in a circle.
    private static IEnumerable<string> Files(string folder) =>
        new FileSystemEnumerable<string>(folder, (ref FileSystemEntry entry) => entry.ToSpecifiedFullPath(), Below)
        {
            ShouldIncludePredicate = (ref FileSystemEntry entry) => !entry.IsDirectory,
            ShouldRecursePredicate = (ref FileSystemEntry entry) =>
            !entry.Attributes.HasFlag(FileAttributes.ReparsePoint),
        };

    private static bool IsCalledImage(string path) => Endings.Contains(Path.GetExtension(path).ToLowerInvariant());

    private static List<Entry> Find(Places places)
    {
        var (train, test, found) = (places.Train, places.Test, new List<Entry>());
        foreach (var (label, name) in places.Classes.Index())
        {
            var names = NamesIn(Path.Combine(train, name));
            var heldApart = test is null ? HeldApart(names) : [];
            Add(Path.Combine(train, name), names.Where(file => !heldApart.Contains(file)), label, isTest: false);
            Add(Path.Combine(train, name), names.Where(heldApart.Contains), label, isTest: true);
        }
        if (test is null) return found;
        var labels = places.Classes.Index().ToDictionary(one => one.Item, one => one.Index);
        var tested = ClassesIn(test);
        foreach (var untested in places.Classes.Except(tested))
            Notices.Raise($"{test}: it has no folder '{untested}' with files in it: this class is not tested.");
        foreach (var name in tested)
        {
            if (!labels.TryGetValue(name, out var label))
                throw new InvalidDataException($"{test} has a folder '{name}', but {train} has none: it would be a "
                    + "class that was never trained.");
            Add(Path.Combine(test, name), NamesIn(Path.Combine(test, name)), label, isTest: true);
        }
        return found;

        void Add(string parent, IEnumerable<string> names, int label, bool isTest) =>
            found.AddRange(names.Select((name, turn) => new Entry(Path.Combine(parent, name), label, isTest, turn)));
    }

    // Relative to the folder, and on every system with the same separator, in the same order.
    private static string[] NamesIn(string folder) =>
        [.. Files(folder).Select(path => Path.GetRelativePath(folder, path).Replace('\\', '/'))
            .Order(StringComparer.Ordinal)];

    /// <summary>
    /// Those of a class's files that are held apart; with two names or more, at least one, and not all.
    /// </summary>
    internal static HashSet<string> HeldApart(string[] names)
    {
        if (names.Length < 2) return [];
        var hashed = names.Select(name => (Name: name, Hash: Hash(name))).OrderBy(file => file.Hash).ToArray();
        var count = hashed.Count(file => file.Hash < ulong.MaxValue / TestedOneIn);
        return [.. hashed.Take(Math.Clamp(count, 1, names.Length - 1)).Select(file => file.Name)];

        static ulong Hash(string name) =>
            BinaryPrimitives.ReadUInt64BigEndian(SHA256.HashData(Encoding.UTF8.GetBytes(name)));
    }

    private static void Report(string folder, string what, IReadOnlyList<string> files, string which)
    {
        foreach (var file in files.Take(NamedAtMost)) Notices.Raise($"{what}{file}");
        if (files.Count > NamedAtMost)
            Notices.Raise($"{what}{files.Count - NamedAtMost} more files in {folder} {which}.");
    }
}
