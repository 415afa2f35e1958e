namespace Tapegrad.Layers.Files;

/// <summary>
/// Named arrays in any of the formats for them: <c>.npz</c> and <c>.npy</c> (<see cref="NumpyFile"/>) by the file's
/// name, and otherwise safetensors (<see cref="SafetensorsFile"/>).
/// </summary>
public static class ArrayFile
{
    private static readonly string[] Pickles = [".pt", ".pth", ".ckpt", ".pkl"];

    /// <summary>All arrays of a file, in its order.</summary>
    /// <exception cref="InvalidDataException">The file is not well-formed; the message says where and what.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static IReadOnlyList<NamedArray> Read(string path)
    {
        if (Has(path, ".npz")) return NumpyFile.ReadArchive(path);
        if (Has(path, ".npy")) return [NumpyFile.Read(path)];
        if (Pickles.Any(pickle => Has(path, pickle)))
            throw new InvalidDataException($"{path}: a pickle is a program, and none is run here. Save the weights in "
                + "Python as safetensors: safetensors.torch.save_file(model.state_dict(), \"model.safetensors\").");
        using var file = SafetensorsFile.Open(path);
        return [.. file.Entries.Select(entry => new NamedArray(entry.Name, entry.Shape, file.Read(entry)))];
    }

    /// <summary>Writes arrays in the given order. The file is replaced in one step, or not at all.</summary>
    /// <exception cref="ArgumentException">The format cannot hold them; a .npy file holds one array, whose name is the
    /// file's.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static void Write(string path, IReadOnlyList<NamedArray> arrays)
    {
        if (Has(path, ".npz")) NumpyFile.WriteArchive(path, arrays);
        else if (!Has(path, ".npy")) SafetensorsFile.Write(path, arrays);
        else if (arrays is [var only]) NumpyFile.Write(path, only.Shape, only.Values);
        else
            throw new ArgumentException($"{path}: a .npy file holds one array, and there are {arrays.Count}. Name a "
                + ".npz file.");
    }

    private static bool Has(string path, string extension) =>
        path.EndsWith(extension, StringComparison.OrdinalIgnoreCase);
}
