using System.Diagnostics;
using Tapegrad.Devices;
using Tapegrad.Layers;
using Xunit;

namespace Tapegrad.Tests.Program;

/// <summary>What Examples/Guide/serving.md promises of one model and many threads.</summary>
public sealed class ServingTests
{
    private static readonly Shape Image = new(1, 8, 8, 3);

    private static double[] Predict(Module model, int request)
    {
        using var scope = new Scope();
        return model.Apply(Tensor.Normal(Image, new RandomSource(request))).Softmax().ToDoubles();
    }

    // Examples/Serving itself.
    [Fact]
    public void What_cannot_be_served_is_refused_in_a_line()
    {
        var folder = Directory.CreateTempSubdirectory("tapegrad-test-").FullName;
        try
        {
            var (damaged, vgg) = (Path.Combine(folder, "damaged.safetensors"), Path.Combine(folder, "vgg.safetensors"));
            File.WriteAllBytes(damaged, [1, 2, 3]);
            new ModelSpec("vgg", "layer").Build(seed: 1).Save(vgg);
            foreach (var (weights, side) in ((string, string)[])[("nope", "32"), (damaged, "32"), (vgg, "2")])
            {
                var outcome = Serve(weights, side);
                outcome.AssertRefused(weights == vgg ? "2" : weights);
                Assert.Empty(outcome.Output);
            }
            foreach (var side in (string[])["-3", "0", "x"])
                Assert.Equal((2, ""), (Serve(vgg, side).ExitCode, Serve(vgg, side).Output));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static Outcome Serve(params string[] arguments) => Cifar10Program.Finish(Process.Start(
        new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "serving.dll"), .. arguments])
        { RedirectStandardOutput = true, RedirectStandardError = true })!);

    [Theory]
    [InlineData("group:8+ws")]
    [InlineData("batch")]
    public void Eight_threads_get_the_answers_that_one_gets(string normalization)
    {
        const int threads = 8, requests = 300;
        using var device = Device.Use(Device.Cpu);
        var model = new ModelSpec("resnet8", normalization).Build(seed: 1);
        // running statistics
        foreach (var entry in model.State.Where(p => !p.IsTrainable)) entry.Value = Tensor.Full(entry.Shape, 0.5);
        var alone = Enumerable.Range(0, requests).Select(request => Predict(model, request)).ToArray();
        var wrong = new int[threads];
        var running = Enumerable.Range(0, threads).Select(thread => new Thread(() =>
        {
            using var own = Device.Use(Device.Cpu);
            for (var i = 0; i < requests; i++)
            {
                var request = (i * 7 + thread * 37) % requests;   // each in an order of its own
                if (!Predict(model, request).SequenceEqual(alone[request])) wrong[thread]++;
            }
        })).ToArray();
        foreach (var thread in running) thread.Start();
        foreach (var thread in running) thread.Join();
        Assert.Equal(new int[threads], wrong);
    }

    // The pattern of the page: what is awaited stands outside of the scope, so whichever thread goes on has opened its
    // own.
    [Fact]
    public async Task Requests_that_await_outside_of_their_scope_are_all_answered()
    {
        var model = new ModelSpec("resnet8", "group:8").Build(seed: 1);
        var alone = Enumerable.Range(0, 50).Select(request => Predict(model, request)).ToArray();
        var answers = await Task.WhenAll(Enumerable.Range(0, 400).Select(async i =>
        {
            await Task.Yield();
            var answer = Predict(model, i % 50);
            await Task.Delay(1);
            return (i, answer);
        }));
        Assert.All(answers, pair => Assert.Equal(alone[pair.i % 50], pair.answer));
    }
}
