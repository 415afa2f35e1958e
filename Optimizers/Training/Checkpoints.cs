using System.Globalization;
using System.Text.RegularExpressions;
using Tapegrad.Layers;
using Tapegrad.Layers.Files;

namespace Tapegrad.Training;

/// <summary>
/// Files in a folder from which an interrupted run goes on: <c>checkpoint-000000390.safetensors</c> holds, as they were
/// after 390 steps, all numbers that the next step depends on, and texts that say the rest. The newest few are kept.
/// <code>
/// var checkpoints = new Checkpoints(folder);
/// checkpoints.Save(step, [.. model.State, .. fit.State], texts);
/// ...
/// if (checkpoints.Newest() is { } found) checkpoints.Load(found, [.. model.State, .. fit.State]);
/// </code>
/// A file is written aside, flushed to the disk and renamed, and the folder flushed, before an older one is removed:
/// whatever happens, and whenever, the newest whole checkpoint is the last one that was saved, or the one that was
/// being saved.
/// </summary>
/// <remarks>Not thread-safe, and one process at a time.</remarks>
public sealed partial class Checkpoints
{
    private readonly string folder;
    private readonly int keep;
    private readonly IDisk disk;

    /// <summary>The checkpoints in a folder.</summary>
    /// <param name="folder">It exists.</param>
    /// <param name="keep">How many of the newest to keep, 1 or more. One is enough while the disk does not decay;
    /// another one is there in case it does.</param>
    /// <param name="disk">Null for the machine's own.</param>
    public Checkpoints(string folder, int keep = 2, IDisk? disk = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(keep, 1);
        (this.folder, this.keep, this.disk) = (folder, keep, disk ?? Disk.Own);
    }

    [GeneratedRegex("^checkpoint-([0-9]{9}|[1-9][0-9]{9,17})[.]safetensors$")]
    private static partial Regex NamePattern();

    /// <summary>Writes a checkpoint, and removes those that are too old.</summary>
    /// <param name="step">How many steps are behind it.</param>
    /// <param name="values">Everything whose numbers the next step depends on.</param>
    /// <param name="texts">Everything else.</param>
    /// <exception cref="IOException">It cannot be written; those before are as they were.</exception>
    public void Save(long step, IEnumerable<Parameter> values, IReadOnlyDictionary<string, string> texts)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        var path = PathOf(step);
        ParameterFile.Save(path, values, texts, disk);
        var others = Steps().ToLookup(other => other < step);
        // What is newer was damaged, or the run would not be here again.
        foreach (var old in others[true].Skip(keep - 1).Concat(others[false].Where(other => other > step)))
            disk.Delete(PathOf(old));
        AtomicFile.RemoveSiblings(folder, NamePattern().IsMatch, disk);
    }

    /// <summary>
    /// The newest checkpoint that is whole, every number of it read; null where there has never been one. One that is
    /// damaged is passed over, with a notice.
    /// </summary>
    /// <exception cref="InvalidDataException">There are some, and all are damaged.</exception>
    /// <exception cref="IOException">There are some, and none can be read.</exception>
    public Checkpoint? Newest()
    {
        Exception? first = null;
        foreach (var step in Steps())
        {
            try
            {
                using var file = SafetensorsFile.Open(PathOf(step));
                foreach (var entry in file.Entries) file.ReadDoubles(entry);
                if (first is not null)
                    Notices.Raise($"{first.Message} Going on from the one before it, {PathOf(step)}.");
                return new Checkpoint(step, file.Metadata);
            }
            catch (Exception damage) when (damage is InvalidDataException or IOException)
            {
                first ??= damage;
            }
        }
        return first is null ? null : throw first;
    }

    /// <summary>Puts the numbers of a checkpoint back.</summary>
    /// <param name="checkpoint">One of this folder.</param>
    /// <param name="values">Those that it was saved from, by name and shape.</param>
    /// <exception cref="InvalidDataException">It holds others, or is damaged; nothing was changed.</exception>
    /// <exception cref="IOException">It cannot be read.</exception>
    public void Load(Checkpoint checkpoint, IEnumerable<Parameter> values) =>
        ParameterFile.Load(PathOf(checkpoint.Step), values);

    /// <summary>Removes them all.</summary>
    public void Clear()
    {
        foreach (var step in Steps()) disk.Delete(PathOf(step));
        AtomicFile.RemoveSiblings(folder, NamePattern().IsMatch, disk);
    }

    // Newest first.
    private long[] Steps() =>
        [.. disk.List(folder).Select(name => NamePattern().Match(name)).Where(match => match.Success)
        .Select(match => long.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture)).OrderDescending()];

    private string PathOf(long step) =>
        Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"checkpoint-{step:D9}.safetensors"));
}

/// <summary>A file from which a run can go on.</summary>
/// <param name="Step">How many steps are behind it.</param>
/// <param name="Texts">What was saved beside the numbers.</param>
public sealed record Checkpoint(long Step, IReadOnlyDictionary<string, string> Texts);
