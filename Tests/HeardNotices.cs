namespace Tapegrad.Tests;

/// <summary>
/// Listens to the notices that belong to a test. <see cref="Notices.Raised"/> is the whole process's, and other tests
/// raise theirs on other threads meanwhile: those of a test are told by their words, and kept under a lock.
/// </summary>
internal sealed class HeardNotices : IDisposable
{
    private readonly Func<string, bool> isOurs;
    private readonly List<string> heard = [];

    private HeardNotices(Func<string, bool> isOurs)
    {
        this.isOurs = isOurs;
        Notices.Raised += Hear;
    }

    /// <summary>Those that begin with some words.</summary>
    public static HeardNotices BeginningWith(string words) =>
        new(notice => notice.StartsWith(words, StringComparison.Ordinal));

    /// <summary>Those that contain some words.</summary>
    public static HeardNotices Containing(string words) =>
        new(notice => notice.Contains(words, StringComparison.Ordinal));

    /// <summary>What was heard so far.</summary>
    public IReadOnlyList<string> All
    {
        get
        {
            lock (heard) return [.. heard];
        }
    }

    public void Dispose() => Notices.Raised -= Hear;

    private void Hear(string notice)
    {
        if (!isOurs(notice)) return;
        lock (heard) heard.Add(notice);
    }
}
