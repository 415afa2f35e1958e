using Tapegrad.Devices;
using Tapegrad.Optimizers;
using Xunit;

namespace Tapegrad.Tests.Golden;

/// <summary>Values and gradients of operations, and the steps of optimizers, as PyTorch has them.</summary>
public sealed class OperationGoldenTests
{
    public static TheoryData<string> Convolutions => Names("convolutions.json", "conv2d");

    public static TheoryData<string> Others => Names("others.json", [.. Formulas.Keys]);

    public static TheoryData<string> Optimizers => Names("others.json", "optimizer");

    // Each operation of the file, on the inputs by their names.
    private static readonly Dictionary<string, Func<GoldenCase, Func<string, Tensor>, Tensor>> Formulas = new()
    {
        ["max_pool2d"] = (golden, input) =>
            input("x").MaxPool2d(golden.Integer("kernel"), golden.Integer("stride"), golden.Integer("padding")),
        ["avg_pool2d"] = (golden, input) =>
        input("x").AveragePool2d(golden.Integer("kernel"), golden.Integer("stride"), golden.Integer("padding")),
        ["global_average_pool"] = (_, input) => input("x").GlobalAveragePool(),
        ["linear"] = (_, input) => input("x").MatrixProduct(input("weight")) + input("bias"),
        ["cross_entropy"] = (golden, input) => input("logits").CrossEntropy(
            [.. golden.Arguments.GetProperty("labels").EnumerateArray().Select(label => label.GetInt32())],
            golden.Arguments.GetProperty("label_smoothing").GetDouble()),
        ["log_softmax"] = (_, input) => input("x").LogSoftmax(),
        ["relu"] = (_, input) => input("x").Relu(),
        ["sigmoid"] = (_, input) => input("x").Sigmoid(),
        ["tanh"] = (_, input) => input("x").Tanh(),
        ["matmul"] = (_, input) => input("a").MatrixProduct(input("b")),
        ["(a + b) * a / (b*b + 1)"] = (_, input) =>
        (input("a") + input("b")) * input("a") / (input("b") * input("b") + 1),
    };

    [Theory]
    [MemberData(nameof(Convolutions))]
    public void ConvolutionsArePyTorchs(string name) => Check("convolutions.json", name, (golden, input) =>
        input("x").Conv2d(input("weight"), golden.Has("bias") ? input("bias") : null,
            golden.Integer("stride"), golden.Integer("padding"), golden.Integer("dilation"), golden.Integer("groups")));

    [Theory]
    [MemberData(nameof(Others))]
    public void OperationsArePyTorchs(string name) =>
        Check("others.json", name, (golden, input) => Formulas[golden.Operation](golden, input));

    // Six steps on 0.5 sum(c (p - t)^2), on both devices.
    [Theory]
    [MemberData(nameof(Optimizers))]
    public void OptimizersStepLikePyTorchs(string name)
    {
        var golden = Find("others.json", name, "optimizer");
        double Argument(string argument) => golden.Arguments.GetProperty(argument).GetDouble();
        foreach (var (device, tolerance) in ((Device, double)[])[(Device.Reference, 1e-9), (Device.Cpu, 1e-4)])
        {
            using var _ = Device.Use(device);
            var p = new Parameter("p", golden.Fill([7], k: 0));
            var (c, t) = (golden.Fill([7], k: 1, scale: 0.5, offset: 1), golden.Fill([7], k: 2));
            Optimizer optimizer = golden.Arguments.GetProperty("kind").GetString() == "adam"
                ? new Adam([p], Argument("beta1"), Argument("beta2"), Argument("eps"))
                : new Sgd([p], Argument("momentum"), Argument("weight_decay"),
                    golden.Arguments.GetProperty("nesterov").GetBoolean());
            var trace = golden.Json.GetProperty("trace").EnumerateArray().ToArray();
            Assert.Equal(6, trace.Length);
            foreach (var step in trace)
            {
                using (var tape = Tape.Training(default))
                    optimizer.Step(tape.Gradients((c * (p.Value - t).Square()).Sum() * 0.5), Argument("lr"));
                golden.AssertClose("p", [.. step.EnumerateArray().Select(value => value.GetDouble())],
                    p.Value.ToDoubles(), tolerance);
            }
        }
    }

    [Fact]
    public void EveryCaseOfTheFilesIsTried()
    {
        Assert.Equal(7, Convolutions.Count);
        Assert.Equal(22, Others.Count + Optimizers.Count);
    }

    private static void Check(string file, string name, Func<GoldenCase, Func<string, Tensor>, Tensor> formula)
    {
        var golden = Find(file, name, [.. Formulas.Keys, "conv2d"]);
        golden.Check((golden, tape) =>
        {
            var inputs = golden.InputNames.ToDictionary(input => input, input => tape.Watch(golden.Input(input)));
            return (formula(golden, input => inputs[input]), [.. inputs.Select(input => (input.Key, input.Value))]);
        });
    }

    private static TheoryData<string> Names(string file, params string[] operations) =>
        [.. GoldenCase.Read(file, operations).Select(golden => golden.Name)];

    private static GoldenCase Find(string file, string name, params string[] operations) =>
        GoldenCase.Read(file, operations).Single(golden => golden.Name == name);
}
