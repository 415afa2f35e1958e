using System.Buffers.Binary;
using Xunit;
using Xunit.Abstractions;
using Xunit.Sdk;

namespace Tapegrad.Tests.Fuzzing;

/// <summary>
/// The fuzzer finds the mistakes that readers make. The format here: 'TG', a count as a 32-bit number, so many bytes.
/// </summary>
public sealed class FuzzerTests(ITestOutputHelper output)
{
    private static readonly byte[][] Valid = [[(byte)'T', (byte)'G', 3, 0, 0, 0, 7, 8, 9],
        [(byte)'T', (byte)'G', 0, 0, 0, 0]];

    private const int Many = 1_000_000;   // inputs: what is to be found is found among the first thousands

    private static Fuzzer Of(Action<byte[]> read, int inputs = Many, params Mutator[] mutators) =>
        new("a test's own", Valid, read) { Inputs = inputs, Time = null, Mutators = mutators };

    private static void Read(byte[] file)
    {
        if (Count(file) != file.Length - 6) throw new InvalidDataException("another length");
    }

    private static int Count(byte[] file) =>
        file is [(byte)'T', (byte)'G', _, _, _, _, ..] ? BinaryPrimitives.ReadInt32LittleEndian(file.AsSpan(2))
        : throw new InvalidDataException("no header");

    private string Failure(Fuzzer fuzzer) => Assert.Throws<FailException>(() => fuzzer.Run(output)).Message;

    // ---- what is right passes ---------------------------------------------------------------------------------------

    [Fact]
    public void AStrictReaderPasses()
    {
        Of(Read, inputs: 500).Run(output);
        Of(Read).CutEverywhere(Valid[0]);
    }

    [Fact]
    public void ReadersOfFilesGetTheBytes()
    {
        var seen = new List<string>();
        Of(Fuzzer.OnFile(path =>
        {
            if (!seen.Contains(path)) seen.Add(path);
            Read(File.ReadAllBytes(path));
        })).CutEverywhere(Valid[0]);
        Assert.All(seen, path => Assert.False(File.Exists(path)));
    }

    // ---- what is wrong is found -------------------------------------------------------------------------------------

    [Fact]
    public void FindsAnExceptionThatIsNotDocumented()
    {
        var message = Failure(Of(file => _ = file[6..][..Count(file)]));
        Assert.Contains("ArgumentOutOfRangeException is not a documented exception", message);
        Assert.Contains("of seed 1", message);
    }

    [Fact]
    public void ShrinksWhatItFound()
    {
        // Any file with a byte 200 breaks it: one byte remains, yA== in base64.
        var message = Failure(Of(file => { if (file.Contains((byte)200)) throw new ArgumentException("200"); }));
        Assert.EndsWith("the input, 1 bytes, base64: yA==", message);
    }

    [Fact]
    public void FindsMemoryTakenOnAPromise() =>
        Assert.Contains("allocated",
            Failure(Of(file => GC.KeepAlive(new byte[Math.Clamp(Count(file), 0, 100_000_000)]))));

    [Fact]
    public void FindsAHang()
    {
        using var forEver = new ManualResetEventSlim();
        var fuzzer = new Fuzzer("hang", Valid, file =>
        {
            if (Count(file) == -1) forEver.Wait();
        })
        { Inputs = Many, Time = null, Patience = TimeSpan.FromSeconds(2) };
        Assert.Contains("was still being read after 2 seconds", Failure(fuzzer));
        forEver.Set();   // or its thread would stay until all tests have ended
    }

    [Fact]
    public void FindsWhatLiesBehindAChecksum()
    {
        var fuzzer = new Fuzzer("checksum", [Mend([1, 2, 3, 4, 0, 0, 0, 0])], file =>
        {
            if (file.Length < 5 || BinaryPrimitives.ReadInt32LittleEndian(file.AsSpan(file.Length - 4)) != Sum(file))
                throw new InvalidDataException();
            if (file[0] != 1) throw new ArgumentException("behind");
        })
        { Mend = (file, _) => Mend(file), Inputs = Many, Time = null };
        Assert.Contains("behind", Failure(fuzzer));

        static int Sum(byte[] file) =>
            file.Take(file.Length - 4).Aggregate(17, (sum, next) => unchecked(sum * 1_000_003 + next));
        static byte[] Mend(byte[] file)
        {
            if (file.Length < 4) return file;
            var mended = (byte[])file.Clone();
            BinaryPrimitives.WriteInt32LittleEndian(mended.AsSpan(file.Length - 4), Sum(file));
            return mended;
        }
    }

    [Fact]
    public void AFormatsOwnMutatorsAreUsed()
    {
        byte[] rare = [42, 42, 42, 42, 42, 42, 42];
        Assert.Contains("rare",
            Failure(Of(file => { if (file.AsSpan().StartsWith(rare)) throw new ArgumentException("rare"); }, Many,
            (input, _) => [.. rare, .. input])));
    }

    [Fact]
    public void AValidFileThatIsRefusedIsAMistake() =>
        Assert.Contains("should have loaded: never", Failure(Of(_ => throw new InvalidDataException("never"))));

    [Fact]
    public void ABeginningThatLoadsIsFound()
    {
        Assert.Contains("the first 6 of 9 bytes",
            Assert.Throws<FailException>(() => Of(file => Count(file)).CutEverywhere(Valid[0])).Message);
        Of(file => Count(file)).CutEverywhere(Valid[0], mayLoad: length => length >= 6);
    }

    // However slow the machine is.
    [Theory]
    [InlineData(1)]
    [InlineData(77)]
    public void Without_a_time_the_number_of_inputs_is_the_same_on_any_machine(int inputs)
    {
        var read = 0;
        Of(_ => read++, inputs).Run(output);
        Assert.Equal(Valid.Length + inputs, read);   // the valid files are read once before
    }

    [Fact]
    public void TheSameSeedGivesTheSameInputs()
    {
        static List<string> Inputs(int seed)
        {
            var inputs = new List<string>();
            var fuzzer = new Fuzzer("order", Valid, file =>
            {
                if (inputs.Count < 1000) inputs.Add(Convert.ToHexString(file));
                else throw new NotSupportedException();
            })
            { Seed = seed, Inputs = Many, Time = null };
            Assert.Throws<FailException>(() => fuzzer.Run(new Silent()));
            return inputs;
        }
        var first = Inputs(1);
        Assert.Equal(first, Inputs(1));
        Assert.NotEqual(first, Inputs(2));
        Assert.InRange(first.Distinct().Count(), 500, 1000);
    }

    private sealed class Silent : ITestOutputHelper
    {
        public void WriteLine(string message) { }

        public void WriteLine(string format, params object[] args) { }
    }
}
