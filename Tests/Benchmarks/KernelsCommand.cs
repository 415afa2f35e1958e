using System.CommandLine;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.NoEmit;
using Perfolizer.Horology;
using Tapegrad.Examples.Cifar10;

namespace Tapegrad.Benchmarks;

/// <summary>
/// The command 'kernels': BenchmarkDotNet's table of single operations, mean and spread of the time and the managed
/// memory of each call. In this process, so that nothing has to be restored or built; a few short repetitions, unless
/// --long.
/// </summary>
internal static class KernelsCommand
{
    private static readonly Option<string> Filter =
        Options.Choice("--filter", "which ones, by name: '*' stands for anything", "*",
        text => text != "", "a pattern, such as *Convolution*");
    private static readonly Option<bool> Long = Options.Flag("--long", "repeat until the figures settle");

    public static void AddTo(RootCommand root)
    {
        var command = new Command("kernels", "Measures single operations with BenchmarkDotNet.") { Filter, Long,
            ThreadsOption.Threads };
        command.SetAction(Run);
        root.Add(command);
    }

    private static int Run(ParseResult options)
    {
        ThreadsOption.Apply(options);
        var job = options.GetValue(Long) ? Job.Default
            : Job.ShortRun.WithIterationTime(TimeInterval.FromMilliseconds(200));
        var config = ManualConfig.Create(DefaultConfig.Instance)
            .AddJob(job.WithToolchain(InProcessNoEmitToolchain.Instance))
            .AddDiagnoser(MemoryDiagnoser.Default);
        var summaries = BenchmarkSwitcher.FromAssembly(typeof(KernelsCommand).Assembly)
            .Run(["--filter", options.GetValue(Filter)!], config);
        var reports = summaries.SelectMany(summary => summary.Reports).ToArray();
        if (reports.Length == 0)
            throw new UserError($"--filter '{options.GetValue(Filter)}': there is no such benchmark.");
        return reports.All(report => report.Success) ? 0 : 1;
    }
}
