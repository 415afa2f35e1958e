using System.Collections;
using System.Reflection;
using Tapegrad.Devices;
using Tapegrad.Devices.Cpu;
using Xunit;

namespace Tapegrad.Tests.Devices;

/// <summary>
/// The cuts of a kernel's plan, read from its fields: every <see cref="Blocks"/>, <see cref="Shares"/>,
/// <see cref="Clamped"/> and flag in it and in what it holds. Each has kinds: a flag is on or off; blocks are one or
/// several, with nothing, one, or all but one of them left over. A shape takes some of the kinds, and shapes are chosen
/// until they take all: a kernel that gains a cut gets its shapes without a word, or its test fails.
/// </summary>
internal static class Cuts
{
    /// <summary>What a shape takes: "cut: kind"; and of the cuts that it has, every kind that there is.</summary>
    public sealed record Seen(HashSet<string> Taken, HashSet<string> All, HashSet<Type> Types);

    /// <summary>
    /// A shape, the plans that its kernels make for it, the comparison with the definition, and all that the kernels
    /// of a device compute.
    /// </summary>
    public sealed record Subject(object Shape, object[] Plans, Action Check,
        Func<CpuDevice, float[]> Compute);

    /// <summary>Reads the plans of one shape.</summary>
    public static Seen Of(params object[] plans)
    {
        var seen = new Seen([], [], []);
        foreach (var plan in plans) Read(plan, NameOf(plan.GetType()), seen, 0);
        return seen;
    }

    private static void Read(object? value, string name, Seen seen, int depth)
    {
        switch (value)
        {
            case bool flag:
                Add(seen, name, ["no", "yes"], flag ? "yes" : "no");
                break;
            case Blocks { Length: > 0 } blocks:
                Add(seen, name, ["one, smaller", "one, whole", "several, none left", "several, one left",
                    "several, all but one left"],
                    [.. Kinds(blocks)]);
                break;
            case Shares { Length: > 0 } shares:
                Add(seen, name, ["one", "several, equal", "several, unequal"],
                    shares.Count == 1 ? "one" : shares.Length % shares.Count == 0 ? "several, equal"
                    : "several, unequal");
                break;
            case Clamped { Most: > 0 } clamped:
                string[] ends = [.. clamped.Wanted <= clamped.Least ? ["at least"] : (string[])[],
                    .. clamped.Wanted >= clamped.Most ? ["at most"] : (string[])[]];
                Add(seen, name, ["at least", "between", "at most"], ends.Length == 0 ? ["between"] : ends);
                break;
            case IEnumerable all and not string when depth < 6:
                foreach (var one in all) Read(one, name, seen, depth + 1);
                break;
            case { } part when IsOurs(part.GetType()) && depth < 6:
                var type = part.GetType();
                seen.Types.Add(type.IsGenericType ? type.GetGenericTypeDefinition() : type);
                foreach (var field in Fields(part.GetType()))
                    if (!field.FieldType.IsPointer)
                        Read(field.GetValue(part), $"{name}.{NameOf(field)}", seen, depth + 1);
                break;
        }
    }

    private static IEnumerable<string> Kinds(Blocks blocks)
    {
        var left = blocks.Length % blocks.Size;
        if (blocks.Length < blocks.Size) yield return "one, smaller";
        else if (blocks.Length == blocks.Size) yield return "one, whole";
        else
        {
            if (left == 0) yield return "several, none left";
            if (left == 1) yield return "several, one left";
            if (left > 0 && left == blocks.Size - 1) yield return "several, all but one left";
        }
    }

    private static void Add(Seen seen, string name, string[] all, params string[] taken)
    {
        foreach (var kind in all) seen.All.Add($"{name}: {kind}");
        foreach (var kind in taken) seen.Taken.Add($"{name}: {kind}");
    }

    private static bool IsOurs(Type type) =>
        type.Assembly == typeof(Device).Assembly && type.Namespace?.StartsWith("Tapegrad.Devices") == true;

    private static IEnumerable<FieldInfo> Fields(Type type) =>
        type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic);

    // With the kind of its vectors, since kernels of each have cuts of their own.
    private static string NameOf(Type type) =>
        type.IsGenericType ? $"{type.Name[..^2]}<{type.GetGenericArguments()[0].Name}>" : type.Name;

    // Of a property's or a primary constructor's field, the name in the source.
    private static string NameOf(FieldInfo field) =>
        field.Name is ['<', .. var rest] ? rest[..rest.IndexOf('>')] : field.Name;

    /// <summary>The types of the framework that hold cuts.</summary>
    public static IEnumerable<Type> TypesWithCuts() =>
        typeof(Device).Assembly.GetTypes().Where(type => IsOurs(type) && Fields(type).Any(field =>
        (field.FieldType.IsArray ? field.FieldType.GetElementType()! : field.FieldType) is var cut
            && (cut == typeof(Blocks) || cut == typeof(Shares) || cut == typeof(Clamped))));

    /// <summary>
    /// Shapes that take every kind of every cut, and as many pairs of kinds as the budget allows, the cheap ones first.
    /// Fails if there is a kind that no candidate takes, unless it is <paramref name="impossible"/>: a part of its
    /// name, and why. Those must stay impossible.
    /// </summary>
    public static List<T> Cover<T>(IEnumerable<T> candidates, Func<T, object[]> plans, Func<T, double> cost,
        double budget, Dictionary<string, string> impossible)
    {
        var sorted = candidates.Select(shape => (Shape: shape, Seen: Of(plans(shape)), Cost: cost(shape)))
            .OrderBy(one => one.Cost).ToArray();
        var all = sorted.SelectMany(one => one.Seen.All).ToHashSet();
        var taken = sorted.SelectMany(one => one.Seen.Taken).ToHashSet();
        bool IsImpossible(string kind) => impossible.Keys.Any(kind.Contains);
        var missing = all.Except(taken).Where(kind => !IsImpossible(kind)).Order().ToArray();
        Assert.True(missing.Length == 0, $"no shape takes: {string.Join("; ", missing)}");
        var found = taken.Where(IsImpossible).Order().ToArray();
        Assert.True(found.Length == 0, $"said to be impossible, and taken: {string.Join("; ", found)}");
        foreach (var key in impossible.Keys)
            Assert.True(all.Any(kind => kind.Contains(key)), $"said to be impossible, and no kind at all: {key}");

        var (chosen, kinds, pairs) = (new List<T>(), new HashSet<string>(), new HashSet<(string, string)>());
        foreach (var (shape, seen, price) in sorted)
        {
            var isNew = !seen.Taken.IsSubsetOf(kinds);
            var ofShape =
                seen.Taken.SelectMany(a => seen.Taken.Where(b => string.CompareOrdinal(a, b) < 0).Select(b => (a, b)));
            if (!isNew && (price > budget || ofShape.All(pairs.Contains))) continue;
            kinds.UnionWith(seen.Taken);
            pairs.UnionWith(ofShape);
            budget -= price;
            chosen.Add(shape);
        }
        return chosen;
    }
}
