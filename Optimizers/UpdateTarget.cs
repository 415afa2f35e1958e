using Tapegrad.Devices;

namespace Tapegrad.Optimizers;

/// <summary>A parameter, its gradient, and what is remembered of it between steps: an optimizer's formula is applied to it, once.</summary>
public sealed class UpdateTarget
{
    private readonly Parameter? first, second;
    private bool isLookingAhead;

    internal UpdateTarget(Parameter parameter, Tensor gradient, Parameter? first, Parameter? second) =>
        (Parameter, Gradient, this.first, this.second) = (parameter, gradient, first, second);

    /// <summary>The parameter.</summary>
    public Parameter Parameter { get; }

    /// <summary>Its gradient.</summary>
    public Tensor Gradient { get; }

    /// <summary>Updates the parameter and up to two states in place, element by element.</summary>
    public void Apply<TUpdate>(TUpdate update) where TUpdate : struct, IUpdate
    {
        if (isLookingAhead) Verdict = Parameter.CheckUpdate(update, Gradient, first, second);
        else Parameter.Update(update, Gradient, first, second);
    }

    // 0 if the update would leave finite numbers everywhere, else NaN; null if there was no update.
    internal Tensor? Verdict { get; private set; }

    // Looks ahead at an update, and changes nothing.
    internal Tensor? Check(Action<UpdateTarget> update)
    {
        isLookingAhead = true;
        update(this);
        isLookingAhead = false;
        return Verdict;
    }

    // Updates copies, and says which number does not stay finite; null if all do.
    internal string? Describe(Action<UpdateTarget> update)
    {
        static Parameter? Copy(Parameter? original) => original is null ? null : new Parameter(original.Name, original.Value);
        var copies = new UpdateTarget(Copy(Parameter)!, Gradient, Copy(first), Copy(second));
        update(copies);
        foreach (var copy in (Parameter?[])[copies.first, copies.second, copies.Parameter])
            if (copy?.Value.ToDoubles() is { } numbers && Array.FindIndex(numbers, number => !double.IsFinite(number)) is var i and >= 0)
                return $"{copy.Name} {copy.Shape} would become {numbers[i]} at element {i}";
        return null;
    }
}
