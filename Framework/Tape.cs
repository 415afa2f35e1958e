using System.Text;

namespace Tapegrad;

/// <summary>
/// How a gradient passes back through an operation to one of its inputs: (value, gradient of the value) -> gradient of the input.
/// </summary>
public delegate Tensor Pull(Tensor value, Tensor gradient);

/// <summary>Like <see cref="Pull"/>, for all inputs at once, where they share work. What is not wanted may be null.</summary>
public delegate Tensor?[] PullAll(Tensor value, Tensor gradient, ReadOnlySpan<bool> wanted);

/// <summary>
/// The list of what was computed. Each operation writes down its value, its inputs, and how a gradient passes back through it;
/// reading the list from its end gives the gradient of everything that came before (reverse-mode automatic differentiation;
/// Linnainmaa, 1970).
/// </summary>
/// <remarks>
/// Only results of variables are written down: trainable parameters, tensors given to <see cref="Watch"/>, and what was computed
/// from them. A tape is a <see cref="Scope"/>: what it recorded is freed when it is disposed. One tape at a time is open on a
/// thread, and no other thread may use it.
/// </remarks>
public sealed partial class Tape : Scope
{
    [ThreadStatic] private static Tape? current;

    private List<Entry> entries = Spare<List<Entry>>.Take();
    private Dictionary<Parameter, int> parameters = Spare<Dictionary<Parameter, int>>.Take();
    private readonly List<Proposal> proposals = [];
    private readonly RandomSource random;
    private readonly bool stopAtNonFinite;
    private int paused;
    private int draws;

    private readonly record struct Entry(string Name, Tensor Value, Tensor[] Inputs, LayerContext? Layer)
    {
        public Pull[]? Pulls { get; init; }
        public PullAll? PullAll { get; init; }
        public Func<Tensor[], Tensor>? Composite { get; init; }
        public Parameter? Parameter { get; init; }
    }

    private Tape(bool training, RandomSource random, bool stopAtNonFinite)
    {
        IsTraining = training;
        this.random = random;
        this.stopAtNonFinite = stopAtNonFinite;
        if (Current is { } other)
        {
            base.Dispose();
            throw new InvalidOperationException($"a tape is already open on this thread (with {other.entries.Count} records). "
                + "Dispose it first: 'using var tape = Tape.Training(...)' does so at the end of the block.");
        }
        current = this;
    }

    // ---- opening and closing --------------------------------------------------------------------------------------------------

    /// <summary>Opens a tape under which layers behave as in training: batch statistics, dropout.</summary>
    /// <param name="random">The step's random numbers.</param>
    /// <param name="stopAtNonFinite">Throw at the first value or gradient that is infinite or NaN, naming operation, layer and
    /// parameter. Costs a pass over every value.</param>
    public static Tape Training(RandomSource random, bool stopAtNonFinite = false) => new(true, random, stopAtNonFinite);

    /// <summary>Opens a tape that records while layers behave as in evaluation.</summary>
    /// <param name="stopAtNonFinite">See <see cref="Training"/>.</param>
    public static Tape Evaluating(bool stopAtNonFinite = false) => new(false, default, stopAtNonFinite);

    /// <summary>
    /// The tape that is open on this thread; null if there is none: then nothing is recorded and layers evaluate.
    /// </summary>
    // another thread may have disposed it, after an await
    public static Tape? Current => current is { IsDisposed: false } ? current : null;

    /// <summary>True when layers should behave as in training.</summary>
    public bool IsTraining { get; }

    /// <summary>How many records there are.</summary>
    public int Count => entries.Count;

    /// <summary>
    /// Called when an operation has been recorded, and again when a sweep has passed back through its record: for looking, for
    /// instance at the clock. Null unless set.
    /// </summary>
    public Action<TapeEvent>? Observer { get; set; }

    /// <inheritdoc/>
    public override void Dispose()
    {
        if (IsDisposed) return;
        if (current == this) current = null;
        base.Dispose();
        // a tensor that somebody holds still knows its tape, and must not keep all of it alive
        foreach (var entry in entries) entry.Value.CanBeComputedBy(null);
        entries.Clear();
        parameters.Clear();
        proposals.Clear();
        Spare<List<Entry>>.Keep(entries);
        Spare<Dictionary<Parameter, int>>.Keep(parameters);
        (entries, parameters) = ([], []);
    }

    /// <summary>Records nothing until the result is disposed. What is computed meanwhile is a constant for this tape.</summary>
    public IDisposable Pause()
    {
        paused++;
        return new Resume(this);
    }

    private sealed class Resume(Tape tape) : IDisposable
    {
        private bool done;

        public void Dispose()
        {
            if (!done) tape.paused--;
            done = true;
        }
    }

    /// <summary>
    /// A random source for one operation of this step; each call gives another one, the same ones in every equal step.
    /// </summary>
    public RandomSource NextRandom() => random.Split(draws++);

    /// <summary>
    /// Notes what a layer learned about its inputs without gradients; the optimizer's step will commit it, or not.
    /// </summary>
    public void Propose(IStatistics owner, Moments moments)
    {
        AdoptFromInside(moments.Mean);
        AdoptFromInside(moments.Variance);
        if (IsVariable(moments.Mean) || IsVariable(moments.Variance))
            moments = new(moments.Count, moments.Mean.StopGradient(), moments.Variance.StopGradient());
        proposals.Add(new Proposal(owner, moments));
    }

    // ---- recording ------------------------------------------------------------------------------------------------------------

    /// <summary>Makes a tensor a variable of this tape: gradients with respect to it can be asked for.</summary>
    /// <returns>The same numbers, as the tensor to compute with and to ask for.</returns>
    public Tensor Watch(Tensor x)
    {
        CheckOpen();
        return Append(new Entry("watch", x.View(x.Shape), [], LayerContext.Current));
    }

    /// <summary>
    /// Writes an operation on the open tape, if one of its inputs is a variable; one pull per input, called only when its
    /// gradient is needed.
    /// </summary>
    /// <returns>The value, now known to the tape; without a tape or a variable, the value as it is.</returns>
    public static Tensor Record(string name, Tensor value, params ReadOnlySpan<(Tensor Input, Pull Pull)> inputs)
    {
        if (Recording is not { } tape) return value;
        var (tensors, pulls) = (new Tensor[inputs.Length], new Pull[inputs.Length]);
        for (var i = 0; i < inputs.Length; i++) (tensors[i], pulls[i]) = inputs[i];
        return tape.Append(name, value, tensors, pulls, null, null);
    }

    /// <summary>Writes an operation whose gradients share work: one pull for all inputs.</summary>
    public static Tensor Record(string name, Tensor value, Tensor[] inputs, PullAll pull) =>
        Recording is { } tape ? tape.Append(name, value, inputs, null, pull, null) : value;

    /// <summary>
    /// Writes an operation that a device's kernel computed, beside the composite of recorded operations that is its meaning. A
    /// plain gradient takes the kernel's pull; when the sweep itself is recorded, the composite is replayed from the inputs, so
    /// gradients of gradients just work.
    /// </summary>
    /// <param name="name">The operation's name.</param>
    /// <param name="value">What the kernel computed.</param>
    /// <param name="inputs">What it was computed from.</param>
    /// <param name="composite">The same by recorded operations.</param>
    /// <param name="pull">The gradients of the inputs.</param>
    /// <param name="again">Computes the value once more, to the bit, from what the tape keeps anyway; cheap. When given, the
    /// value's memory is used for something else after its first use, and whoever reads it later gets it computed again: a network
    /// of convolutions then keeps one value for each of its normalizations less.</param>
    public static Tensor RecordKernel(string name, Tensor value, Tensor[] inputs, Func<Tensor[], Tensor> composite,
        PullAll pull, Func<Tensor>? again = null)
    {
        if (Recording is not { } tape) return value;
        value = tape.Append(name, value, inputs, null, pull, composite);
        if (value.Tape == tape) value.CanBeComputedBy(again);
        return value;
    }

    private static Tape? Recording => Current is { paused: 0 } tape ? tape : null;

    private bool IsVariable(Tensor x) => x.Tape == this || x.Parameter is { IsTrainable: true };

    private Tensor Append(string name, Tensor value, Tensor[] inputs, Pull[]? pulls, PullAll? pullAll,
        Func<Tensor[], Tensor>? composite)
    {
        var any = false;
        foreach (var input in inputs)
        {
            if (!IsVariable(input)) continue;
            any = true;
            if (input.Parameter is { } parameter) RecordOf(parameter);
        }
        if (!any) return value;
        // constants too: the pulls will need them, maybe after an inner scope has ended
        foreach (var input in inputs) AdoptFromInside(input);
        // a record of its own for a value that has one
        if (value.Record >= 0 || value.Parameter is not null) value = value.View(value.Shape);
        foreach (var input in inputs)
            if (Owns(input)) input.Forget();   // this was its first use
        return Append(new Entry(name, value, inputs, LayerContext.Current)
        {
            Pulls = pulls,
            PullAll = pullAll,
            Composite = composite,
        });
    }

    private Tensor Append(Entry entry)
    {
        if (stopAtNonFinite) CheckFinite(entry, entry.Value, "value");
        entry.Value.Tape = this;
        entry.Value.Record = entries.Count;
        AdoptFromInside(entry.Value);
        entries.Add(entry);
        Notify(entry, backward: false);
        return entry.Value;
    }

    private void Notify(Entry entry, bool backward) =>
        Observer?.Invoke(new TapeEvent(entry.Name, entry.Layer, entry.Value, entry.Inputs, backward));

    private int RecordOf(Parameter parameter)
    {
        if (parameters.TryGetValue(parameter, out var record)) return record;
        var entry = new Entry("parameter", parameter.Value, [], LayerContext.Current) { Parameter = parameter };
        if (stopAtNonFinite) CheckFinite(entry, entry.Value, "value", parameter);
        entries.Add(entry);
        return parameters[parameter] = entries.Count - 1;
    }

    // The record of an input; -1 for a constant.
    private int RecordOf(Tensor x) => x.Tape == this ? x.Record
        : x.Parameter is { IsTrainable: true } parameter && parameters.TryGetValue(parameter, out var record) ? record : -1;

    // ---- errors ---------------------------------------------------------------------------------------------------------------

    private void CheckOpen()
    {
        if (Current != this)
            throw new InvalidOperationException(IsDisposed ? "this tape has been disposed."
                : "this tape belongs to another thread: a tape is used on the thread that opened it (after an await, the rest "
                    + "may run on another one).");
    }

    private static InvalidOperationException NotRecorded(Tensor x) => new(
        $"this tape did not record the tensor {x.Shape}, so it knows no gradient of it. Usual reasons: it was made before the "
        + "tape was opened (give it to tape.Watch and compute with the result), it was computed on another thread, or after an "
        + "await; or no variable went into it.");

    private static void CheckFinite(Entry entry, Tensor x, string what, Parameter? parameter = null)
    {
        var index = x.Device.FirstNonFinite(x.Buffer);
        if (index < 0) return;
        parameter ??= entry.Inputs.Select(input => input.Parameter).FirstOrDefault(p => p is not null);
        throw new NonFiniteException($"the {what} of '{entry.Name}' {x.Shape} is {x.ToDoubles()[index]} at element {index}"
            + (entry.Layer is { } layer ? $", in layer {layer}" : "") + (parameter is null ? "" : $", parameter {parameter.Name}")
            + ".");
    }

    // ---- printing -------------------------------------------------------------------------------------------------------------

    /// <summary>The records as a table: number, operation, layer, shape, and the records that a gradient goes to.</summary>
    public string Print()
    {
        var rows = new List<string[]> { (string[])["#", "operation", "layer", "shape", "gradient goes to"] };
        for (var record = 0; record < entries.Count; record++)
        {
            var entry = entries[record];
            var sources = entry.Inputs.Select(RecordOf).Where(r => r >= 0).Select(r => $"#{r}");
            var target = entry.Parameter is { } parameter ? $"(parameter {parameter.Name})"
                : entry.Inputs.Length == 0 ? "(watched)" : string.Join(", ", sources);
            rows.Add([$"{record}", entry.Name, entry.Layer?.ToString() ?? "", $"{entry.Value.Shape}", target]);
        }
        var widths = Enumerable.Range(0, 5).Select(column => rows.Max(row => row[column].Length)).ToArray();
        var text = new StringBuilder();
        foreach (var row in rows)
            text.AppendLine(string.Join("  ", row.Select((cell, column) => cell.PadRight(widths[column]))).TrimEnd());
        return text.ToString();
    }
}

/// <summary>A value or a gradient that is infinite or not a number.</summary>
public sealed class NonFiniteException(string message) : ArithmeticException(message);
