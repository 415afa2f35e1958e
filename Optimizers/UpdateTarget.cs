using Tapegrad.Devices;

namespace Tapegrad.Optimizers;

/// <summary>A parameter, its gradient, and what is remembered of it between steps: an optimizer's formula is applied to it.</summary>
public sealed class UpdateTarget
{
    private Tensor? verdict;   // while it looks ahead

    internal UpdateTarget(Parameter parameter, Parameter? first, Parameter? second) => (Parameter, First, Second) = (parameter, first, second);

    /// <summary>The parameter.</summary>
    public Parameter Parameter { get; }

    /// <summary>Its gradient in this step.</summary>
    public Tensor Gradient { get; private set; } = null!;   // every step gives one

    /// <summary>What is remembered of it; null for nothing.</summary>
    internal Parameter? First { get; }

    /// <summary>What is remembered of it beside <see cref="First"/>; null for nothing.</summary>
    internal Parameter? Second { get; }

    /// <summary>How often it was updated.</summary>
    internal long Updates { get; set; }

    /// <summary>Updates the parameter and up to two states in place, element by element.</summary>
    public void Apply<TUpdate>(TUpdate update) where TUpdate : struct, IUpdate
    {
        if (verdict is null) Parameter.Update(update, Gradient, First, Second);
        else Parameter.CheckUpdate(update, Gradient, First, Second, verdict);
    }

    internal UpdateTarget With(Tensor gradient)
    {
        Gradient = gradient;
        return this;
    }

    /// <summary>Until the result is disposed, updates change nothing: the verdict of the parameter's device, 0 until then, becomes NaN where one
    /// would leave a number that is not finite.</summary>
    internal LookingAhead LookAhead(Dictionary<Device, Tensor> verdicts)
    {
        if (!verdicts.TryGetValue(Parameter.Device, out verdict))
            using (Device.Use(Parameter.Device)) verdicts[Parameter.Device] = verdict = Tensor.Scalar(0);
        return new LookingAhead(this);
    }

    internal readonly struct LookingAhead(UpdateTarget target) : IDisposable
    {
        public void Dispose() => target.verdict = null;
    }

    /// <summary>The same with parameters of its own.</summary>
    internal UpdateTarget Copy()
    {
        static Parameter? Copy(Parameter? original) => original is null ? null : new Parameter(original.Name, original.Value);
        return new UpdateTarget(Copy(Parameter)!, Copy(First), Copy(Second)) { Gradient = Gradient, Updates = Updates };
    }

    /// <summary>Says which number is not finite; null if all are.</summary>
    internal string? Describe()
    {
        foreach (var changed in (Parameter?[])[First, Second, Parameter])
            if (changed?.Value.ToDoubles() is { } numbers && Array.FindIndex(numbers, number => !double.IsFinite(number)) is var i and >= 0)
                return $"{changed.Name} {changed.Shape} would become {numbers[i]} at element {i}";
        return null;
    }
}
