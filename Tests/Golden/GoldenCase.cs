using System.Text.Json;
using Tapegrad.Devices;
using Xunit;

namespace Tapegrad.Tests.Golden;

/// <summary>
/// One case of the golden files: inputs that a formula fills, and the output and gradients that PyTorch computed for
/// them in float64. README.md in this folder says how; there shapes are PyTorch's, here everything is handed out in our
/// order of axes.
/// </summary>
public sealed class GoldenCase
{
    private readonly JsonElement json;
    private bool roundInputs;   // to float, also on the double device

    private GoldenCase(JsonElement json) => this.json = json;

    public string Name => json.GetProperty("name").GetString()!;

    public string Operation => json.GetProperty("op").GetString()!;

    public JsonElement Arguments => json.GetProperty("args");

    public JsonElement Outputs => json.GetProperty("outputs");

    public JsonElement Json => json;

    public IEnumerable<string> InputNames => Inputs.Select(input => input.GetProperty("name").GetString()!);

    public bool Has(string input) => InputNames.Contains(input);

    public int Integer(string argument) => Arguments.GetProperty(argument).GetInt32();

    /// <summary>The cases of a file, for the given operations; there must be some.</summary>
    public static IReadOnlyList<GoldenCase> Read(string file, params string[] operations)
    {
        var text = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Golden", file));
        var all = JsonDocument.Parse(text).RootElement.EnumerateArray().Select(json => new GoldenCase(json));
        GoldenCase[] cases = [.. all.Where(golden => operations.Contains(golden.Operation))];
        Assert.NotEmpty(cases);
        return cases;
    }

    public override string ToString() => Name;

    /// <summary>
    /// An input on the current device. On the float device it is rounded, which is where the comparison begins.
    /// </summary>
    public Tensor Input(string name)
    {
        var input = Inputs.Single(input => input.GetProperty("name").GetString() == name);
        double Number(string property) => input.GetProperty(property).GetDouble();
        return Fill(Dimensions(input), input.GetProperty("k").GetInt32(), Number("scale"), Number("offset"), name);
    }

    /// <summary>
    /// A tensor filled by the formula scale * sin(0.1 + 0.7 i + 1.3 k + seed) + offset in PyTorch's order of axes, then
    /// brought into ours.
    /// </summary>
    public Tensor Fill(int[] fileShape, int k, double scale = 1, double offset = 0, string name = "")
    {
        var seed = json.GetProperty("seed").GetDouble();
        var count = fileShape.Aggregate(1, (product, length) => product * length);
        var values = Enumerable.Range(0, count).Select(i => scale * Math.Sin(0.1 + 0.7 * i + 1.3 * k + seed) + offset);
        return ToOurs(Tensor.From([.. roundInputs ? values.Select(value => (double)(float)value) : values],
            new Shape(fileShape)), name);
    }

    /// <summary>An array of the file in our order of axes, on the current device.</summary>
    public Tensor Array(JsonElement array, string name) =>
        ToOurs(Tensor.From([.. array.GetProperty("data").EnumerateArray().Select(value => value.GetDouble())],
            new Shape(Dimensions(array))), name);

    private IEnumerable<JsonElement> Inputs => json.GetProperty("inputs").EnumerateArray();

    private bool HasLargeOffset => Inputs.Any(input => Math.Abs(input.GetProperty("offset").GetDouble()) > 10);

    /// <summary>
    /// Computes the case on both devices and compares the output, and the gradients of the named variables for the seed
    /// u (k = 99). On the double device within 1e-9 of the largest element (1e-7 where an offset is above 10); on the
    /// float device within 1e-4 of PyTorch's, or, where an offset is above 10, of the double device on the same rounded
    /// inputs.
    /// </summary>
    /// <param name="compute">From the case, on the current device and under the open tape, to the output and the
    /// variables by their names in the file.</param>
    /// <param name="training">Whether the tape trains or evaluates.</param>
    public void Check(Func<GoldenCase, Tape, (Tensor Output, (string Name, Tensor Variable)[] Variables)> compute,
        bool training = true)
    {
        var expected =
            new Dictionary<string, double[]> { ["output"] = Expected(Outputs.GetProperty("output"), "output") };
        if (json.TryGetProperty("grads", out var gradients))
            foreach (var gradient in gradients.EnumerateObject())
                expected[gradient.Name] = Expected(gradient.Value, gradient.Name);
        var exact = Run(Device.Reference, compute, training);
        Assert.Equal(expected.Keys.Order(), exact.Keys.Order());   // no gradient is left out
        AssertClose("double", expected, exact, HasLargeOffset ? 1e-7 : 1e-9);
        if (HasLargeOffset)
        {
            roundInputs = true;
            expected = Run(Device.Reference, compute, training);
            roundInputs = false;
        }
        AssertClose("float", expected, Run(Device.Cpu, compute, training), 1e-4);
    }

    /// <summary>Every element within a tolerance that scales with the largest element.</summary>
    public void AssertClose(string what, ReadOnlySpan<double> expected, ReadOnlySpan<double> actual, double tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        var largest = 0.0;
        foreach (var value in expected) largest = Math.Max(largest, Math.Abs(value));
        for (var i = 0; i < expected.Length; i++)
            Assert.True(Math.Abs(expected[i] - actual[i]) <= tolerance * largest,
                $"{Name}: {what}[{i}] is {actual[i]:R}, expected {expected[i]:R} within {tolerance} of the largest "
                    + $"element, {largest:G5}");
    }

    private void AssertClose(string device, Dictionary<string, double[]> expected, Dictionary<string, double[]> actual,
        double tolerance)
    {
        foreach (var (name, values) in expected) AssertClose($"{name} ({device})", values, actual[name], tolerance);
    }

    private Dictionary<string, double[]> Run(Device device,
        Func<GoldenCase, Tape, (Tensor, (string, Tensor)[])> compute, bool training)
    {
        using var _ = Device.Use(device);
        using var tape = training ? Tape.Training(new RandomSource(1)) : Tape.Evaluating();
        var (output, variables) = compute(this, tape);
        var result = new Dictionary<string, double[]> { ["output"] = output.ToDoubles() };
        if (variables.Length == 0) return result;
        var seed = Fill(Dimensions(Outputs.GetProperty("output")), k: 99, name: "output").Reshape(output.Shape);
        var gradients = tape.Gradients(output, [.. variables.Select(variable => variable.Item2)], seed);
        for (var i = 0; i < variables.Length; i++) result[variables[i].Item1] = gradients[i].ToDoubles();
        return result;
    }

    private double[] Expected(JsonElement array, string name)
    {
        using var _ = Device.Use(Device.Reference);
        return Array(array, name).ToDoubles();
    }

    // Activations [N, C, ..] -> [N, .., C]; convolution weights [O, C/G, KH, KW] -> [KH, KW, C/G, O]; linear weights
    // [out, in] -> [in, out]. Matrix products and arithmetic, whose inputs are a and b, have no channels.
    private Tensor ToOurs(Tensor x, string name) => (name, x.Shape.Rank) switch
    {
        ("weight", 4) => x.Permute(2, 3, 1, 0),
        ("weight", 2) => x.Permute(1, 0),
        ("x" or "output", >= 3) when !json.TryGetProperty("inputs", out _)
        || Inputs.Any(input => input.GetProperty("name").GetString() == "x") =>
            x.Permute([0, .. Enumerable.Range(2, x.Shape.Rank - 2), 1]),
        _ => x,
    };

    private static int[] Dimensions(JsonElement array) =>
        [.. array.GetProperty("shape").EnumerateArray().Select(length => length.GetInt32())];
}
