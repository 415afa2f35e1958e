namespace Tapegrad.Examples.Cifar10;

/// <summary>A file that a command is asked to write: refused before the work begins where it would destroy something else.</summary>
internal static class OutputFile
{
    /// <summary>Checks that a file can be written, has one of the usual endings, and is not the file that is read.</summary>
    /// <exception cref="UserError">It is not so.</exception>
    public static void Check(string option, string path, string[] extensions, string input)
    {
        if (!extensions.Contains(Path.GetExtension(path), StringComparer.OrdinalIgnoreCase))
            throw new UserError($"{option} {path}: the file's name must end with {string.Join(" or ", extensions)}.");
        if (Directory.Exists(path)) throw new UserError($"{option} {path}: it is a folder. Give the name of a file in it.");
        var real = Real(path);
        if (Path.GetDirectoryName(real) is { } folder && !Directory.Exists(folder))
            throw new UserError($"{option} {path}: there is no folder '{folder}'. Create it first.");
        if (Real(input) == real) throw new UserError($"{option} {path}: this is the file that is read. Give another name.");
    }

    /// <summary>Checks that something that will be written does not lie in the folder of the data, where it would be taken for some of them.</summary>
    /// <exception cref="UserError">It does.</exception>
    public static void CheckApart(string option, string path, string data)
    {
        if ((Real(path) + Path.DirectorySeparatorChar).StartsWith(Path.TrimEndingDirectorySeparator(Real(data)) + Path.DirectorySeparatorChar,
            StringComparison.Ordinal))
            throw new UserError($"{option} {path}: it lies in the folder of the data, '{data}'. Choose another place.");
    }

    // The full path, with what links in it lead to: of a folder on the way, or of the file itself.
    private static string Real(string path)
    {
        var full = Path.GetFullPath(path);
        if (Path.GetDirectoryName(full) is not { } folder) return full;
        full = Path.Combine(Real(folder), Path.GetFileName(full));
        FileSystemInfo here = Directory.Exists(full) ? new DirectoryInfo(full) : new FileInfo(full);
        return here.LinkTarget is null ? full : here.ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? full;
    }
}
