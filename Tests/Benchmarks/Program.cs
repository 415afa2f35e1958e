using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Tapegrad;
using Tapegrad.Devices;
using Tapegrad.Layers;
using Tapegrad.Optimizers;

// What a training step costs, as one JSON object, to be laid beside what another framework needs for the same work in the same minute:
//
//     dotnet run -c Release --project Tests/Benchmarks -- peer [--threads 2] [--seconds 4] [--only step,memory]
//
// Every figure is the best of the repetitions that fit into --seconds. 'memory' is what four steps add to the peak memory of the process; it comes first, since a
// peak only grows. BatchNorm and GroupNorm need a process each for exact figures.
if (args is not ["peer", ..])
{
    Console.Error.WriteLine("usage: peer [--threads N] [--seconds S] [--only step,memory]");
    return 1;
}
string Option(string name, string standard) => Array.IndexOf(args, name) is var i and > 0 && i + 1 < args.Length ? args[i + 1] : standard;
Workers.Threads = int.Parse(Option("--threads", $"{Workers.Threads}"), CultureInfo.InvariantCulture);
var seconds = double.Parse(Option("--seconds", "4"), CultureInfo.InvariantCulture);
var parts = Option("--only", "step,memory").Split(',');

const int batch = 128;
var random = new RandomSource(1);
var images = Tensor.Normal(new Shape(batch, 32, 32, 3), random).Keep();
var labels = Enumerable.Range(0, batch).Select(i => random.Below(10, i)).ToArray();
var results = new Dictionary<string, object> { ["threads"] = Workers.Threads };

if (parts.Contains("memory"))
{
    var step = Step("batch");
    var before = PeakMegabytes();
    for (var i = 0; i < 4; i++) step();
    results["step memory batch MB"] = Math.Round(PeakMegabytes() - before);
}
if (parts.Contains("step"))
    foreach (var normalization in (string[])["batch", "group:8"])
    {
        results[$"resnet20 step {normalization} images/s"] = Math.Round(batch / Best(Step(normalization)), 1);
        var model = ResNet.Cifar(20, Normalizations.Parse(normalization), 10, seed: 1);
        if (normalization == "batch") Train(model)();   // gives it running statistics to evaluate with
        results[$"resnet20 inference {normalization} images/s"] = Math.Round(batch / Best(() =>
        {
            using var scope = new Scope();
            model.Apply(images);
        }), 1);
    }
Console.WriteLine(JsonSerializer.Serialize(results, new JsonSerializerOptions { WriteIndented = true }));
return 0;

Action Step(string normalization) => Train(ResNet.Cifar(20, Normalizations.Parse(normalization), 10, seed: 1));

Action Train(Module model)
{
    var sgd = new Sgd(model.Parameters, momentum: 0.9, weightDecay: 1e-4);
    var number = 0;
    return () =>
    {
        using var tape = Tape.Training(random.Split(number++));
        var loss = model.Apply(images).CrossEntropy(labels);
        sgd.Step(tape.Gradients(loss, release: true), 0.1);
    };
}

double Best(Action action)
{
    action();
    action();
    var (best, clock) = (double.MaxValue, Stopwatch.StartNew());
    while (clock.Elapsed.TotalSeconds < seconds)
    {
        var start = clock.Elapsed;
        action();
        best = Math.Min(best, (clock.Elapsed - start).TotalSeconds);
    }
    return best;
}

static double PeakMegabytes()
{
    using var process = Process.GetCurrentProcess();
    return process.PeakWorkingSet64 / 1048576.0;
}
