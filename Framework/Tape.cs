namespace Tapegrad;

/// <summary>
/// The list of what was computed. Each operation writes down its value, its inputs, and how a gradient passes back
/// through it; reading the list from its end gives the gradient of everything that came before (reverse-mode automatic
/// differentiation; Linnainmaa, 1970).
/// </summary>
/// <remarks>
/// Only results of variables are written down: trainable parameters, tensors given to <see cref="Watch"/>, and what was
/// computed from them. A tape is a <see cref="Scope"/>: what it recorded is freed when it is disposed. One tape at a
/// time is open on a thread, and no other thread may use it.
/// </remarks>
public sealed class Tape : Scope
{
    [ThreadStatic] private static Tape? current;
    [ThreadStatic] private static Dictionary<Parameter, int>? spare;   // a step has as many as the one before

    private readonly PooledList<TapeEntry> entries = new();
    private readonly PooledList<Proposal> proposals = new();
    private readonly Dictionary<Parameter, int> parameters = Interlocked.Exchange(ref spare, null) ?? [];
    private readonly RandomSource random;
    private readonly bool stopAtNonFinite;
    private int draws;

    private Tape(bool training, RandomSource random, bool stopAtNonFinite, Tape? inside = null)
    {
        (IsTraining, this.random, this.stopAtNonFinite, Outer) = (training, random, stopAtNonFinite, inside);
        if (Current is { } other && other != inside)
        {
            base.Dispose();
            throw TapeErrors.AlreadyOpen(other);
        }
        current = this;
    }

    // ---- opening and closing ----------------------------------------------------------------------------------------

    /// <summary>Opens a tape under which layers behave as in training: batch statistics, dropout.</summary>
    /// <param name="random">The step's random numbers.</param>
    /// <param name="stopAtNonFinite">Throw at the first value or gradient that is not finite; a pass over each.</param>
    public static Tape Training(RandomSource random, bool stopAtNonFinite = false) =>
        new(true, random, stopAtNonFinite);

    /// <summary>Opens a tape that records while layers behave as in evaluation.</summary>
    /// <param name="stopAtNonFinite">See <see cref="Training"/>.</param>
    public static Tape Evaluating(bool stopAtNonFinite = false) => new(false, default, stopAtNonFinite);

    /// <summary>The open tape of this thread; without one, null, nothing is recorded and layers evaluate.</summary>
    public static Tape? Current => current is { IsDisposed: false } ? current : null;   // an await may have disposed it

    /// <summary>True when layers should behave as in training.</summary>
    public bool IsTraining { get; }

    /// <summary>How many records there are.</summary>
    public int Count => entries.Count;

    /// <summary>Told of each operation that is recorded or passed by a sweep: for looking.</summary>
    public Action<TapeEvent>? Observer { get; set; }

    /// <inheritdoc/>
    public override void Dispose()
    {
        if (IsDisposed) return;
        if (current == this) current = Outer;
        base.Dispose();
        // a tensor that somebody holds must not keep what it could be computed from
        foreach (ref readonly var entry in entries.Items) entry.Value.Storage.EndRecomputation(by: this);
        entries.Dispose();
        proposals.Dispose();
        (spare = parameters).Clear();
    }

    /// <summary>Records nothing until the result is disposed; what is computed meanwhile is a constant.</summary>
    public IDisposable Pause() => new TapePause(this);

    internal int Pauses { get; set; }
    internal Tape? Outer { get; }   // inside which this one was opened

    /// <summary>A source for one operation of this step: another one each time, the same in equal steps.</summary>
    public RandomSource NextRandom() => random.Split(draws++);

    /// <summary>Notes what a layer learned without gradients; the optimizer's step will commit it, or not.</summary>
    public void Propose(IStatistics owner, IPendingStatistics pending)
    {
        var (proposal, depends) = (new Proposal(owner, pending), false);
        for (var i = 0; i < pending.Tensors.Count; i++)
        {
            AdoptFromInside(pending.Tensors[i]);
            depends |= IsVariable(pending.Tensors[i]);
        }
        proposals.Add(depends ? proposal.Map(tensor => tensor.StopGradient()) : proposal);
    }

    /// <summary>What was proposed until now, one for each layer.</summary>
    public IReadOnlyDictionary<IStatistics, IPendingStatistics> PendingStatistics => Proposal.Pool(Proposals);
    internal ReadOnlySpan<Proposal> Proposals => proposals.Items;

    // ---- recording --------------------------------------------------------------------------------------------------

    /// <summary>The same numbers as a variable of this tape: to compute with, and to ask for gradients of.</summary>
    public Tensor Watch(Tensor x)
    {
        TapeErrors.CheckOpen(this);
        return Write(new TapeEntry("watch", x.View(x.Shape), [], LayerContext.Current));
    }

    /// <summary>Writes an operation on the open tape, if an input is a variable; one pull for each input.</summary>
    /// <returns>The value, now known to the tape; without a tape or a variable, the value as it is.</returns>
    public static Tensor Record(string name, Tensor value, params ReadOnlySpan<(Tensor Input, Pull Pull)> inputs)
    {
        if (Recording is not { } tape) return value;
        var (tensors, pulls) = (new Tensor[inputs.Length], new Pull[inputs.Length]);
        for (var i = 0; i < inputs.Length; i++) (tensors[i], pulls[i]) = inputs[i];
        return tape.Append(new TapeEntry(name, value, tensors, LayerContext.Current) { Pulls = pulls });
    }

    /// <summary>Writes an operation whose gradients share work: one pull for all inputs.</summary>
    public static Tensor Record(string name, Tensor value, Tensor[] inputs, PullAll pull) =>
        Recording?.Append(new(name, value, inputs, LayerContext.Current) { PullAll = pull }) ?? value;

    /// <summary>
    /// Writes an operation that a device's kernel computed, beside the composite of operations that is its meaning. A
    /// plain gradient takes the kernel's pull; in a sweep that is recorded the composite is replayed from the inputs:
    /// gradients of gradients just work. With <paramref name="again"/>, which computes the same bits from what the tape
    /// keeps anyway, the value's memory may serve others after its first uses (<c>Lifetime/Recomputation.cs</c>).
    /// </summary>
    public static Tensor RecordKernel(string name, Tensor value, Tensor[] inputs, Func<Tensor[], Tensor> composite,
        PullAll pull, Func<Tensor>? again = null, int uses = 1)
    {
        if (Recording is not { } tape) return value;
        value = tape.Append(new(name, value, inputs, LayerContext.Current) { PullAll = pull, Composite = composite });
        if (again is not null && tape.Recorded(value) && tape.Owns(value)) value.Storage.RecomputeBy(tape, again, uses);
        return value;
    }

    /// <summary>A tape that is the open one until it is disposed, then this one again.</summary>
    internal Tape OpenInside() => new(IsTraining, random, stopAtNonFinite: false, inside: this);

    /// <summary>The tape that an operation on a variable would be written on now.</summary>
    internal static Tape? Recording => Current is { Pauses: 0 } tape ? tape : null;
    private bool IsVariable(Tensor x) => Recorded(x) || x.Parameter is { IsTrainable: true };

    // Writes an operation, unless nothing that went into it is a variable.
    private Tensor Append(TapeEntry entry)
    {
        var (value, any) = (entry.Value, false);
        foreach (var input in entry.Inputs)
        {
            if (!IsVariable(input)) continue;
            any = true;
            if (input.Parameter is { } parameter) RecordOf(parameter);
        }
        if (!any) return value;
        foreach (var input in entry.Inputs) AdoptFromInside(input);   // constants too: the pulls will need them
        // a record of its own for a value that has one
        if (value.Record >= 0 || value.Parameter is not null) entry = entry with { Value = value.View(value.Shape) };
        foreach (var input in entry.Inputs)
            if (Owns(input)) input.Storage.Use();
        return Write(entry);
    }

    private Tensor Write(TapeEntry entry)
    {
        if (stopAtNonFinite) entry.CheckValue();
        entry.Value.Record = entries.Count;
        AdoptFromInside(entry.Value);
        entries.Add(entry);
        Observer?.Invoke(entry.Event(backward: false));
        return entry.Value;
    }

    private int RecordOf(Parameter parameter)
    {
        if (parameters.TryGetValue(parameter, out var record)) return record;
        var entry = new TapeEntry("parameter", parameter.Value, [], LayerContext.Current) { Parameter = parameter };
        if (stopAtNonFinite) entry.CheckValue();
        entries.Add(entry);
        return parameters[parameter] = entries.Count - 1;
    }

    /// <summary>The record of a variable; -1 of a constant.</summary>
    internal int RecordOf(Tensor x) => Recorded(x) ? x.Record
        : x.Parameter is { IsTrainable: true } own && parameters.TryGetValue(own, out var record) ? record : -1;
    internal Tensor Value(int record) => entries[record].Value;
    /// <summary>Whether it is the value of a record of this tape: a number alone may be another tape's.</summary>
    internal bool Recorded(Tensor x) => (uint)x.Record < (uint)entries.Count && entries[x.Record].Value == x;

    // ---- gradients --------------------------------------------------------------------------------------------------

    /// <summary>The gradient of a loss with respect to every trainable parameter it was computed from.</summary>
    /// <param name="loss">A tensor of one element.</param>
    /// <param name="release">Free each recorded value once the sweep has passed it; reading it then throws.</param>
    public Gradients Gradients(Tensor loss, bool release = false)
    {
        if (loss.Count != 1) throw TapeErrors.NoScalar(loss);
        using var found = Find(loss, loss.Constant(loss.Shape, 1), parameters.Values, createGraph: false, release);
        var result = new Dictionary<Parameter, Tensor>(parameters.Count);
        foreach (var (parameter, record) in parameters)
            if (found[record] is { } gradient) result[parameter] = gradient;
        return new Gradients(result, Proposals.ToArray());
    }

    /// <summary>The gradients of y: sum over y of seed * dy/dx, of x's shape; 0 if y does not depend on x.</summary>
    /// <param name="y">A value that this tape recorded.</param>
    /// <param name="wrt">Each x: parameters' values, watched tensors, or anything that was computed from them.</param>
    /// <param name="seed">A covector of y's shape; ones when not given.</param>
    /// <param name="createGraph">Record the sweep too, so that the results can be differentiated again.</param>
    /// <exception cref="InvalidOperationException">This tape did not record y or one of the x.</exception>
    public Tensor[] Gradients(Tensor y, Tensor[] wrt, Tensor? seed = null, bool createGraph = false)
    {
        seed ??= y.Constant(y.Shape, 1);
        if (seed.Shape != y.Shape) throw TapeErrors.WrongSeed(seed, y);
        var records = Array.ConvertAll(wrt, x => RecordOf(x) is >= 0 and var i ? i : throw TapeErrors.NotRecorded(x));
        using var found = Find(y, seed, records, createGraph, release: false);
        return [.. wrt.Zip(records, (x, record) => found[record] ?? x.Constant(x.Shape, 0))];
    }

    // The gradient that arrived at each record up to y's, as far as it was asked for.
    private PooledList<Tensor?> Find(Tensor y, Tensor seed, IEnumerable<int> records, bool createGraph, bool release)
    {
        TapeErrors.CheckOpen(this);
        if (createGraph && Pauses > 0) throw TapeErrors.Paused();
        if (RecordOf(y) is not (>= 0 and var start)) throw TapeErrors.NotRecorded(y);
        var wanted = new bool[start + 1];
        foreach (var record in records)
            if (record <= start) wanted[record] = true;   // y does not depend on what came later
        var pending = new PooledList<Tensor?>(Count);   // the gradient that waits at each record
        pending[start] = seed;
        using var layer = LayerContext.Enter("");   // disposing it comes back to the current one
        using var pause = createGraph ? null : Pause();
        using var lifetime = new ReferenceCounts(this, wanted, createGraph, release);
        Sweep(pending, start, end: 0, FindNeeded(wanted), createGraph, lifetime);
        for (var record = 0; record <= start; record++)
            if (!wanted[record]) pending[record] = null;
            else if (pending[record] is { } gradient) AdoptFromInside(gradient);
        return pending;
    }

    // Which records lead to something that was asked for. Inputs stand earlier on the tape, so one pass finds them.
    private bool[] FindNeeded(bool[] wanted)
    {
        var needed = (bool[])wanted.Clone();
        for (var record = 0; record < needed.Length; record++)
            foreach (var input in entries[record].Inputs)
                if (RecordOf(input) is var source and >= 0) needed[record] |= needed[source];
        return needed;
    }

    /// <summary>One pass from a record back to another one, with the gradient that waits at each.</summary>
    internal void Sweep(PooledList<Tensor?> pending, int start, int end, bool[] needed, bool createGraph,
        ReferenceCounts lifetime)
    {
        var parts = new List<(int Source, Tensor Part)>();
        for (var record = start; record >= end; record--)
        {
            // Every use of this value stands later on the tape, so its gradient is complete when the sweep comes here.
            if (pending[record] is { } gradient)
            {
                PullBack(entries[record], gradient, needed, createGraph, parts);
                foreach (var (source, part) in parts) pending[source] = lifetime.Sum(pending[source], part);
                parts.Clear();
            }
            lifetime.Passed(record, pending[record]);
            Observer?.Invoke(entries[record].Event(backward: true));
        }
    }

    // What passes back through one record: the gradients of the inputs that lead to something wanted, and where to.
    private void PullBack(TapeEntry entry, Tensor gradient, bool[] needed, bool createGraph, List<(int, Tensor)> parts)
    {
        var inputs = entry.Inputs;
        Span<bool> isWanted = inputs.Length <= 64 ? stackalloc bool[inputs.Length] : new bool[inputs.Length];
        for (var i = 0; i < inputs.Length; i++)
            isWanted[i] = RecordOf(inputs[i]) is var record and >= 0 && (record >= needed.Length || needed[record]);
        if (!isWanted.Contains(true)) return;
        LayerContext.Current = entry.Layer;   // for errors, and for what is recorded now
        var all = entry switch
        {
            { Composite: { } how } when createGraph => Composites.Replay(this, how, inputs, gradient, needed),
            { PullAll: { } pullAll } => pullAll(entry.Value, gradient, isWanted),
            _ => null,
        };
        for (var i = 0; i < inputs.Length; i++)
        {
            var part = !isWanted[i] ? null : all is null ? entry.Pulls![i](entry.Value, gradient) : all[i];
            if (part is null) continue;
            if (part.Shape != inputs[i].Shape) part = Unbroadcast(entry, i, part);
            if (stopAtNonFinite) entry.CheckGradient(i, part);
            parts.Add((RecordOf(inputs[i]), part));
        }
    }

    // A broadcast input's gradient is the sum over its repetitions. This is the only place that takes it.
    private static Tensor Unbroadcast(TapeEntry entry, int input, Tensor gradient) =>
        entry.Inputs[input].Shape is var shape && shape.BroadcastsTo(gradient.Shape) ? gradient.SumTo(shape)
            : throw TapeErrors.WrongShape(entry, input, gradient);

    /// <summary>The records as a table: number, operation, layer, shape, and where a gradient goes to.</summary>
    public string Print() => TapeEntry.Print(entries.Items, RecordOf);
}
