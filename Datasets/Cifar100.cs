namespace Tapegrad.Datasets;

/// <summary>
/// CIFAR-100: 50,000 + 10,000 colour photographs of 32 x 32 pixels in a hundred classes (Krizhevsky, "Learning multiple
/// layers of features from tiny images", 2009), in the binary version from https://www.cs.toronto.edu/~kriz/cifar.html.
/// The labels are the fine ones.
/// </summary>
/// <remarks>
/// Two files of records of a byte with the coarse label, a byte with the fine one, and 3072 bytes with the image.
/// </remarks>
public static class Cifar100
{
    private const string Names = """
        apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly camel can
        castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup dinosaur dolphin
        elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower leopard lion lizard
        lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid otter palm_tree pear
        pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray road rocket rose sea seal shark
        shrew skunk skyscraper snail snake spider squirrel streetcar sunflower sweet_pepper table tank telephone
        television tiger tractor train trout tulip turtle wardrobe whale willow_tree wolf woman worm
        """;

    /// <summary>Per channel, the mean of value / 255 over the training images.</summary>
    public static IReadOnlyList<double> Mean { get; } = [0.5071, 0.4865, 0.4409];

    /// <summary>Per channel, the standard deviation of value / 255 over the training images.</summary>
    public static IReadOnlyList<double> Std { get; } = [0.2673, 0.2564, 0.2762];

    internal static CifarFiles Files { get; } = new("CIFAR-100", ["train.bin"], ["test.bin"], LabelBytes: 2,
        "fine_label_names.txt", Names.Split([' ', '\n', '\r'], StringSplitOptions.RemoveEmptyEntries), Mean, Std);

    /// <summary>Whether a folder holds both files. What is in them is checked by <see cref="Load(string)"/>.</summary>
    public static bool IsIn(string folder) => Files.AreIn(folder);

    /// <summary>Reads both files. Each of them is checked before any image is handed out.</summary>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    /// <exception cref="FileNotFoundException">A file is missing.</exception>
    /// <exception cref="InvalidDataException">A file has not the length it must have, or a label is over 99: the
    /// message says where.</exception>
    public static (ImageDataset Train, ImageDataset Test) Load(string folder) => Load(folder, 50_000, 10_000);

    /// <summary>Like <see cref="Load(string)"/>, for files of other numbers of records.</summary>
    internal static (ImageDataset Train, ImageDataset Test) Load(string folder, int trainRecords, int testRecords) =>
        Files.Load(folder, trainRecords, testRecords);
}
