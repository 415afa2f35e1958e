using System.Reflection;
using System.Runtime.CompilerServices;
using Tapegrad.Devices;
using Tapegrad.Memory;
using Xunit;

namespace Tapegrad.Tests;

/// <summary>
/// The arrows between projects point one way: programs -> Laboratory -> Training -> Layers, Optimizers, Datasets ->
/// Framework. Held against the assemblies that lie beside the tests, whichever there are. What points where inside the
/// framework is <see cref="Engine.ArchitectureTests"/>.
/// </summary>
public sealed class ArrowsTests
{
    // How far each library is from the framework; it may see what is nearer. Programs are furthest.
    private static readonly Dictionary<string, int> Distances = new()
    {
        ["Tapegrad"] = 0,
        ["Tapegrad.Gpu"] = 1,
        ["Tapegrad.Layers"] = 1,
        ["Tapegrad.Optimizers"] = 1,
        ["Tapegrad.Datasets"] = 1,
        ["Tapegrad.Onnx"] = 2,
        ["Tapegrad.Training"] = 2,
        ["Tapegrad.Laws"] = 2,
        ["Tapegrad.Laboratory"] = 3,
    };

    // What measures devices or holds them to laws; everything else trains with layers.
    private static readonly string[] OfDevices = ["fifty-steps", "Tapegrad.Laws"];

    private static readonly Assembly Framework = typeof(Tensor).Assembly;

    private static IReadOnlyList<Assembly> Ours { get; } =
    [
        .. Directory.GetFiles(AppContext.BaseDirectory, "*.dll").Order()
            .Where(path => !Path.GetFileName(path).StartsWith("Tapegrad.Tests.", StringComparison.Ordinal))
            .Select(path => TryLoad(path)).OfType<Assembly>()
            .Where(assembly => assembly == Framework || References(assembly).Contains("Tapegrad")),
    ];

    private static Assembly? TryLoad(string path)
    {
        try
        {
            return Assembly.Load(AssemblyName.GetAssemblyName(path));
        }
        catch (BadImageFormatException)
        {
            return null;   // a library of the system's
        }
        catch (FileNotFoundException)
        {
            return null;   // one that was left from an earlier build
        }
    }

    private static IEnumerable<string> References(Assembly assembly) =>
        assembly.GetReferencedAssemblies().Select(name => name.Name!);

    private static bool IsProgram(Assembly assembly) => assembly.EntryPoint is not null;

    private static int Distance(Assembly assembly) => IsProgram(assembly) ? int.MaxValue
        : Distances.TryGetValue(assembly.GetName().Name!, out var distance) ? distance
        : throw new InvalidOperationException($"say in this test how far {assembly.GetName().Name} is from the "
            + "framework");

    [Fact]
    public void Each_assembly_sees_what_is_nearer_to_the_framework_and_no_program()
    {
        Assert.Superset(new HashSet<string> { "Tapegrad", "Tapegrad.Layers", "Tapegrad.Optimizers", "Tapegrad.Datasets",
            "Tapegrad.Training" }, Ours.Select(assembly => assembly.GetName().Name!).ToHashSet());
        var byName = Ours.ToDictionary(assembly => assembly.GetName().Name!);
        Assert.Empty(from assembly in Ours
                     from name in References(assembly)
                     where byName.TryGetValue(name, out var seen) && Distance(seen) >= Distance(assembly)
                     select $"{assembly.GetName().Name} sees {name}");
    }

    // Buffers belong to devices: those of the framework, and those of projects that are devices. Whoever measures
    // training asks a pool how much memory there was; nothing else of it is public but to take and to give buffers.
    [Fact]
    public void Only_devices_see_memory() => Assert.Empty(
        from assembly in Ours
        where assembly != Framework && !OfDevices.Contains(assembly.GetName().Name) && !assembly.GetTypes()
        .Any(type => type.IsSubclassOf(typeof(Device)))
        from type in assembly.GetTypes()
        from seen in Tests.References.Of(type)
        where seen.Namespace == "Tapegrad.Memory" && !(seen == typeof(BufferPool) && Distance(assembly) > 1)
        select $"{type} sees {seen}");

    // What a program or another library needs is public.
    [Fact]
    public void Internals_are_shown_to_the_tests_alone() => Assert.Empty(
        from assembly in Ours
        from shown in assembly.GetCustomAttributes<InternalsVisibleToAttribute>()
            // ILGPU compiles its kernels into an assembly of that name
        where shown.AssemblyName is not ("Tapegrad.Tests" or "ILGPURuntime")
        select $"{assembly.GetName().Name} shows its internals to {shown.AssemblyName}");

    [Fact]
    public void No_type_is_compiled_into_two_assemblies() => Assert.Empty(
        from assembly in Ours
        from type in assembly.GetTypes()
        where type.Namespace?.StartsWith("Tapegrad", StringComparison.Ordinal) == true && type.DeclaringType is null
            && !type.IsDefined(typeof(CompilerGeneratedAttribute))
        group assembly.GetName().Name by type.FullName into homes
        where homes.Count() > 1
        select $"{homes.Key}: {string.Join(", ", homes)}");
}
