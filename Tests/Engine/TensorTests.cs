using Tapegrad.Devices;
using Xunit;

namespace Tapegrad.Tests.Engine;

/// <summary>Creation, reading and printing.</summary>
public sealed class TensorTests : EngineTest
{
    public static TheoryData<Device> Devices => [Device.Cpu, Device.Reference];

    [Theory]
    [MemberData(nameof(Devices))]
    public void What_is_written_is_read(Device device)
    {
        using var _ = Device.Use(device);
        double[] numbers = [1.5, -2, 0, 1e10, -0.25, 7];
        var x = Tensor.From(numbers, new(2, 3));
        Assert.Equal((device, new Shape(2, 3), 6), (x.Device, x.Shape, x.Count));
        Assert.Equal(numbers, x.ToDoubles());
        Assert.Equal(numbers.Select(n => (float)n), x.ToFloats());
        Assert.Equal(numbers, Tensor.From(x.ToFloats(), new(2, 3)).ToDoubles());
        var target = new float[6];
        x.CopyTo(target);
        Assert.Equal(x.ToFloats(), target);
        for (var i = 0; i < 6; i++) Assert.Equal(numbers[i], x.At(i / 3, i % 3));
    }

    [Fact]
    public void A_tensor_is_an_immutable_value_that_nobody_disposes()
    {
        Assert.False(typeof(Tensor).IsGenericType);
        Assert.Empty(typeof(Tensor).GetInterfaces());   // not IDisposable
        Assert.DoesNotContain(typeof(Tensor).GetProperties(), property => property.SetMethod is { IsPublic: true });
        var x = Vector(1, 2);
        var y = x;
        y += x;   // a new tensor
        Assert.Equal([1, 2], x.ToDoubles());
        Assert.Equal([2, 4], y.ToDoubles());
    }

    [Fact]
    public void The_element_type_belongs_to_the_device()
    {
        Assert.Equal(0.1, Vector(0.1).At(0));
        using var _ = Device.Use(Device.Cpu);
        Assert.Equal(0.1f, Vector(0.1).At(0));
        Assert.NotEqual(0.1, Vector(0.1).At(0));
    }

    [Theory]
    [MemberData(nameof(Devices))]
    public void Constants_and_random_numbers(Device device)
    {
        using var _ = Device.Use(device);
        Assert.Equal([0, 0], Tensor.Zeros(new(2)).ToDoubles());
        Assert.Equal([1, 1], Tensor.Ones(new(2)).ToDoubles());
        Assert.Equal([2.5, 2.5], Tensor.Full(new(2), 2.5).ToDoubles());
        Assert.Equal((Shape.Scalar, 2.5), (Tensor.Scalar(2.5).Shape, Tensor.Scalar(2.5).ToDouble()));
        Assert.Equal(Enumerable.Range(0, 50).Select(i => Random.Uniform(i)),
            Tensor.Uniform(new(5, 10), Random).ToDoubles());
        Near([.. Enumerable.Range(0, 50).Select(i => Random.Normal(i))], Tensor.Normal(new(5, 10), Random),
            device == Device.Cpu ? 1e-6 : 0);
    }

    [Theory]
    [MemberData(nameof(Devices))]
    public void Nothing_is_a_number_of_elements_too(Device device)
    {
        using var _ = Device.Use(device);
        foreach (var shape in (Shape[])[new(0), new(2, 0, 3)])
        {
            Assert.Empty(Tensor.From(Array.Empty<double>(), shape).ToDoubles());
            Assert.Empty((Tensor.Ones(shape) * 2 + Tensor.Normal(shape, Random)).ToFloats());
            Assert.Empty(Tensor.Ones(shape).Keep().ToDoubles());
            Assert.Equal($"Tensor {shape} on {device}: empty", $"{Tensor.Ones(shape)}");
            Assert.Equal(0, new Parameter("p", Tensor.Ones(shape)).Value.Count);
        }
    }

    [Fact]
    public void Numbers_that_do_not_fill_the_shape_are_refused()
    {
        Throws<ShapeException>(() => Tensor.From([1.0, 2], new(3)),
            "2 numbers for the shape [3], which has 3 elements");
        Throws<ShapeException>(() => Tensor.From([1f, 2], new(1)), "2 numbers for the shape [1]");
        Throws<ShapeException>(() => Tensor.Ones(new(3)).CopyTo(new float[4]), "4 numbers for the shape [3]");
    }

    [Fact]
    public void One_number_is_read_from_any_shape_with_one_element()
    {
        Assert.Equal(5, Tensor.Full(new(1, 1, 1), 5).ToDouble());
        Throws<ShapeException>(() => Vector(1, 2).ToDouble(), "the shape [2] has 2 elements, not one");
        Throws<ShapeException>(() => Tensor.Ones(new(0)).ToDouble(), "0 elements");
    }

    [Fact]
    public void Positions_outside_are_refused()
    {
        var x = Tensor.Ones(new(2, 3));
        Throws<ShapeException>(() => x.At(0), "1 indices for the shape [2, 3]");
        Throws<ShapeException>(() => x.At(0, 3), "index 3 of axis 1 lies outside the shape [2, 3]");
        Throws<ShapeException>(() => x.At(-1, 0), "index -1 of axis 0");
    }

    [Fact]
    public void Devices_do_not_mix()
    {
        var here = Vector(1);
        using var device = Device.Use(Device.Cpu);
        var there = Vector(1);
        using (LayerContext.Enter("conv1"))
            Throws<InvalidOperationException>(() => _ = here + there,
                "add: one tensor is on the reference device, the other on the CPU device", "in layer conv1",
                "Device.Use");
        Assert.Same(Device.Reference, (here * 2).Device);   // what is computed stays on the device of its operands
        Assert.Same(Device.Cpu, (1 - there).Device);
    }

    [Fact]
    public void The_device_is_a_choice_of_the_thread()
    {
        Assert.Same(Device.Reference, Device.Current);
        using (Device.Use(Device.Cpu)) Assert.Same(Device.Cpu, Device.Current);
        Assert.Same(Device.Reference, Device.Current);
        OnAnotherThread(() => Assert.Same(Device.Cpu, Device.Current));   // the default
    }

    [Fact]
    public void Small_tensors_print_whole()
    {
        Assert.Equal("Tensor [] on reference: 2.5", $"{Tensor.Scalar(2.5)}");
        Assert.Equal($"Tensor [3] on reference{Environment.NewLine}[1, -0.25, 1E+10]", $"{Vector(1, -0.25, 1e10)}");
        Assert.Equal($"Tensor [2, 2] on reference{Environment.NewLine}[[1, 2]\n [3, 4]]",
            $"{Vector(1, 2, 3, 4).Reshape(2, 2)}");
        Assert.Equal($"Tensor [2, 1, 2] on reference{Environment.NewLine}[[[1, 2]]\n [[3, 4]]]",
            $"{Vector(1, 2, 3, 4).Reshape(2, 1, 2)}");
    }

    [Fact]
    public void Large_tensors_print_their_ends()
    {
        Assert.Equal($"Tensor [10] on reference{Environment.NewLine}[0, 1, 2, ..., 7, 8, 9]",
            $"{Vector([.. Enumerable.Range(0, 10)])}");
        Assert.Equal($"Tensor [7] on reference{Environment.NewLine}[0, 1, 2, 3, 4, 5, 6]",
            $"{Vector([.. Enumerable.Range(0, 7)])}");
        var big = Vector([.. Enumerable.Range(0, 1000)]).Reshape(100, 10);
        Assert.Contains("[0, 1, 2, ..., 7, 8, 9]\n [10, 11, 12, ..., 17, 18, 19]", $"{big}");
        Assert.Contains("...", $"{big}");
        Assert.EndsWith("[990, 991, 992, ..., 997, 998, 999]]", $"{big}");
        Assert.Equal(7, $"{big}".Split('\n').Length - 1);   // six rows and the dots, below the heading
    }

    [Fact]
    public void Layers_join_their_names_by_dots()
    {
        Assert.Null(LayerContext.Current);
        using (LayerContext.Enter(""))
        {
            Assert.Equal("", $"{LayerContext.Current}");
            using (LayerContext.Enter("layer1"))
            using (LayerContext.Enter(""))
            using (LayerContext.Enter("conv2")) Assert.Equal("layer1.conv2", $"{LayerContext.Current}");
            Assert.Equal("", $"{LayerContext.Current}");
            Assert.DoesNotContain("layer", Assert.Throws<ShapeException>(() => new Shape(-1)).Message);
        }
        Assert.Null(LayerContext.Current);
    }
}
