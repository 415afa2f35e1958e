using System.Runtime.InteropServices;
using System.Text.Json;
using Tapegrad.Layers;
using Tapegrad.Onnx;

namespace Tapegrad.Peers;

/// <summary>
/// What onnxruntime has to agree with: models with random weights and statistics, each exported in several ways, five inputs in the file's order of
/// axes, and what the model gives for them on this machine's CPU device.
/// <code>
/// cases.json                      [{"name", "file", "shape": [3, 32, 32], "input": "file", "output": "file"}, ..]
/// NAME.input, NAME.output         float, little-endian, row-major: [5, C, H, W], and the output, channels second
/// picture.ppm, pictures.bin       a picture, and the same as record 1 of a file like CIFAR-10's
/// </code>
/// </summary>
internal static class OnnxCases
{
    private const int Samples = 5;

    private static readonly OnnxExporter Plain = new(), Folded = new() { Fold = true };
    private static readonly OnnxExporter[] All = [Plain, new() { Decompose = true }, Folded, new() { Decompose = true, Fold = true }];

    private sealed record Case(string Name, string File, int[] Shape, string Input, string Output);

    public static void Write(string folder)
    {
        Directory.CreateDirectory(folder);
        var cases = new List<Case>();
        var image = new Shape(32, 32, 3);
        foreach (var normalization in (string[])["batch", "group:8", "layer", "instance", "layer:position", "none", "group:8+ws", "batch+ws"])
            Add($"resnet20-{normalization.Replace(':', '-')}", new ModelSpec("resnet20", normalization, Classes: 10).Build(seed: 1), image);
        Add("resnet18-batch", new ModelSpec("resnet18", "batch", Classes: 10).Build(seed: 2), image, Plain, Folded);
        Add("resnet18-group", new ModelSpec("resnet18", "size:16", Classes: 10).Build(seed: 2), image, Plain);
        Add("wrn10-2-batch", new ModelSpec("wrn10-2", "batch", Classes: 10).Build(seed: 4), image);
        Add("vgg-batch", new ModelSpec("vgg", "batch", Classes: 10).Build(seed: 3), image, Folded);
        Add("vgg-group", new ModelSpec("vgg", "group:32", Classes: 10).Build(seed: 3), image, Plain);
        foreach (var (name, layers, sample) in SmallModels.All) Add(name, new Sequential(layers), sample);
        for (var seed = 1; seed <= 40; seed++)
        {
            var (model, sample) = RandomModels.Create(seed);
            Add($"random-{seed}", model, sample);
        }
        AddPixels();
        WritePicture();
        File.WriteAllText(Path.Combine(folder, "cases.json"), JsonSerializer.Serialize(cases, JsonSerializerOptions.Web));

        void Add(string name, Module model, Shape sample, params OnnxExporter[] exporters)
        {
            var random = new RandomSource(name.Sum(letter => letter));
            Randomness.AsAfterTraining(model, random.Split(0));
            var x = Tensor.Normal(new Shape([Samples, .. sample.Dimensions]), random.Split(1));
            var (input, output) = ($"{name}.input", $"{name}.output");
            WriteFloats(input, ChannelsSecond(x));
            WriteFloats(output, ChannelsSecond(model.Apply(x)));
            foreach (var exporter in exporters.Length > 0 ? exporters : model.Modules.Any(layer => layer is BatchNorm) ? All : All[..2])
            {
                var file = $"{name}{(exporter.Decompose ? "-decomposed" : "")}{(exporter.Fold ? "-folded" : "")}.onnx";
                exporter.Write(Path.Combine(folder, file), model, sample);
                cases.Add(new Case(file[..^5], file, [.. ChannelsSecond(x).Shape.Dimensions[1..]], input, output));
            }
        }

        // Pixels from 0 to 1, which the file normalizes itself.
        void AddPixels()
        {
            double[] mean = [0.5, 0.25, 0.125], std = [0.25, 0.5, 0.75];
            var model = new Sequential(new Conv2d(3, 4, 3, new RandomSource(5), padding: 1), new Relu());
            var x = Tensor.Uniform(new Shape(Samples, 6, 5, 3), new RandomSource(6));
            WriteFloats("pixels.input", ChannelsSecond(x));
            WriteFloats("pixels.output", ChannelsSecond(model.Apply((x - Tensor.From(mean, new Shape(3))) / Tensor.From(std, new Shape(3)))));
            new OnnxExporter { Pixels = (mean, std) }.Write(Path.Combine(folder, "pixels.onnx"), model, new Shape(6, 5, 3));
            cases.Add(new Case("pixels", "pixels.onnx", [3, 6, 5], "pixels.input", "pixels.output"));
        }

        // One picture as a PPM file and as the second record of a file like CIFAR-10's, for Examples/Onnx.
        void WritePicture()
        {
            var pixels = new byte[3 * 32 * 32];
            for (var i = 0; i < pixels.Length; i++) pixels[i] = (byte)(i * 7919);
            File.WriteAllBytes(Path.Combine(folder, "picture.ppm"), [.. "P6\n# noise\n32 32\n255\n"u8, .. pixels]);
            byte[] planes = [.. Enumerable.Range(0, pixels.Length).Select(i => pixels[3 * (i % 1024) + i / 1024])];
            File.WriteAllBytes(Path.Combine(folder, "pictures.bin"), [.. new byte[3073], 0, .. planes]);
        }

        void WriteFloats(string file, Tensor x) =>
            File.WriteAllBytes(Path.Combine(folder, file), MemoryMarshal.AsBytes<float>(x.ToFloats()).ToArray());
    }

    private static Tensor ChannelsSecond(Tensor x) =>
        x.Shape.Rank == 2 ? x : x.Permute([0, x.Shape.Rank - 1, .. Enumerable.Range(1, x.Shape.Rank - 2)]);
}
