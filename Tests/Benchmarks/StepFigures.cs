using System.Diagnostics;
using Tapegrad.Devices;
using Tapegrad.Training;

namespace Tapegrad.Benchmarks;

/// <summary>What whole training steps take, in time and memory, and what applying the trained model takes.</summary>
internal static class StepFigures
{
    /// <summary>
    /// What four steps add to the peak of the process's memory, and the managed bytes that each step leaves behind once
    /// all is warm.
    /// </summary>
    public static void AddMemory(Figures figures)
    {
        const int steps = 10;
        var training = new Training("resnet20", "batch", batch: 128);
        var before = PeakMegabytes();
        for (var i = 0; i < 4; i++) training.Step();
        figures.Add("step memory batch MB", PeakMegabytes() - before, digits: 0);
        var allocated = GC.GetTotalAllocatedBytes(precise: true);
        for (var i = 0; i < steps; i++) training.Step();
        figures.Add("step garbage batch KB", (GC.GetTotalAllocatedBytes(precise: true) - allocated) / 1024.0 / steps);
    }

    public static void AddSpeed(Figures figures, Clock clock)
    {
        foreach (var normalization in (string[])["batch", "group:8"])
        {
            var training = new Training("resnet20", normalization, batch: 128);
            ConvolutionPaths.ForEach(path =>
                figures.Add($"resnet20 step {normalization} {path}images/s",
                    training.Batch / clock.Best(training.Step)));
            figures.Add($"resnet20 inference {normalization} images/s", training.Batch / clock.Best(training.Infer));
            Device.Cpu.Pool.Clear();   // each network begins like the first, not in the memory of another one's shapes
        }
        var single = new Training("resnet20", "batch", batch: 1);
        single.Step();   // gives it running statistics to evaluate with
        figures.Add("resnet20 inference batch b1 ms", 1e3 * clock.Best(single.Infer), digits: 3);
        AddServing(figures, single, clock);
        Device.Cpu.Pool.Clear();
        var large = new Training("resnet18", "batch", batch: 32);
        figures.Add("resnet18 step batch b32 images/s", large.Batch / clock.Best(large.Step));
    }

    // An application's server: several threads of one process ask for one image each, again and again.
    private static void AddServing(Figures figures, Training model, Clock clock)
    {
        const int threads = 8;
        var times = new List<double>[threads];
        var end = Stopwatch.GetTimestamp() + (long)(clock.Seconds * Stopwatch.Frequency);
        void Ask(int thread)
        {
            var mine = times[thread] = [];
            do
            {
                var start = Stopwatch.GetTimestamp();
                model.Infer();
                mine.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            }
            while (Stopwatch.GetTimestamp() < end);
        }
        var all = Stopwatch.StartNew();
        var asking = Enumerable.Range(0, threads).Select(thread => new Thread(() => Ask(thread))).ToArray();
        foreach (var one in asking) one.Start();
        foreach (var one in asking) one.Join();
        var seconds = all.Elapsed.TotalSeconds;
        var sorted = times.SelectMany(one => one).Order().ToArray();
        figures.Add("resnet20 inference batch b1 8 threads images/s", sorted.Length / seconds);
        figures.Add("resnet20 inference batch b1 8 threads p99 ms", sorted[(int)(0.99 * (sorted.Length - 1))],
            digits: 3);
    }

    private static double PeakMegabytes()
    {
        using var process = Process.GetCurrentProcess();
        return process.PeakWorkingSet64 / 1048576.0;
    }
}
