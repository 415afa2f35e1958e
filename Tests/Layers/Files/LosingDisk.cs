using Tapegrad.Layers.Files;

namespace Tapegrad.Tests.Layers.Files;

/// <summary>
/// A disk in memory that loses power at a chosen moment, and tells what may be found on it afterwards. Until a file is
/// flushed any part of what was written to it may be lost, even in the middle; until a folder is flushed each of its
/// newest changes of names may be, whatever came after it.
/// </summary>
internal sealed class LosingDisk(int lastsFor = int.MaxValue) : IDisk
{
    /// <summary>What a process would not live to see.</summary>
    public sealed class PowerLoss : Exception;

    private sealed class Content
    {
        public byte[] Written = [], Durable = [];
    }

    private readonly List<Action<Dictionary<string, Content>>> changes = [];   // since the folder was flushed
    private readonly Dictionary<string, Content> names = [];
    private Dictionary<string, Content> flushed = [];

    /// <summary>Steps until now: files created, pieces written, flushes, renames, removals.</summary>
    public int Steps { get; private set; }

    private bool IsDead => Steps >= lastsFor;

    public Stream Create(string path)
    {
        Step();
        var content = new Content();
        Change(names => names[Path.GetFileName(path)] = content);
        return new File(this, content);
    }

    public void Flush(Stream file)
    {
        Step();
        var content = ((File)file).Content;
        content.Durable = content.Written;
    }

    public void Move(string from, string to)
    {
        Step();
        var content = names[Path.GetFileName(from)];
        Change(names =>
        {
            names[Path.GetFileName(to)] = content;
            names.Remove(Path.GetFileName(from));
        });
    }

    public void FlushFolder(string path)
    {
        Step();
        flushed = new(names);
        changes.Clear();
    }

    public void Delete(string path)
    {
        if (!names.ContainsKey(Path.GetFileName(path))) return;
        Step();
        Change(names => names.Remove(Path.GetFileName(path)));
    }

    public IEnumerable<string> List(string folder) => [.. names.Keys];

    /// <summary>What a killed process leaves: everything that was written.</summary>
    public Dictionary<string, byte[]> AfterKill() => names.ToDictionary(pair => pair.Key, pair => pair.Value.Written);

    /// <summary>What may be there after a loss of power.</summary>
    public IEnumerable<Dictionary<string, byte[]>> AfterPowerLoss()
    {
        for (var survived = 0; survived < 1 << changes.Count; survived++)
        {
            var found = new Dictionary<string, Content>(flushed);
            foreach (var (i, change) in changes.Index().Where(change => (survived >> change.Index & 1) != 0))
                change(found);
            foreach (var survives in (Func<Content, byte[]>[])
                [
                    content => content.Durable,
                    content => content.Written,
                    content => [.. content.Durable,
                        .. content.Written[content.Durable.Length..][
                            ..((content.Written.Length - content.Durable.Length) / 2)]],
                    content => [.. content.Durable,
                        // the length survived, the contents did not
                        .. new byte[content.Written.Length - content.Durable.Length]],
                ])
                yield return found.ToDictionary(pair => pair.Key, pair => survives(pair.Value));
        }
    }

    private void Step()
    {
        if (IsDead) throw new PowerLoss();
        Steps++;
    }

    private void Change(Action<Dictionary<string, Content>> change)
    {
        changes.Add(change);
        change(names);
    }

    private sealed class File(LosingDisk disk, Content content) : MemoryStream
    {
        public Content Content => content;

        public override void Write(ReadOnlySpan<byte> bytes)
        {
            disk.Step();
            content.Written = [.. content.Written, .. bytes];
        }

        public override void Write(byte[] bytes, int offset, int count) => Write(bytes.AsSpan(offset, count));
    }
}
