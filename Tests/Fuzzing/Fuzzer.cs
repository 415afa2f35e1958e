using System.Diagnostics;
using System.Globalization;
using Xunit;
using Xunit.Abstractions;

namespace Tapegrad.Tests.Fuzzing;

/// <summary>
/// Feeds a reader with damaged files. Every input must load, or be refused by one of the documented exceptions
/// (<see cref="InvalidDataException"/>, <see cref="IOException"/>), without hanging and without taking more memory than
/// is declared. Input n is a function of the seed and n alone: a valid file, changed once or a few times by
/// <see cref="Mutators"/> and the common ones, and mended on every second try, so that checksums do not hide what lies
/// behind them. Written here because fuzzers for .NET are driven by native programs, and a newcomer has none.
/// <code>
/// TAPEGRAD_FUZZ_SECONDS   how long each format is tried, 3600 for a night; without it, it gets 5000 inputs on any machine
/// TAPEGRAD_FUZZ_SEED      another seed than 1
/// TAPEGRAD_FUZZ_REPORT    a file that gets a line for each format: inputs, loaded, refused
/// </code>
/// </summary>
/// <param name="format">Its name, for the report.</param>
/// <param name="valid">Files that load; the smaller, the better.</param>
/// <param name="read">Reads one file, numbers and all. Memory is counted on its own thread alone.</param>
internal sealed class Fuzzer(string format, IReadOnlyList<byte[]> valid, Action<byte[]> read)
{
    private const int LongestMessage = 8192;
    // where there is a folder in memory, thousands of files an hour do not reach the disk
    private const string Memory = "/dev/shm";
    private static readonly object Report = new();

    private readonly Mutator[] common = Fuzzing.Mutators.Common(valid);
    private volatile int current;      // the number of the input that is being read, for the watchdog
    private long begun;                // when that began
    private int loaded, refused;
    private string refusal = "";        // the last one's reason

    /// <summary>What damages this format in ways that bytes alone would seldom hit; half of all changes are of
    /// these.</summary>
    public IReadOnlyList<Mutator> Mutators { get; init; } = [];

    /// <summary>Makes a checksum, a length or the like right again, on every second input.</summary>
    public Mutator? Mend { get; init; }

    /// <summary>
    /// How many bytes reading an input may allocate, from what stands in it and the format's own limits.
    /// </summary>
    public Func<byte[], long> MayAllocate { get; init; } = input => (1 << 20) + 64L * input.Length;

    /// <summary>
    /// After which time one input counts as hanging: far more than any input needs on a busy machine.
    /// </summary>
    public TimeSpan Patience { get; init; } = Waiting.Long;

    /// <summary>How many inputs are tried where no time is given: always the same ones.</summary>
    public int Inputs { get; init; } = 5000;

    /// <summary>How long to go on instead.</summary>
    public TimeSpan? Time { get; init; } = Setting("TAPEGRAD_FUZZ_SECONDS") is { } seconds
        ? TimeSpan.FromSeconds(seconds) : null;

    /// <summary>Of the inputs.</summary>
    public int Seed { get; init; } = (int)(Setting("TAPEGRAD_FUZZ_SEED") ?? 1);

    /// <summary>A new folder for the files of a reader that looks for them by name.</summary>
    public static string NewFolder() =>
        Directory.CreateDirectory(Path.Combine(Place, $"fuzz-{Guid.NewGuid()}")).FullName;

    private static string Place => Directory.Exists(Memory) ? Memory : Path.GetTempPath();

    /// <summary>A reader of files as a reader of bytes: each input is written to a file of its own first.</summary>
    public static Action<byte[]> OnFile(Action<string> read) => input =>
    {
        var path = Path.Combine(Place, $"fuzz-{Guid.NewGuid()}");
        try
        {
            File.WriteAllBytes(path, input);
            read(path);
        }
        finally
        {
            File.Delete(path);
        }
    };

    /// <summary>
    /// Reads as many damaged files as <see cref="Inputs"/> or <see cref="Time"/> say, and reports how many.
    /// </summary>
    public void Run(ITestOutputHelper output)
    {
        foreach (var file in valid) Require(file, "a valid file", mayLoad: true, mayRefuse: false);
        (loaded, refused) = (0, 0);
        (int Number, string Problem)? found = null;
        Exception? own = null;         // of a mutator, which is a mistake in the test
        var total = Stopwatch.StartNew();
        Volatile.Write(ref begun, Stopwatch.GetTimestamp());
        var reading = new Thread(() =>
        {
            try
            {
                for (var number = 0; found is null
                    && (Time is { } time ? total.Elapsed < time : number < Inputs); number++)
                {
                    var input = Input(number);
                    current = number;
                    Volatile.Write(ref begun, Stopwatch.GetTimestamp());
                    if (Problem(input) is { } problem) found = (number, problem);
                }
            }
            catch (Exception error)
            {
                own = error;
            }
        })
        { IsBackground = true };
        reading.Start();
        while (!reading.Join(TimeSpan.FromMilliseconds(20)))
            if (Stopwatch.GetElapsedTime(Volatile.Read(ref begun)) > Patience)
                Assert.Fail(Describe($"input {current}", $"was still being read after {Patience.TotalSeconds} seconds",
                    Input(current)));
        if (own is not null)
            throw new InvalidOperationException($"{format}: a mutator failed on input {current} of seed {Seed}", own);
        if (found is var (at, what)) Assert.Fail(Describe($"input {at}", what, Shrink(Input(at), Kind(what))));

        var line = string.Create(CultureInfo.InvariantCulture,
            $"fuzz {format}: {loaded + refused} inputs in {total.Elapsed.TotalSeconds:F1} s, {loaded} loaded, {refused} refused (seed {Seed})");
        output.WriteLine(line);
        lock (Report)
            if (Environment.GetEnvironmentVariable("TAPEGRAD_FUZZ_REPORT") is { Length: > 0 } path)
                File.AppendAllText(path, line + Environment.NewLine);
    }

    /// <summary>
    /// Cuts a valid file off after each of its bytes but the last: every such beginning must be refused.
    /// </summary>
    /// <param name="file">A small one.</param>
    /// <param name="mayLoad">The lengths at which a beginning is a valid file itself; none when null.</param>
    public void CutEverywhere(byte[] file, Func<int, bool>? mayLoad = null)
    {
        Require(file, "the whole file", mayLoad: true, mayRefuse: false);
        for (var length = 0; length < file.Length; length++)
            Require(file[..length], $"the first {length} of {file.Length} bytes", mayLoad?.Invoke(length) ?? false,
                mayRefuse: true);
    }

    private void Require(byte[] input, string what, bool mayLoad, bool mayRefuse)
    {
        var before = loaded;
        if (Problem(input) is { } problem) Assert.Fail(Describe(what, problem, input));
        var loads = loaded > before;
        if (loads ? !mayLoad : !mayRefuse)
            Assert.Fail(Describe(what, loads ? "should have been refused" : $"should have loaded: {refusal}", input));
    }

    // What is wrong with how an input was read; null when nothing is. The first word tells problems apart.
    private string? Problem(byte[] input)
    {
        var copy = (byte[])input.Clone();
        var before = GC.GetAllocatedBytesForCurrentThread();
        try
        {
            read(copy);
            loaded++;
        }
        catch (Exception error) when (error is InvalidDataException or IOException)
        {
            refused++;
            refusal = error.Message;
        }
        catch (Exception error)
        {
            return $"{error.GetType().Name} is not a documented exception: {error}";
        }
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        return allocated > MayAllocate(input) ? $"allocated {allocated} bytes, more than {MayAllocate(input)}" : null;
    }

    private static string Kind(string problem) => problem[..problem.IndexOf(' ')];

    private byte[] Input(int number)
    {
        if (number < valid.Count) return valid[number];
        var random = new Random(unchecked(Seed * 1_000_003 + number));
        var input = valid[random.Next(valid.Count)];
        do
        {
            var own = Mutators.Count > 0 && random.Next(2) == 0;
            input = own ? Mutators[random.Next(Mutators.Count)](input, random)
                : common[random.Next(common.Length)](input, random);
        }
        while (random.Next(8) > 2);
        return Mend is not null && random.Next(2) == 0 ? Mend(input, random) : input;
    }

    // Leaves out pieces, as long as the same kind of problem remains; not for ever.
    private byte[] Shrink(byte[] input, string kind)
    {
        var tries = 10_000;
        for (var size = input.Length / 2; size > 0; size /= 2)
            for (var start = 0; start + size <= input.Length && tries-- > 0;)
            {
                byte[] shorter = [.. input.AsSpan(0, start), .. input.AsSpan(start + size)];
                if (Problem(shorter) is { } problem && Kind(problem) == kind) input = shorter;
                else start += size;
            }
        return input;
    }

    private string Describe(string which, string problem, byte[] input)
    {
        var text = Convert.ToBase64String(input);
        if (text.Length > LongestMessage)
        {
            var path = Path.Combine(Path.GetTempPath(), $"fuzz-{Path.GetRandomFileName()}");
            File.WriteAllBytes(path, input);
            text = $"in {path}";
        }
        return $"{format}, {which} of seed {Seed}: {problem}{Environment.NewLine}the input, {input.Length} bytes, "
            + $"base64: {text}";
    }

    private static double? Setting(string variable) =>
        Environment.GetEnvironmentVariable(variable) is { Length: > 0 } text
        ? double.Parse(text, CultureInfo.InvariantCulture) : null;
}
