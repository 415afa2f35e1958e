using System.CommandLine;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using Tapegrad.Devices;
using Tapegrad.Examples.Cifar10;
using Tapegrad.Onnx;
using Tapegrad.Training;

namespace Tapegrad.Benchmarks;

/// <summary>
/// The command 'onnx': a peer for inference. ResNet-20, exported with its normalization folded into the convolutions
/// where that can be done, in ONNX Runtime on as many threads; names and units are those of 'peer'.
/// </summary>
internal static class OnnxCommand
{
    private static readonly Option<double> Seconds = Options.Number("--seconds", "time for each figure", 4, (0, 3600));

    public static void AddTo(RootCommand root)
    {
        var command = new Command("onnx", "Prints what ONNX Runtime needs for the inference that 'peer' measures.")
        {
            ThreadsOption.Threads, Seconds,
        };
        command.SetAction(Run);
        root.Add(command);
    }

    private static int Run(ParseResult options)
    {
        ThreadsOption.Apply(options);
        var clock = new Clock(options.GetValue(Seconds));
        var figures = new Figures();
        figures.Add("onnxruntime", OrtEnv.Instance().GetVersionString());
        figures.Add("threads", Workers.Threads);
        var folder = Directory.CreateTempSubdirectory();
        try
        {
            foreach (var normalization in (string[])["batch", "group:8"])
            {
                var training = new Training("resnet20", normalization, batch: 1);
                training.Step();   // gives it running statistics
                var path = Path.Combine(folder.FullName, "model.onnx");
                new OnnxExporter { Fold = true }.Write(path, training.Model, new Shape(32, 32, 3));
                figures.Add($"resnet20 inference {normalization} images/s", 128 / Best(path, 128, clock));
                if (normalization == "batch")
                    figures.Add("resnet20 inference batch b1 ms", 1e3 * Best(path, 1, clock), digits: 3);
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }
        Console.WriteLine(figures);
        return 0;
    }

    private static double Best(string path, int batch, Clock clock)
    {
        using var options = new SessionOptions { IntraOpNumThreads = Workers.Threads, InterOpNumThreads = 1 };
        using var session = new InferenceSession(path, options);
        var random = new RandomSource(1);
        var images = new DenseTensor<float>([batch, 3, 32, 32]);
        for (var i = 0; i < images.Length; i++) images.SetValue(i, (float)random.Normal(i));
        NamedOnnxValue[] inputs = [NamedOnnxValue.CreateFromTensor(session.InputNames[0], images)];
        return clock.Best(() => session.Run(inputs).Dispose());
    }
}
