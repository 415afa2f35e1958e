using System.Reflection;
using Tapegrad.Layers;
using Xunit;

namespace Tapegrad.Tests;

/// <summary>
/// Adding an operation or a normalization means adding its tests: this fails until a class with the right name exists.
/// </summary>
public class OperationsHaveTests
{
    [Fact]
    public void EveryOperationHasATestClass()
    {
        var operations = typeof(Tensor).Assembly.GetTypes()   // a static class is abstract and sealed
            .Where(type => type is { IsAbstract: true, IsSealed: true }
                && type.Name.EndsWith("Operation", StringComparison.Ordinal)).ToArray();
        Assert.True(operations.Length >= 35, "the operations were not found");
        CheckTested(operations);
    }

    [Fact]
    public void EveryNormalizationHasATestClass()
    {
        var normalizations = typeof(Normalization).Assembly.GetTypes()
            .Where(type => type.IsSubclassOf(typeof(Normalization))).ToArray();
        Assert.True(normalizations.Length >= 4, "the normalizations were not found");
        CheckTested(normalizations);
    }

    private static void CheckTested(Type[] types)
    {
        var tested = typeof(OperationsHaveTests).Assembly.GetTypes()
            .Where(type => type.GetMethods().Any(method => method.GetCustomAttribute<FactAttribute>() is not null))
            .Select(type => type.Name).ToHashSet();
        var missing = types.Select(type => $"{type.Name}Tests").Where(name => !tested.Contains(name)).ToArray();
        Assert.True(missing.Length == 0, $"there is no test class {string.Join(", ", missing)}");
    }
}
