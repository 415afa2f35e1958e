using Tapegrad.Layers.Files;

namespace Tapegrad.Layers;

/// <summary>
/// Parameters of any origin in a safetensors file, by their names, in this library's order of axes;
/// <see cref="Module.Save"/> writes a module's, in PyTorch's.
/// </summary>
public static class ParameterFile
{
    /// <summary>Writes values, in the device's type. The file is replaced in one step, or not at all.</summary>
    /// <param name="path">The file.</param>
    /// <param name="parameters">Each with a name of its own.</param>
    /// <param name="texts">What else the file says.</param>
    /// <param name="disk">Null for the machine's own.</param>
    /// <exception cref="IOException">It cannot be written; an old one is as it was.</exception>
    public static void Save(string path, IEnumerable<Parameter> parameters, IReadOnlyDictionary<string, string> texts,
        IDisk? disk = null)
    {
        using var scope = new Scope();
        using var pause = Tape.Current?.Pause();
        SafetensorsWriter.Write(path,
            [.. parameters.Select(parameter => NamedArray.Of(parameter.Name, parameter.Value))], texts,
            disk ?? Disk.Own);
    }

    /// <summary>Puts the numbers of a file back.</summary>
    /// <param name="path">The file.</param>
    /// <param name="parameters">Those that it was saved from, by name and shape.</param>
    /// <exception cref="InvalidDataException">It holds others, or is damaged; nothing was changed.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static void Load(string path, IEnumerable<Parameter> parameters)
    {
        var own = parameters.ToArray();
        using var file = SafetensorsFile.Open(path);
        ModuleFile.CheckFit(path, file, own.Select(parameter => (parameter.Name, parameter.Shape)),
            new Dictionary<string, string>());
        var entries = file.Entries.ToDictionary(entry => entry.Name);
        // all of them, before anything changes
        var numbers = Array.ConvertAll(own, parameter => file.ReadDoubles(entries[parameter.Name]));
        foreach (var (parameter, read) in own.Zip(numbers))
            new StateEntry(parameter.Name, parameter, FileAxes: null).Restore(read);
    }
}
