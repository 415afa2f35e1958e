namespace Tapegrad.Layers;

/// <summary>
/// What stands before a model's names in a file of somebody else's, such as <c>module.</c>. For a model with fc.weight
/// and fc.bias:
/// <code>
/// the file's names                                       the prefix     because
/// fc.weight fc.bias                                      (none)
/// module.fc.weight module.fc.bias n_averaged             module.        something may stand beside the model
/// student.fc.weight student.fc.bias teacher.fc.bias      student.       most of the model's names have it
/// fc.weight fc.bias ema.fc.weight ema.fc.bias            (none)         none rather than one
/// student.fc.weight student.fc.bias, teacher's too       refused        the model is there twice
/// b.fc.weight teacher.fc.bias                            b.             of parts, the shortest, then by letters
/// fc.fc.weight fc.fc.bias                                (none)         the model's own first word is no prefix
/// net.kernel net.offset                                  net.           nothing fits: what all share, for the report
/// </code>
/// </summary>
internal static class StateDictPrefix
{
    /// <summary>The prefix of the model's names.</summary>
    /// <param name="path">The file, for the message.</param>
    /// <param name="names">The file's names, each once.</param>
    /// <param name="own">The model's names.</param>
    /// <exception cref="InvalidDataException">The file holds the model more than once.</exception>
    public static string Of(string path, IReadOnlyCollection<string> names, ICollection<string> own)
    {
        var counts = names.SelectMany(name => PrefixesOf(name, own)).CountBy(prefix => prefix)
            .Where(pair => !HasOwnWords(pair.Key, own)).ToDictionary();
        if (counts.Count == 0) return SharedByAll(names, own);
        var most = counts.Values.Max();
        var best = counts.Where(pair => pair.Value == most).Select(pair => pair.Key)
            .OrderBy(prefix => prefix.Length).ThenBy(prefix => prefix, StringComparer.Ordinal).ToArray();
        if (best.Length > 1 && best[0] != "" && most == own.Count)
            throw new InvalidDataException($"{path}: it holds the model {best.Length} times, behind "
                + $"'{string.Join("', '", best)}'. Take one of them out of it. Nothing was changed.");
        return best[0];
    }

    // What stands before one of the model's names, where the name of an array ends with one: for "a.fc.weight" it is
    // "a."; there can be several.
    private static IEnumerable<string> PrefixesOf(string name, ICollection<string> own)
    {
        var start = 0;
        while (true)
        {
            if (own.Contains(name[start..])) yield return name[..start];
            var dot = name.IndexOf('.', start);
            if (dot < 0) yield break;
            start = dot + 1;
        }
    }

    // Words that the model's own names begin with belong to the names.
    private static bool HasOwnWords(string prefix, ICollection<string> own) =>
        prefix.Split('.', StringSplitOptions.RemoveEmptyEntries).Any(word => IsOwnWord(word, own));

    private static bool IsOwnWord(string word, ICollection<string> own) =>
        own.Any(name => name.StartsWith($"{word}.", StringComparison.Ordinal));

    // As many first words as all names of the file share, up to one of the model's own.
    private static string SharedByAll(IReadOnlyCollection<string> names, ICollection<string> own)
    {
        if (names.Count == 0) return "";
        var prefix = "";
        foreach (var word in names.First().Split('.')[..^1])
        {
            var longer = $"{prefix}{word}.";
            if (IsOwnWord(word, own) || !names.All(name => name.StartsWith(longer, StringComparison.Ordinal))) break;
            prefix = longer;
        }
        return prefix;
    }
}
