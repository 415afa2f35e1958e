using Tapegrad.Devices;
using Tapegrad.Layers;
using Tapegrad.Layers.Files;

namespace Tapegrad.Peers;

/// <summary>
/// What PyTorch and NumPy have to agree with, in both directions: see <c>torch_weights.py</c>, whose files these are. A
/// case is held to 1e-5 of its largest logit on the reference device, and to 1e-4 on the CPU.
/// </summary>
internal static class TorchCases
{
    private static readonly (string Name, string File, Func<Module> Make)[] Cases =
    [
        ("resnet20-batch", "resnet20-batch.safetensors", () =>
            new ModelSpec("resnet20", "batch", Classes: 10).Build(seed: 1)),
        ("resnet20-group", "resnet20-group.npz", () =>
            new ModelSpec("resnet20", "group:8", Classes: 10).Build(seed: 2)),
        ("resnet18-batch", "resnet18-batch.safetensors", () =>
            new ModelSpec("resnet18", "batch", Classes: 10).Build(seed: 3)),
        ("flatten", "flatten.safetensors", () =>
            new Sequential(new Conv2d(3, 4, 3, new RandomSource(4)), new Relu(), new Flatten(),
            new BatchNorm(60), new Linear(60, 7, new RandomSource(5)), new Relu(),
            new Linear(7, 3, new RandomSource(6)))),
    ];

    private static readonly Type[] Types = [typeof(bool), typeof(byte), typeof(sbyte), typeof(ushort), typeof(short),
        typeof(uint), typeof(int), typeof(ulong), typeof(long), typeof(Half), typeof(float), typeof(double)];

    private static readonly string[] TypeNames = ["b1", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2",
        "f4", "f8"];

    /// <returns>Whether all of PyTorch's and NumPy's files gave what they should.</returns>
    public static bool Exchange(string folder)
    {
        var right = true;
        foreach (var (name, file, make) in Cases)
            foreach (var (device, kind, tolerance) in ((Device, string, double)[])[(Device.Reference, "reference",
                1e-5), (Device.Cpu, "cpu", 1e-4)])
            {
                using var _ = Device.Use(device);
                var x = From(NumpyFile.Read(PathOf($"{name}.input.npy"))).Permute(0, 2, 3, 1);
                var model = make();
                var report = StateDict.Load(model, PathOf(file));
                if (kind == "cpu") Console.WriteLine(report);
                var expected = NumpyFile.Read(PathOf($"{name}.output.npy")).ToDoubles();
                var given = model.Apply(x).ToDoubles();
                var off = given.Zip(expected, (a, b) => Math.Abs(a - b)).Max() / expected.Max(Math.Abs);
                Expect(off <= tolerance, FormattableString.Invariant(
                    $"{name} of PyTorch on the {kind} device: {off:0.0e0} of the largest logit, at most {tolerance:0e0}"));

                // The other way: weights of our own, whose logits PyTorch computes again.
                var own = make();
                Randomness.AsAfterTraining(own, new RandomSource(7));
                foreach (var extension in (string[])[".safetensors", ".npz"])
                    StateDict.Save(own, PathOf($"{name}-{kind}{extension}"));
                var logits = own.Apply(x);
                NumpyFile.Write(PathOf($"{name}-{kind}.output.npy"), logits.Shape, logits.ToDoubles());
            }
        for (var number = 0; number < 21; number++)   // 12 types, and 9 of them in the other order of bytes
        {
            var array = NumpyFile.Read(PathOf($"numpy-{number}.npy"));
            Expect(array.Shape == new Shape(2, 3, 5) && array.ToDoubles().SequenceEqual(Box(array.Values is bool[])),
                $"numpy-{number}.npy, {array.Values.GetType().Name}");
        }
        var boxes = Types.Zip(TypeNames, (type, name) => new NamedArray(name, new Shape(2, 3, 5), BoxOf(type)))
            .ToArray();
        NumpyFile.WriteArchive(PathOf("types.npz"), boxes);
        foreach (var box in boxes) NumpyFile.Write(PathOf($"types-{box.Name}.npy"), box.Shape, box.Values);
        return right;

        string PathOf(string file) => Path.Combine(folder, file);

        void Expect(bool isRight, string what)
        {
            Console.WriteLine($"{(isRight ? "ok" : "FAILED")} {what}");
            right &= isRight;
        }
    }

    // 0, 1, 2, .., or 0, 1, 0, ..
    private static IEnumerable<double> Box(bool ofBools) =>
        Enumerable.Range(0, 30).Select(i => (double)(ofBools ? i % 2 : i));

    private static Array BoxOf(Type type)
    {
        var values = Array.CreateInstance(type, 30);
        foreach (var (at, value) in Box(type == typeof(bool)).Index())
            values.SetValue(type == typeof(Half) ? (Half)value : Convert.ChangeType(value, type), at);
        return values;
    }

    private static Tensor From(NamedArray array) => Tensor.From(array.ToDoubles(), array.Shape);
}
