using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.CompilerServices;
using Tapegrad.Datasets;
using Tapegrad.Devices;
using Tapegrad.Layers;
using Tapegrad.Memory;
using Tapegrad.Optimizers;
using Tapegrad.Training;
using Xunit;
using Buffer = Tapegrad.Memory.Buffer;
using Module = Tapegrad.Layers.Module;

namespace Tapegrad.Tests.Engine;

/// <summary>
/// The arrows between assemblies and between the namespaces of the framework point one way. Read from what was compiled,
/// signatures and method bodies, not from the text.
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
        Assert.All([Layers, Datasets, Optimizers], assembly => Assert.Equal(["Tapegrad"], OutsideTheRuntime(assembly)));
        Assert.Equal(["Tapegrad", "Tapegrad.Datasets", "Tapegrad.Layers", "Tapegrad.Optimizers"], OutsideTheRuntime(Training).Order());
        Assert.Equal(["Google.Protobuf", "Tapegrad", "Tapegrad.Layers"], OutsideTheRuntime(Onnx).Order());
    }

    // What a program or another library needs is public.
    [Fact]
    public void Libraries_show_what_is_internal_to_the_tests_alone() =>
        Assert.All([Framework, Layers, Onnx, Optimizers, Datasets, Training], assembly =>
            Assert.All(assembly.GetCustomAttributes<InternalsVisibleToAttribute>(), grant => Assert.Equal("Tapegrad.Tests", grant.AssemblyName)));

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
        // What is known to be referenced must be found: by a signature, by a body, inside a lambda, as a generic argument.
        Assert.Contains(typeof(Buffer), References.Of(typeof(Device)));
        Assert.Contains(typeof(HostBuffer<float>), References.Of(typeof(CpuDevice)));
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

    private static void AssertNone(IEnumerable<Type> types, Func<Type, bool> forbidden) => Assert.Empty(types.SelectMany(type =>
        References.Of(type).Where(used => used.Namespace is not null && forbidden(used)).Select(used => $"{type} uses {used}")));

    /// <summary>The types that a type mentions.</summary>
    private static class References
    {
        private const BindingFlags All =
            BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance | BindingFlags.Static
            | BindingFlags.DeclaredOnly;

        private static readonly Dictionary<int,
            OpCode> Codes = typeof(OpCodes).GetFields().Select(field => (OpCode)field.GetValue(null)!)
            .ToDictionary(code => code.Value & 0xFFFF);

        public static HashSet<Type> Of(Type type)
        {
            var found = new HashSet<Type>();
            Add(found, type.BaseType);
            foreach (var used in type.GetInterfaces()) Add(found, used);
            foreach (var used in type.GetGenericArguments()) Add(found, used);
            foreach (var field in type.GetFields(All)) Add(found, field.FieldType);
            foreach (var method in type.GetMethods(All).Cast<MethodBase>().Concat(type.GetConstructors(All)))
            {
                AddMember(found, method);
                if (method.GetMethodBody() is not { } body) continue;
                foreach (var local in body.LocalVariables) Add(found, local.LocalType);
                foreach (var clause in body.ExceptionHandlingClauses)
                    if (clause.Flags == ExceptionHandlingClauseOptions.Clause) Add(found, clause.CatchType);
                AddBody(found, method, body.GetILAsByteArray()!);
            }
            return found;
        }

        private static void Add(HashSet<Type> found, Type? type)
        {
            if (type is null || !found.Add(type)) return;
            if (type.HasElementType) Add(found, type.GetElementType());
            if (type.IsGenericParameter)
                foreach (var constraint in type.GetGenericParameterConstraints()) Add(found, constraint);
            foreach (var argument in type.GetGenericArguments()) Add(found, argument);
        }

        private static void AddMember(HashSet<Type> found, MemberInfo member)
        {
            Add(found, member as Type ?? member.DeclaringType);
            if (member is FieldInfo field) Add(found, field.FieldType);
            if (member is not MethodBase method) return;
            foreach (var parameter in method.GetParameters()) Add(found, parameter.ParameterType);
            if (method is MethodInfo { ReturnType: var result }) Add(found, result);
            if (method.IsGenericMethod)
                foreach (var argument in method.GetGenericArguments()) Add(found, argument);
        }

        // Walks through the instructions; those with a token mention a type, a method or a field.
        private static void AddBody(HashSet<Type> found, MethodBase method, byte[] code)
        {
            var typeArguments = method.DeclaringType!.IsGenericType ? method.DeclaringType.GetGenericArguments() : null;
            var methodArguments = method.IsGenericMethod ? method.GetGenericArguments() : null;
            for (var at = 0; at < code.Length;)
            {
                var instruction = code[at] == 0xFE ? Codes[0xFE00 | code[at + 1]] : Codes[code[at]];
                at += instruction.Size;
                switch (instruction.OperandType)
                {
                    case OperandType.InlineType or OperandType.InlineMethod or OperandType.InlineField or OperandType.InlineTok:
                        AddMember(found, method.Module.ResolveMember(BitConverter.ToInt32(code, at), typeArguments,
                            methodArguments)!);
                        at += 4;
                        break;
                    case OperandType.InlineSwitch:
                        at += 4 + 4 * BitConverter.ToInt32(code, at);
                        break;
                    case OperandType.InlineNone:
                        break;
                    case OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar:
                        at += 1;
                        break;
                    case OperandType.InlineVar:
                        at += 2;
                        break;
                    case OperandType.InlineI8 or OperandType.InlineR:
                        at += 8;
                        break;
                    default:
                        at += 4;
                        break;
                }
            }
        }
    }
}
