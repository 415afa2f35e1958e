using System.Runtime.CompilerServices;
using Tapegrad.Devices;
using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad;

/// <summary>
/// The one mutable thing: a named value that a model owns and an optimizer updates in place. A parameter that is not
/// trainable holds what a layer remembers without learning it by gradients, such as running statistics.
/// </summary>
/// <remarks>Not thread-safe: reading while another thread updates is a race.</remarks>
public sealed class Parameter
{
    private Storage storage;   // another one after an update, over the same buffer
    private Tensor? value;     // what was taken since the last update
    private StrongBox<object?>? kept;   // another one after an update too

    /// <summary>A parameter with a copy of the initial value, on that value's device.</summary>
    public Parameter(string name, Tensor initial, bool trainable = true)
    {
        Name = name;
        IsTrainable = trainable;
        var buffer = initial.Device.Pool.CreateUnpooled(initial.Count);
        Copy(initial, buffer);
        storage = Storage.Of(initial.Device, buffer, this);
        Outdated = new Storage(initial.Device, this);
        Shape = initial.Shape;
    }

    /// <summary>The path in its model, for instance <c>layer1.0.conv1.weight</c>.</summary>
    public string Name { get; set; }

    /// <summary>Whether gradients flow to it. A parameter may be frozen and thawed between steps.</summary>
    public bool IsTrainable { get; set; }

    /// <summary>How often the value was changed: by an optimizer, from a file, by hand.</summary>
    public long Changes { get; private set; }

    /// <summary>The shape, which never changes.</summary>
    public Shape Shape { get; }

    /// <summary>The number of elements.</summary>
    public int Count => Shape.Count;

    /// <summary>The device, which never changes.</summary>
    public Device Device => storage.Device;

    /// <summary>
    /// The value now. A tensor taken here refuses to be read after the next update. Setting copies the numbers.
    /// </summary>
    /// <exception cref="ShapeException">The new value has another shape.</exception>
    public Tensor Value
    {
        get => value ??= new Tensor(Shape, storage) { IsParameter = true };
        set
        {
            CheckFits(value.Shape, value.Device, "value");
            if (value.Buffer == Buffer) return;   // its own value; an older one refuses here
            try
            {
                Copy(value, Buffer);
            }
            finally
            {
                RefuseOlderValues();   // also of a change that fails halfway
            }
        }
    }

    /// <summary>A parameter stands for its value wherever a tensor is asked for.</summary>
    public static implicit operator Tensor(Parameter parameter) => parameter.Value;

    /// <summary>Updates the numbers by a formula of the gradient and up to two states of the same shape.</summary>
    /// <exception cref="ShapeException">The gradient or a state has another shape.</exception>
    public void Update<TUpdate>(TUpdate update, Tensor gradient, Parameter? first = null, Parameter? second = null)
        where TUpdate : struct, IUpdate
    {
        CheckFits(gradient, first, second);
        try
        {
            Device.Update(update, Buffer, gradient.Buffer, first?.Buffer, second?.Buffer);
        }
        finally
        {
            RefuseOlderValues();
            first?.RefuseOlderValues();
            second?.RefuseOlderValues();
        }
    }

    /// <summary>Looks ahead at an update, and changes no parameter.</summary>
    /// <param name="update">The formula.</param>
    /// <param name="gradient">What it would be given.</param>
    /// <param name="first">A state of the same shape.</param>
    /// <param name="second">Another one.</param>
    /// <param name="verdict">One number on this parameter's device, of nobody else: it becomes NaN if the gradient, or
    /// what the update would leave, is not finite anywhere. So one number can judge many updates, and is read
    /// once.</param>
    public void CheckUpdate<TUpdate>(TUpdate update, Tensor gradient, Parameter? first, Parameter? second,
        Tensor verdict)
        where TUpdate : struct, IUpdate
    {
        CheckFits(gradient, first, second);
        if (verdict.Count != 1)
            throw new ShapeException($"{Name}: the verdict of an update is one number; it is {verdict.Shape}.");
        Tensor.CheckDevice(Name, Device, verdict.Device);
        Device.CheckUpdate(update, Buffer, gradient.Buffer, first?.Buffer, second?.Buffer, verdict.Buffer);
    }

    /// <summary>The name and the value.</summary>
    public override string ToString() => $"{Name}: {Value}";

    private void CheckFits(Tensor gradient, Parameter? first, Parameter? second)
    {
        CheckFits(gradient.Shape, gradient.Device, "gradient");
        foreach (var state in (ReadOnlySpan<Parameter?>)[first, second])
            if (state is not null) CheckFits(state.Shape, state.Device, "state");
    }

    private void CheckFits(Shape shape, Device device, string what)
    {
        if (shape != Shape)
            throw new ShapeException($"{Name} has the shape {Shape}; a {what} of the shape {shape} does not fit.");
        Tensor.CheckDevice(Name, Device, device);
    }

    /// <summary>What a tensor shows that was taken before an update: nothing.</summary>
    internal Storage Outdated { get; }

    private Buffer Buffer => storage.Find()!;

    /// <summary>What the device made of the numbers as they are now, and keeps for their next use.</summary>
    internal ref object? Kept => ref (kept ??= new()).Value;

    // Tensors that were taken before the update would show its result.
    private void RefuseOlderValues()
    {
        Changes++;
        // Dropped, not emptied: whoever still computes with the older numbers, though nobody may, leaves it there.
        kept = null;
        if (value is null) return;
        storage = storage.Move();
        value = null;
    }

    private static void Copy(Tensor from, Buffer to)
    {
        var strides = from.Shape.Strides();
        from.Device.Copy(from.Shape, from.Buffer, new Walk(0, strides), to, new Walk(0, strides));
    }
}
