using System.Buffers.Binary;
using System.Globalization;
using Tapegrad.Onnx.Schema;
using Xunit;

namespace Tapegrad.Tests.Layers.Onnx;

/// <summary>An ONNX model as lines to compare, and what has to be true of every one.</summary>
internal static class OnnxText
{
    /// <summary>A line a node: <c>Conv(input, weight, bias) group=1 pads=[0,0,0,0]</c>.</summary>
    public static string[] Nodes(ModelProto model) => [.. model.Graph.Node.Select(node => string.Join(' ',
        node.Attribute.OrderBy(attribute => attribute.Name, StringComparer.Ordinal)
        .Select(attribute => $"{attribute.Name}={Value(attribute)}")
            .Prepend($"{node.OpType}({string.Join(", ", node.Input)})")))];

    public static string[] Operators(ModelProto model) => [.. model.Graph.Node.Select(node => node.OpType)];

    /// <summary>[N, C, H, W], as text.</summary>
    public static string Shape(ValueInfoProto value) =>
        $"[{string.Join(", ", value.Type.TensorType.Shape.Dim.Select(dimension =>
        dimension.ValueCase == TensorShapeProto.Types.Dimension.ValueOneofCase.DimParam ? dimension.DimParam
        : $"{dimension.DimValue}"))}]";

    public static TensorProto Constant(ModelProto model, string name) =>
        model.Graph.Initializer.Single(constant => constant.Name == name);

    public static float[] Floats(TensorProto constant)
    {
        Assert.Equal((int)TensorProto.Types.DataType.Float, constant.DataType);
        var bytes = constant.RawData.Span;
        var values = new float[bytes.Length / 4];
        for (var i = 0; i < values.Length; i++) values[i] = BinaryPrimitives.ReadSingleLittleEndian(bytes[(4 * i)..]);
        return values;
    }

    public static long[] Integers(TensorProto constant)
    {
        Assert.Equal((int)TensorProto.Types.DataType.Int64, constant.DataType);
        var bytes = constant.RawData.Span;
        var values = new long[bytes.Length / 8];
        for (var i = 0; i < values.Length; i++) values[i] = BinaryPrimitives.ReadInt64LittleEndian(bytes[(8 * i)..]);
        return values;
    }

    /// <summary>
    /// Names are given once and before they are read, constants are as long as their shapes and all of use, shapes are
    /// of values.
    /// </summary>
    public static void AssertWellFormed(ModelProto model)
    {
        var names = new HashSet<string>();
        foreach (var name in model.Graph.Input.Select(input => input.Name)
            .Concat(model.Graph.Initializer.Select(constant => constant.Name)))
            Assert.True(names.Add(name), name);
        foreach (var node in model.Graph.Node)
        {
            Assert.All(node.Input, name => Assert.Contains(name, names));
            Assert.True(names.Add(Assert.Single(node.Output)), node.Name);
            Assert.All(node.Attribute, attribute =>
                Assert.NotEqual(AttributeProto.Types.AttributeType.Undefined, attribute.Type));
        }
        Assert.Equal(model.Graph.Node.Count, model.Graph.Node.Select(node => node.Name).Distinct().Count());
        Assert.All(model.Graph.Output.Concat(model.Graph.ValueInfo), value => Assert.Contains(value.Name, names));
        var described = model.Graph.Input.Concat(model.Graph.Output).Concat(model.Graph.ValueInfo)
            .Select(value => value.Name).ToArray();
        Assert.Equal(described.Length, described.Distinct().Count());
        foreach (var constant in model.Graph.Initializer)
        {
            var size = constant.DataType == (int)TensorProto.Types.DataType.Float ? 4 : 8;
            Assert.Equal(constant.Dims.Aggregate(1L, (product, length) => product * length) * size,
                constant.RawData.Length);
            Assert.Contains(model.Graph.Node, node => node.Input.Contains(constant.Name));
        }
    }

    private static string Value(AttributeProto attribute) => attribute.Type switch
    {
        AttributeProto.Types.AttributeType.Int => $"{attribute.I}",
        AttributeProto.Types.AttributeType.Ints => $"[{string.Join(',', attribute.Ints)}]",
        _ => attribute.F.ToString(CultureInfo.InvariantCulture),
    };
}
