using System.Reflection;
using System.Runtime.CompilerServices;
using Tapegrad.Datasets;
using Tapegrad.Devices;
using Tapegrad.Devices.Cpu;
using Tapegrad.Layers;
using Tapegrad.Memory;
using Tapegrad.Optimizers;
using Tapegrad.Training;
using Xunit;
using Buffer = Tapegrad.Memory.Buffer;
using Module = Tapegrad.Layers.Module;

namespace Tapegrad.Tests.Engine;

/// <summary>
/// The arrows between assemblies and between the namespaces of the framework point one way. Read from what was
/// compiled, signatures and method bodies, not from the text.
/// </summary>
public sealed class ArchitectureTests
{
    private static readonly Assembly Framework = typeof(Tensor).Assembly;
    private static readonly Assembly Layers = typeof(Module).Assembly;
    private static readonly Assembly Onnx = typeof(Tapegrad.Onnx.OnnxExporter).Assembly;
    private static readonly Assembly Optimizers = typeof(Optimizer).Assembly;
    private static readonly Assembly Datasets = typeof(Batch).Assembly;
    private static readonly Assembly Training = typeof(Fit).Assembly;

    private static readonly string Runtime = Path.GetDirectoryName(typeof(object).Assembly.Location)!;

    [Fact]
    public void Each_assembly_references_the_framework_alone_or_what_is_said_here()
    {
        Assert.Equal(["System.Numerics.Tensors"], OutsideTheRuntime(Framework));
        Assert.All([Layers, Optimizers], assembly => Assert.Equal(["Tapegrad"], OutsideTheRuntime(assembly)));
        Assert.Equal(["Tapegrad", "Tapegrad.Datasets", "Tapegrad.Layers", "Tapegrad.Optimizers"],
            OutsideTheRuntime(Training).Order());
        Assert.Equal(["SixLabors.ImageSharp", "Tapegrad"], OutsideTheRuntime(Datasets).Order());
        Assert.Equal(["Google.Protobuf", "Tapegrad", "Tapegrad.Layers"], OutsideTheRuntime(Onnx).Order());
    }

    // What a program or another library needs is public.
    [Fact]
    public void Libraries_show_what_is_internal_to_the_tests_alone() =>
        Assert.All([Framework, Layers, Onnx, Optimizers, Datasets, Training], assembly =>
            Assert.All(assembly.GetCustomAttributes<InternalsVisibleToAttribute>(), grant =>
                Assert.Equal("Tapegrad.Tests", grant.AssemblyName)));

    private static IEnumerable<string> OutsideTheRuntime(Assembly assembly) =>
        assembly.GetReferencedAssemblies().Select(name => name.Name!)
            .Where(name => !File.Exists(Path.Combine(Runtime, name + ".dll")));

    [Fact]
    public void Memory_knows_nothing_of_the_rest() =>
        AssertNone(TypesIn("Tapegrad.Memory"), type => type.Namespace!.StartsWith("Tapegrad")
            && type.Namespace != "Tapegrad.Memory");

    [Fact]
    public void Devices_know_shapes_and_random_numbers_and_no_calculus() =>
        AssertNone(TypesIn("Tapegrad.Devices"), type => type.Namespace == "Tapegrad" && type != typeof(Shape)
            && type != typeof(RandomSource));

    [Fact]
    public void Operations_hand_buffers_on_and_know_nothing_else_of_memory() =>
        AssertNone(TypesIn("Tapegrad").Where(type => Outermost(type).Name.EndsWith("Operation")),
            type => type.Namespace == "Tapegrad.Memory" && type != typeof(Buffer));

    [Fact]
    public void Only_devices_know_that_a_buffer_may_lie_in_this_process() =>
        AssertNone(Framework.GetTypes().Where(type => type.Namespace == "Tapegrad"),
            type => type.IsGenericType && type.GetGenericTypeDefinition() == typeof(HostBuffer<>));

    [Fact]
    public void Layers_optimizers_and_datasets_never_see_memory() =>
        AssertNone(new[] { Layers, Onnx, Optimizers, Datasets, Training }.SelectMany(assembly => assembly.GetTypes())
            .Where(type => Outermost(type) != typeof(StepProfile)),   // which measures it
            type => type.Namespace == "Tapegrad.Memory");

    [Fact]
    public void This_test_can_see()
    {
        // What is known to be referenced must be found: by a signature, by a body, inside a lambda, as a generic
        // argument.
        Assert.Contains(typeof(Buffer), References.Of(typeof(Device)));
        Assert.Contains(typeof(HostBuffer<float>), References.Of(typeof(VectorDevice<>)));
        Assert.Contains(typeof(BufferPool), References.Of(typeof(Storage)));
        Assert.Contains(typeof(Tensor), References.Of(typeof(ReluOperation)));
        Assert.Contains(typeof(Buffer), References.Of(typeof(Conv2dOperation)).Concat(
            Framework.GetTypes().Where(type => Outermost(type) == typeof(Conv2dOperation)).SelectMany(References.Of)));
        Assert.Contains(typeof(Tensor), References.Of(typeof(Sample)));
        Assert.Contains(typeof(Parameter), References.Of(typeof(Sample)));
        Assert.DoesNotContain(typeof(Tape), References.Of(typeof(Sample)));
    }

    private sealed class Sample
    {
        public static object Use() => Array.Empty<List<Tensor[]>>();

        public static bool Ask(object x) => x is Parameter;
    }

    private static Type Outermost(Type type) => type.DeclaringType is { } outer ? Outermost(outer) : type;

    private static IEnumerable<Type> TypesIn(string name)
    {
        var types = Framework.GetTypes().Where(type => type.Namespace == name).ToArray();
        Assert.NotEmpty(types);
        return types;
    }

    private static void AssertNone(IEnumerable<Type> types, Func<Type, bool> forbidden) =>
        Assert.Empty(types.SelectMany(type =>
        References.Of(type).Where(used => used.Namespace is not null && forbidden(used))
        .Select(used => $"{type} uses {used}")));
}
