using System.Reflection;
using Tapegrad.Devices;
using Tapegrad.Devices.Cpu;
using Tapegrad.Layers;
using Tapegrad.Optimizers;
using Xunit;
using Module = Tapegrad.Layers.Module;

namespace Tapegrad.Tests.Devices;

/// <summary>
/// The seam is what it says: the CPU's kernels use nothing of the framework that a device in a project of its own could
/// not use, and a formula is something that a device can send elsewhere. Read from what was compiled.
/// </summary>
public sealed class SeamTests
{
    private const string Kernels = "Tapegrad.Devices.Cpu";

    private static bool IsCpu(Type type) => type.DeclaringType is { } outer ? IsCpu(outer)
        : type.Namespace == Kernels || type == typeof(CpuDevice) || type == typeof(Workers)
        || type == typeof(IItemBody);

    // What the compiler adds to the assembly is nobody's.
    private static bool IsOurs(Type type) => type.Assembly == typeof(Device).Assembly && !IsGenerated(type);

    [Fact]
    public void The_cpu_device_uses_only_what_is_public_or_protected_of_the_rest()
    {
        var types = typeof(Device).Assembly.GetTypes().Where(IsCpu).ToArray();
        Assert.True(types.Length > 50, "the kernels are elsewhere");
        var hidden = types.SelectMany(type => References.MembersUsedBy(type).Where(member => IsHidden(member))
            .Select(member => $"{type} uses {member.DeclaringType}.{member.Name}")
            .Concat(References.Of(type).Where(used => !used.IsGenericParameter && IsHidden(used))
                .Select(used => $"{type} mentions {used}")));
        Assert.Equal("", string.Join(Environment.NewLine, hidden.Distinct().Order()));
    }

    // Of our assembly, outside of the CPU's types, and neither public nor protected; a generic one counts as its
    // definition.
    private static bool IsHidden(MemberInfo member)
    {
        if (member is Type type) return IsOurs(Root(type)) && !IsCpu(Root(type)) && !IsSeen(Root(type));
        var declaring = Root(member.DeclaringType!);
        if (!IsOurs(declaring) || IsCpu(declaring)) return false;
        return !IsSeen(declaring) || member switch
        {
            MethodBase method => !(method.IsPublic || method.IsFamily || method.IsFamilyOrAssembly),
            FieldInfo field => !(field.IsPublic || field.IsFamily || field.IsFamilyOrAssembly),
            _ => false,
        };
    }

    private static Type Root(Type type) => type.HasElementType ? Root(type.GetElementType()!) : type.IsGenericType
        ? type.GetGenericTypeDefinition() : type;

    private static bool IsSeen(Type type) => type.IsNested
        ? (type.IsNestedPublic || type.IsNestedFamily || type.IsNestedFamORAssem) && IsSeen(type.DeclaringType!)
        : type.IsPublic;

    [Fact]
    public void What_this_test_looks_for_it_finds()
    {
        Assert.True(IsHidden(typeof(Tensor)
            .GetProperty("Buffer", BindingFlags.Instance | BindingFlags.NonPublic)!.GetMethod!));
        Assert.False(IsHidden(typeof(Device).GetMethod("Create", BindingFlags.Instance | BindingFlags.NonPublic)!));
        Assert.False(IsHidden(typeof(Device).GetMethod(nameof(Device.Fill))!));
        Assert.Contains(typeof(Device).GetProperty(nameof(Device.Pool))!.GetMethod!,
            References.MembersUsedBy(typeof(VectorDevice<>)));
    }

    /// <summary>A kernel in another namespace would escape the test above.</summary>
    [Fact]
    public void What_is_internal_among_the_devices_belongs_to_the_cpu_or_the_reference() =>
        Assert.Equal([nameof(IItemBody)], typeof(Device).Assembly.GetTypes()
            .Where(type => type is { Namespace: "Tapegrad.Devices", IsNested: false, IsPublic: false }
                && !IsGenerated(type))
            .Select(type => type.Name).Order());

    private static bool IsGenerated(Type type) =>
        type.Name.Contains('<') || type.DeclaringType is { } outer && IsGenerated(outer);

    // ---- formulas ---------------------------------------------------------------------------------------------------

    private static IEnumerable<Type> Formulas() =>
        new[] { typeof(Device), typeof(Module), typeof(Optimizer) }.SelectMany(type => type.Assembly.GetTypes())
        .Where(type => !type.IsInterface && new[] { typeof(IMap), typeof(IZip), typeof(IFold),
            typeof(IUpdate) }.Any(formula => formula.IsAssignableFrom(type)));

    [Fact]
    public void A_formula_is_a_struct_of_numbers_that_others_can_name()
    {
        Assert.True(Formulas().Count() > 30, "the formulas are elsewhere");
        Assert.Empty(Formulas().SelectMany(Complaints));
    }

    private static IEnumerable<string> Complaints(Type formula)
    {
        if (!formula.IsValueType) yield return $"{formula} is no struct";
        if (formula.IsNestedPrivate || formula.IsNestedFamily) yield return $"{formula} is private";
        foreach (var field in formula.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic))
            if (field.FieldType != typeof(double) && field.FieldType != typeof(int))
                yield return $"{formula}.{field.Name} is a {field.FieldType.Name}: a formula holds double and int "
                    + "alone, so that any device can take it";
    }

    private readonly struct Hidden(bool flag) : IMap
    {
        public T Apply<T>(T x) where T : struct, IReal<T> => flag ? x : -x;
    }

    [Fact]
    public void A_private_formula_with_a_flag_is_found_out() => Assert.Equal(2, Complaints(typeof(Hidden)).Count());

    // ---- where a number is not finite -------------------------------------------------------------------------------

    [Fact]
    public void The_first_number_that_is_not_finite_is_found_among_many_buffers()
    {
        foreach (var device in (Device[])[Device.Reference, Device.Cpu])
            foreach (var bad in (double[])[double.NaN, double.PositiveInfinity, double.NegativeInfinity])
            {
                double[][] values = [[], Numbers.Random(5, 1), Numbers.Random(9000, 2), [1]];
                (int, int)? Find() => device.FirstNonFinite([.. values.Select(numbers => device.Make(numbers))]);
                Assert.Null(Find());
                Assert.Null(device.FirstNonFinite([]));
                values[3][0] = bad;
                Assert.Equal((3, 0), Find());
                values[2][8999] = bad;
                Assert.Equal((2, 8999), Find());
                values[2][4096] = bad;
                Assert.Equal((2, 4096), Find());
                values[1][4] = bad;
                Assert.Equal((1, 4), Find());
            }
    }
}
