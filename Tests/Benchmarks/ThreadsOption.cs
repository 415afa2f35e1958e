using System.CommandLine;
using Tapegrad.Devices;
using Tapegrad.Examples.Cifar10;

namespace Tapegrad.Benchmarks;

/// <summary>The option --threads of every command that measures a time.</summary>
internal static class ThreadsOption
{
    public static Option<int?> Threads { get; } =
        Options.Limit("--threads", $"threads to compute with [default: {Workers.Variable}, or one a processor]");

    public static void Apply(ParseResult options)
    {
        if (options.GetValue(Threads) is { } threads) Workers.Threads = threads;
    }
}
