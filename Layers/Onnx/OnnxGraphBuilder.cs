using System.Buffers.Binary;
using Google.Protobuf;
using Tapegrad.Onnx.Schema;

namespace Tapegrad.Onnx;

/// <summary>
/// The file's graph in the making: nodes, constants, the input and the output, each under a name of its own. It knows
/// operators and bytes; <see cref="OnnxGraph"/> knows the layers.
/// </summary>
internal sealed class OnnxGraphBuilder
{
    private readonly HashSet<string> names = [];

    public OnnxGraphBuilder(string name) => Proto.Name = name;

    public GraphProto Proto { get; } = new();

    /// <summary>What the names of nodes and constants begin with; empty for nothing.</summary>
    public string Path { get; set; } = "";

    /// <summary>Adds a node.</summary>
    public OnnxValue Add(string operation, OnnxValue[] inputs, (string Name, object Value)[] attributes)
    {
        var name = UniqueName(operation);
        var node = new NodeProto
        {
            Name = name,
            OpType = operation,
            Input = { inputs.Select(input => input.Name) },
            Output = { name }
        };
        node.Attribute.AddRange(attributes.Select(attribute => Attribute(attribute.Name, attribute.Value)));
        Proto.Node.Add(node);
        return inputs[0] with { Name = name };
    }

    public OnnxValue Constant(string name, Tensor value)
    {
        var bytes = new byte[sizeof(float) * value.Count];
        var floats = value.ToFloats();
        for (var i = 0; i < floats.Length; i++)
            BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan(sizeof(float) * i), floats[i]);
        return Constant(name, TensorProto.Types.DataType.Float, value.Shape, bytes);
    }

    public OnnxValue Constant(string name, int[] values)
    {
        var bytes = new byte[sizeof(long) * values.Length];
        for (var i = 0; i < values.Length; i++)
            BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(sizeof(long) * i), values[i]);
        return Constant(name, TensorProto.Types.DataType.Int64, new Shape(values.Length), bytes);
    }

    private OnnxValue Constant(string name, TensorProto.Types.DataType type, Shape shape, byte[] bytes)
    {
        name = UniqueName(name);
        Proto.Initializer.Add(new TensorProto
        {
            Name = name,
            DataType = (int)type,
            Dims = { shape.Dimensions.ToArray().Select(length => (long)length) },
            RawData = UnsafeByteOperations.UnsafeWrap(bytes),
        });
        return new OnnxValue(name, shape);
    }

    private string UniqueName(string name)
    {
        name = Path == "" ? name : $"{Path}.{name}";
        var unique = name;
        for (var i = 2; !names.Add(unique); i++) unique = $"{name}_{i}";
        return unique;
    }

    private static AttributeProto Attribute(string name, object value) => value switch
    {
        int whole => new() { Name = name, Type = AttributeProto.Types.AttributeType.Int, I = whole },
        double number => new() { Name = name, Type = AttributeProto.Types.AttributeType.Float, F = (float)number },
        int[] list => new()
        {
            Name = name,
            Type = AttributeProto.Types.AttributeType.Ints,
            Ints = { list.Select(item => (long)item) }
        },
        _ => throw new ArgumentException($"the attribute '{name}' is of type {value.GetType().Name}; it must be int, "
            + "int[] or double."),
    };

    /// <summary>The graph's input.</summary>
    public OnnxValue Input(string name, Shape shape)
    {
        var x = new OnnxValue(UniqueName(name), shape);
        Describe(Proto.Input, x);
        return x;
    }

    /// <summary>Makes a value the graph's output, under this name.</summary>
    public void Output(string name, OnnxValue y)
    {
        // the model gives its input back
        if (Proto.Node.FirstOrDefault(node => node.Output[0] == y.Name) is not { } last)
        {
            y = Add("Identity", [y], []);
            last = Proto.Node[^1];
        }
        var output = y with { Name = UniqueName(name) };
        last.Output[0] = output.Name;
        foreach (var node in Proto.Node)
            for (var i = 0; i < node.Input.Count; i++)
                if (node.Input[i] == y.Name) node.Input[i] = output.Name;
        if (Proto.ValueInfo.FirstOrDefault(info => info.Name == y.Name) is { } described)
            Proto.ValueInfo.Remove(described);
        Describe(Proto.Output, output);
    }

    /// <summary>States the shape of a value inside the graph, once.</summary>
    public void Describe(OnnxValue value)
    {
        if (Proto.ValueInfo.All(info => info.Name != value.Name)) Describe(Proto.ValueInfo, value);
    }

    private static void Describe(ICollection<ValueInfoProto> list, OnnxValue value)
    {
        var type = new TypeProto.Types.Tensor
        {
            ElemType = (int)TensorProto.Types.DataType.Float,
            Shape = new TensorShapeProto()
        };
        type.Shape.Dim.Add(new TensorShapeProto.Types.Dimension { DimParam = "N" });
        var lengths = value.Shape.Dimensions[1..];
        foreach (var length in (int[])[lengths[^1], .. lengths[..^1]])
            type.Shape.Dim.Add(new TensorShapeProto.Types.Dimension { DimValue = length });
        list.Add(new ValueInfoProto { Name = value.Name, Type = new TypeProto { TensorType = type } });
    }
}
