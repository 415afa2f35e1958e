namespace Tapegrad.Examples.Cifar10;

/// <summary>What a command will write.</summary>
/// <param name="Option">Names it.</param>
/// <param name="Path">A file, or a folder.</param>
/// <param name="IsGiven">Whether somebody has given the option; else this is what stands in its place.</param>
internal sealed record Output(string Option, string Path, bool IsGiven = true);

/// <summary>
/// What a command is asked to write is refused before the work begins where it would destroy something else, or cannot
/// be.
/// </summary>
internal static class OutputFile
{
    /// <summary>
    /// Checks that a file can be written, has one of the usual endings, and is not the file that is read.
    /// </summary>
    /// <exception cref="UserError">It is not so.</exception>
    public static void Check(Output output, string[] extensions, string input)
    {
        var (option, path, _) = output;
        if (!extensions.Contains(Path.GetExtension(path), StringComparer.OrdinalIgnoreCase))
            throw new UserError($"{option} {path}: the file's name must end with {string.Join(" or ", extensions)}.");
        if (Directory.Exists(path))
            throw new UserError($"{option} {path}: it is a folder. Give the name of a file in it.");
        var real = Real(path);
        var folder = Path.GetDirectoryName(real)!;
        if (!Path.Exists(folder))
            throw new UserError($"{option} {path}: there is no folder '{folder}'. Create it first.");
        if (Obstacle(folder) is { } why) throw new UserError($"{option} {path}: '{folder}' cannot be written: {why}");
        if (Real(input) == real)
            throw new UserError($"{option} {path}: this is the file that is read. Give another name.");
    }

    /// <summary>Checks that no two are the same file, whose first content would be gone.</summary>
    /// <exception cref="UserError">Two are.</exception>
    public static void CheckDifferent(IEnumerable<Output> outputs)
    {
        var first = new Dictionary<string, string>();
        foreach (var (option, path, _) in outputs)
            if (!first.TryAdd(Real(path), option))
                throw new UserError($"{option} {path}: {first[Real(path)]} writes this file too. Give another name.");
    }

    /// <summary>
    /// Checks that something that will be written does not lie in the folder of the data, where it would be taken for
    /// some of them.
    /// </summary>
    /// <exception cref="UserError">It does.</exception>
    public static void CheckApart(Output output, string data)
    {
        if ((Real(output.Path) + Path.DirectorySeparatorChar)
            .StartsWith(Path.TrimEndingDirectorySeparator(Real(data)) + Path.DirectorySeparatorChar,
            StringComparison.Ordinal))
            throw new UserError(output.IsGiven
                ? $"{output.Option} {output.Path}: it lies in the folder of the data, '{data}'. Choose another place."
                : $"{output.Option}: without it '{output.Path}' is written, in the folder of the data, '{data}'. Give "
                    + $"{output.Option} and another"
                    + " place.");
    }

    /// <summary>Checks that a file that is read is none of a folder whose files are removed.</summary>
    /// <exception cref="UserError">It is one.</exception>
    public static void CheckOutside(string option, string input, Output output)
    {
        if (Path.GetDirectoryName(Real(input)) == Path.TrimEndingDirectorySeparator(Real(output.Path)))
            throw new UserError($"{option} {input}: it lies in {output.Option} {output.Path}, where it would be "
                + $"removed. Give another {output.Option}.");
    }

    /// <summary>Checks that a folder can be made, or written to if it is there, and leaves all as it is.</summary>
    /// <exception cref="UserError">It cannot.</exception>
    public static void CheckFolder(Output output)
    {
        var nearest = Path.GetFullPath(output.Path);
        while (!Path.Exists(nearest) && Path.GetDirectoryName(nearest) is { } above) nearest = above;
        if (Obstacle(nearest) is { } why)
            throw new UserError($"{output.Option}: the folder '{output.Path}' cannot be written: {why}");
    }

    // Why nothing can be written in a folder; null where a file can, which is gone again.
    private static string? Obstacle(string folder)
    {
        try
        {
            using var probe = new FileStream(Path.Combine(folder, Path.GetRandomFileName()), FileMode.CreateNew,
                FileAccess.Write, FileShare.None, 1, FileOptions.DeleteOnClose);
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return File.Exists(folder) ? $"'{folder}' is a file." : e.Message;
        }
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
