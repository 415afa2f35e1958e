using System.CommandLine;
using System.Text.Encodings.Web;
using System.Text.Json;
using Tapegrad.Devices;
using Tapegrad.Examples.Cifar10;
using Tapegrad.Training;

namespace Tapegrad.Benchmarks;

/// <summary>
/// The command 'peer': one JSON object of figures, to be laid beside what another framework needs for the same work in
/// the same minute. A figure is the best of the repetitions that fit into --seconds. The names of the figures say what
/// was measured and in which unit; <c>direct</c> is without Winograd's algorithm.
/// </summary>
internal static class PeerCommand
{
    private const string AllParts = "step,conv,norm,gemm,memory";

    private static readonly Option<double> Seconds = Options.Number("--seconds", "time for each figure", 4, (0, 3600));
    private static readonly Option<string> Only = Options.Choice("--only", "what to measure", AllParts,
        text => text.Split(',').All(AllParts.Split(',').Contains), $"some of {AllParts}");

    public static void AddTo(RootCommand root)
    {
        var command = new Command("peer", "Prints one JSON object of figures, to be laid beside another framework's.")
        {
            ThreadsOption.Threads, Seconds, Only,
        };
        command.SetAction(Run);
        root.Add(command);
    }

    private static int Run(ParseResult options)
    {
        ThreadsOption.Apply(options);
        var (seconds, only) = (options.GetValue(Seconds), options.GetValue(Only)!.Split(','));
        var (figures, clock) = (new Figures(), new Clock(seconds));
        figures.Add("threads", Workers.Threads);
        if (only.Contains("memory")) StepFigures.AddMemory(figures);   // first: the peak of a process only grows
        var ceiling = Ceiling.Measure(Math.Min(seconds, 1));
        figures.Add("fma peak GF/s", ceiling.GigaflopsPerSecond);
        figures.Add("copy GB/s", ceiling.GigabytesPerSecond);
        if (only.Contains("gemm")) KernelFigures.AddMatrixProduct(figures, clock);
        if (only.Contains("step")) StepFigures.AddSpeed(figures, clock);
        if (only.Contains("conv")) KernelFigures.AddConvolutions(figures, clock);
        if (only.Contains("norm")) KernelFigures.AddNormalizations(figures, clock);
        Console.WriteLine(figures);
        return 0;
    }
}

/// <summary>Figures, and texts about them, by name, in the order of their measurement.</summary>
internal sealed class Figures
{
    private static readonly JsonSerializerOptions Indented = new()
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,   // a plus sign as it is
    };

    private readonly Dictionary<string, object> values = [];

    public void Add(string name, double value, int digits = 1) => values.Add(name, Math.Round(value, digits));

    public void Add(string name, string text) => values.Add(name, text);

    /// <summary>As JSON.</summary>
    public override string ToString() => JsonSerializer.Serialize(values, Indented);
}
