using System.Formats.Tar;
using System.IO.Compression;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace Tapegrad.Datasets;

/// <summary>
/// Downloads a .tar.gz whose contents are known beforehand, and puts its files in place: whole or not at all.
/// </summary>
/// <remarks>
/// Everything happens in a folder beside the target (on the same disk), which is renamed when it is complete and
/// removed otherwise. Nothing that the server sends is believed: the length is bounded, the MD5 sum must fit, and the
/// archive may hold the listed names in the listed lengths as plain files, and nothing else. Names of files on disk
/// come from the list, never from the archive.
/// </remarks>
/// <param name="Address">Where the archive is.</param>
/// <param name="Md5">The MD5 sum of the archive, in hexadecimal.</param>
/// <param name="Folder">The folder that the archive's entries are in.</param>
/// <param name="Files">The files to take out, with their lengths; all of them must be there.</param>
/// <param name="Ignored">Small files that may be there and are not taken out.</param>
internal sealed record ArchiveDownload(Uri Address, string Md5, string Folder, IReadOnlyDictionary<string, long> Files,
    IReadOnlyList<string> Ignored)
{
    private const long Slack = 1 << 20;   // what the archive may add to its files' lengths: headers, ignored files

    /// <summary>How long the server may be silent.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>What that is measured by.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    private long MostBytes => Files.Values.Sum() + Slack;

    /// <summary>Downloads, checks, unpacks and puts in place.</summary>
    public async Task RunAsync(string folder, Action<long, long?>? progress, CancellationToken cancellation)
    {
        folder = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        if (File.Exists(folder) || Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any())
            throw new IOException($"{folder} exists and is not empty: the download would have to replace it. Name a "
                + "folder that does not exist yet.");
        var parents = CreateParents(folder);
        var workshop = $"{folder}.{Path.GetRandomFileName()}.partial";
        var isDone = false;
        try
        {
            Directory.CreateDirectory(workshop);
            var archive = Path.Combine(workshop, "archive.tar.gz");
            var tar = Path.Combine(workshop, "archive.tar");
            var files = Path.Combine(workshop, "files");
            await FetchAsync(archive, progress, cancellation).ConfigureAwait(false);
            await InflateAsync(archive, tar, cancellation).ConfigureAwait(false);
            await UnpackAsync(tar, Directory.CreateDirectory(files).FullName, cancellation).ConfigureAwait(false);
            // it was empty; if it is not any more, this throws
            if (Directory.Exists(folder)) Directory.Delete(folder);
            Directory.Move(files, folder);
            isDone = true;
        }
        finally
        {
            if (Directory.Exists(workshop)) Directory.Delete(workshop, recursive: true);
            foreach (var parent in parents)
                if (!isDone && !Directory.EnumerateFileSystemEntries(parent).Any()) Directory.Delete(parent);
        }
    }

    // The folders above that did not exist, innermost first.
    private static List<string> CreateParents(string folder)
    {
        var created = new List<string>();
        for (var parent = Path.GetDirectoryName(folder); parent is not null
            && !Directory.Exists(parent); parent = Path.GetDirectoryName(parent))
            created.Add(parent);
        if (created.Count > 0) Directory.CreateDirectory(created[0]);
        return created;
    }

    private async Task FetchAsync(string path, Action<long, long?>? progress, CancellationToken cancellation)
    {
        using var client = new HttpClient { Timeout = Timeout.InfiniteTimeSpan };   // silence is what ends it
        using var silence = new CancellationTokenSource(Patience, Time);
        using var stop = cancellation.Register(silence.Cancel);
        long bytes = 0;
        try
        {
            using var response = await client.GetAsync(Address, HttpCompletionOption.ResponseHeadersRead, silence.Token)
                .ConfigureAwait(false);
            if (!response.IsSuccessStatusCode)
                throw new IOException($"{Address} answered {(int)response.StatusCode} ({response.ReasonPhrase}).");
            var total = response.Content.Headers.ContentLength;
            if (total > MostBytes)
                throw new InvalidDataException($"{Address} offers {total} bytes; the archive cannot have more than "
                    + $"{MostBytes}.");
            await using var source = await response.Content.ReadAsStreamAsync(silence.Token).ConfigureAwait(false);
            await using var target = File.Create(path);
            using var md5 = IncrementalHash.CreateHash(HashAlgorithmName.MD5);
            var chunk = new byte[1 << 16];
            // The client itself throws when the connection ends before the promised length.
            while (await source.ReadAsync(chunk, silence.Token).ConfigureAwait(false) is var length and > 0)
            {
                silence.CancelAfter(Patience);
                bytes += length;
                if (bytes > MostBytes)
                    throw new InvalidDataException($"{Address} sent more than the {MostBytes} bytes that the archive "
                        + "can have.");
                md5.AppendData(chunk, 0, length);
                await target.WriteAsync(chunk.AsMemory(0, length), cancellation).ConfigureAwait(false);
                progress?.Invoke(bytes, total);
            }
            var sum = Convert.ToHexStringLower(md5.GetHashAndReset());
            if (sum != Md5)
                throw new InvalidDataException($"{Address} sent {bytes} bytes with the MD5 sum {sum}, not {Md5}: "
                    + "another file, or a damaged one.");
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new IOException($"{Address} sent nothing for {Patience.TotalSeconds} seconds, after {bytes} bytes. "
                + "Try again later.");
        }
        catch (Exception error) when (error is HttpRequestException or HttpIOException
            or IOException { InnerException: SocketException })
        {
            throw new IOException($"{Address} could not be downloaded: after {bytes} bytes: {error.Message} Try again "
                + "later.", error);
        }
    }

    private async Task InflateAsync(string archive, string tar, CancellationToken cancellation)
    {
        await using var source = new GZipStream(File.OpenRead(archive), CompressionMode.Decompress);
        await using var target = File.Create(tar);
        var chunk = new byte[1 << 16];
        while (await source.ReadAsync(chunk, cancellation).ConfigureAwait(false) is var length and > 0)
        {
            if (target.Length + length > MostBytes)
                throw new InvalidDataException($"{Address}: the archive unpacks to more than {MostBytes} bytes.");
            await target.WriteAsync(chunk.AsMemory(0, length), cancellation).ConfigureAwait(false);
        }
    }

    private async Task UnpackAsync(string tar, string folder, CancellationToken cancellation)
    {
        await using var reader = new TarReader(File.OpenRead(tar));
        var missing = Files.Keys.ToHashSet();
        while (await reader.GetNextEntryAsync(cancellationToken: cancellation).ConfigureAwait(false) is { } entry)
        {
            if (entry.EntryType is TarEntryType.Directory && entry.Name.TrimEnd('/') == Folder) continue;
            if (entry.EntryType is not (TarEntryType.RegularFile or TarEntryType.V7RegularFile))
                throw Refusal($"the entry {entry.Name} is not a plain file but a {entry.EntryType}");
            if (Ignored.Any(name => entry.Name == $"{Folder}/{name}")) continue;
            if (Files.Keys.FirstOrDefault(file => entry.Name == $"{Folder}/{file}") is not { } name)
                throw Refusal($"the entry {entry.Name} does not belong to it");
            if (entry.Length != Files[name])
                throw Refusal($"the entry {entry.Name} has {entry.Length} bytes, not {Files[name]}");
            if (!missing.Remove(name)) throw Refusal($"the entry {entry.Name} is there twice");
            await using var target = File.Create(Path.Combine(folder, name));
            if (entry.DataStream is { } data) await data.CopyToAsync(target, cancellation).ConfigureAwait(false);
        }
        if (missing.Count > 0) throw Refusal($"{string.Join(", ", missing.Order())} is not in it");
    }

    private InvalidDataException Refusal(string reason) => new($"{Address}: the archive is refused: {reason}.");
}
