using Tapegrad.Devices;
using Tapegrad.Memory;
using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad;

/// <summary>
/// The one mutable thing: a named value that a model owns and an optimizer updates in place. A parameter that is not trainable
/// holds what a layer remembers without learning it by gradients, such as running statistics.
/// </summary>
/// <remarks>Not thread-safe: reading while another thread updates is a race.</remarks>
public sealed class Parameter
{
    private Tensor value;   // of the last time that somebody asked; its shape, device and buffer stay

    /// <summary>A parameter with a copy of the initial value, on that value's device.</summary>
    public Parameter(string name, Tensor initial, bool trainable = true)
    {
        Name = name;
        IsTrainable = trainable;
        var buffer = initial.Device.Pool.CreateUnpooled(initial.Count);
        Copy(initial, buffer);
        value = Wrap(initial.Shape, initial.Device, buffer);
    }

    /// <summary>The path in its model, for instance <c>layer1.0.conv1.weight</c>.</summary>
    public string Name { get; set; }

    /// <summary>Whether gradients flow to it. A parameter may be frozen and thawed between steps.</summary>
    public bool IsTrainable { get; set; }

    /// <summary>The shape, which never changes.</summary>
    public Shape Shape => value.Shape;

    /// <summary>The number of elements.</summary>
    public int Count => value.Count;

    /// <summary>The device, which never changes.</summary>
    public Device Device => value.Device;

    /// <summary>
    /// The value now. A tensor taken here refuses to be read after the next update. Setting copies the numbers.
    /// </summary>
    /// <exception cref="ShapeException">The new value has another shape.</exception>
    public Tensor Value
    {
        get => value.IsStale ? value = Wrap(Shape, Device, value.Memory) : value;
        set
        {
            CheckFits(value, "value");
            if (value.Buffer == this.value.Memory) return;   // its own value; an older one refuses here
            Update(buffer => Copy(value, buffer));
        }
    }

    /// <summary>A parameter stands for its value wherever a tensor is asked for.</summary>
    public static implicit operator Tensor(Parameter parameter) => parameter.Value;

    /// <summary>Changes the numbers in place, and raises the stamp: older tensors of this parameter refuse to be read.</summary>
    internal void Update(Action<Buffer> change)
    {
        var buffer = value.Memory;
        change(buffer);
        buffer.Invalidate(BufferChange.Updated);
    }

    /// <summary>Updates the numbers by a formula of the gradient and up to two states of the same shape.</summary>
    public void Update<TUpdate>(TUpdate update, Tensor gradient, Parameter? first = null, Parameter? second = null)
        where TUpdate : struct, IUpdate
    {
        CheckFits(gradient, "gradient");
        Device.Update(update, value.Memory, gradient.Buffer, first?.value.Memory, second?.value.Memory);
        foreach (var changed in (ReadOnlySpan<Parameter?>)[this, first, second]) changed?.Update(_ => { });
    }

    /// <summary>The name and the value.</summary>
    public override string ToString() => $"{Name}: {value}";

    private void CheckFits(Tensor x, string what)
    {
        if (x.Shape != Shape)
            throw new ShapeException($"{Name} has the shape {Shape}; a {what} of the shape {x.Shape} does not fit.");
        Tensor.CheckDevice(Name, value, x);
    }

    private Tensor Wrap(Shape shape, Device device, Buffer buffer) => new(shape, device, buffer) { Parameter = this };

    private static void Copy(Tensor from, Buffer to)
    {
        var strides = from.Shape.Strides();
        from.Device.Copy(from.Shape, from.Buffer, new Walk(0, strides), to, new Walk(0, strides));
    }
}
