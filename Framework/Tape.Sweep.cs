using Tapegrad.Devices;
using Tapegrad.Memory;
using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad;

// How a tape is read from its end: the gradients of one value with respect to those that were asked for.
public sealed partial class Tape
{
    /// <summary>The gradient of a loss with respect to every trainable parameter it was computed from.</summary>
    /// <param name="loss">A tensor of one element.</param>
    /// <param name="release">Free each recorded value as soon as the sweep has passed it; reading one later throws and names
    /// <see cref="Tensor.Keep"/>.</param>
    public Gradients Gradients(Tensor loss, bool release = false)
    {
        if (loss.Count != 1)
            throw new ShapeException($"Gradients: the loss has the shape {loss.Shape}; it must be one number. Take its mean, or "
                + "use the overload with a seed.");
        var found = Find(loss, loss.Constant(loss.Shape, 1), parameters.Values, createGraph: false, release);
        var result = new Dictionary<Parameter, Tensor>(parameters.Count);
        foreach (var (parameter, record) in parameters)
            if (record < found.Length && found[record] is { } gradient) result[parameter] = gradient;
        return new Gradients(result, proposals);
    }

    /// <summary>
    /// The gradients of y with respect to some tensors: sum over y of seed * dy/dx, of x's shape. Zero where y does not depend on
    /// x.
    /// </summary>
    /// <param name="y">A value that this tape recorded.</param>
    /// <param name="wrt">Parameters' values, watched tensors, or anything that was computed from them.</param>
    /// <param name="seed">A covector of y's shape; ones when not given.</param>
    /// <param name="createGraph">Record the sweep on this tape too, so that the results can be differentiated again.</param>
    /// <exception cref="InvalidOperationException">This tape did not record <paramref name="y"/> or one of
    /// <paramref name="wrt"/>.</exception>
    public Tensor[] Gradients(Tensor y, Tensor[] wrt, Tensor? seed = null, bool createGraph = false)
    {
        seed ??= y.Constant(y.Shape, 1);
        if (seed.Shape != y.Shape)
            throw new ShapeException($"Gradients: the seed has the shape {seed.Shape}, but y has {y.Shape}.");
        foreach (var x in wrt)
            if (RecordOf(x) < 0) throw NotRecorded(x);
        var records = Array.ConvertAll(wrt, RecordOf);
        var found = Find(y, seed, records, createGraph, release: false);
        return [.. wrt.Zip(records, (x, record) => (record < found.Length ? found[record] : null) ?? x.Constant(x.Shape, 0))];
    }

    // The gradient that arrived at each record up to y's, as far as it was asked for.
    private Tensor?[] Find(Tensor y, Tensor seed, IEnumerable<int> records, bool createGraph, bool release)
    {
        CheckOpen();
        if (createGraph && paused > 0)
            throw new InvalidOperationException("the tape is paused, so it cannot record the sweep that createGraph asks for.");
        var start = RecordOf(y);
        if (start < 0) throw NotRecorded(y);
        var wanted = new bool[start + 1];
        foreach (var record in records)
            if (record <= start) wanted[record] = true;   // y does not depend on what came later
        if (release)
            for (var later = start + 1; later < entries.Count; later++) entries[later].Value.ComputeForgotten();   // while what it needs is there
        using var _ = createGraph ? null : Pause();
        var layer = LayerContext.Current;
        try
        {
            return new Sweep(this, FindNeeded(wanted), createGraph).Run(seed, wanted, release);
        }
        finally
        {
            LayerContext.Current = layer;
        }
    }

    // Which records lead to something that was asked for. Inputs stand earlier on the tape, so one pass forward finds them.
    private bool[] FindNeeded(bool[] wanted)
    {
        var needed = (bool[])wanted.Clone();
        for (var record = 0; record < needed.Length; record++)
            foreach (var input in entries[record].Inputs)
                if (RecordOf(input) is var source and >= 0) needed[record] |= needed[source];
        return needed;
    }

    /// <summary>
    /// One reading of the tape, from a value back to the first record. A gradient waits at its record until all later uses of the
    /// value have added to it.
    /// </summary>
    /// <remarks>
    /// Values and gradients can share a buffer: a sum hands the same gradient to both inputs, a reshape has its input's numbers.
    /// So each value that may be released, and each gradient that the sweep has made, counts one hold on its buffer, and the last
    /// one to let go frees it. What is not counted was made by somebody else (a seed, a constant), and is never freed here.
    /// </remarks>
    private sealed class Sweep(Tape tape, bool[] needed, bool createGraph)
    {
        private readonly Dictionary<Buffer, int> holds = Spare<Dictionary<Buffer, int>>.Take();
        private Tensor?[] pending = [];   // the gradient that waits at each record
        private Scope? made;              // owns what a pull makes on its way

        private const int MostOnStack = 64;   // inputs

        /// <summary>The gradients of the wanted records, as far as the last one leads back to them.</summary>
        public Tensor?[] Run(Tensor seed, bool[] wanted, bool release)
        {
            var start = wanted.Length - 1;
            using var _ = made = createGraph ? null : new Scope();
            pending = new Tensor?[start + 1];
            pending[start] = seed;
            if (release) HoldValues(start);
            for (var record = start; record >= 0; record--)
            {
                // Every later use of this value stands later on the tape, so its gradient is complete when the sweep comes here.
                var entry = tape.entries[record];
                if (pending[record] is { } gradient)
                {
                    Spread(entry, gradient);
                    made?.Clear();
                    if (!wanted[record])
                    {
                        pending[record] = null;
                        LetGo(gradient);
                    }
                }
                if (release && record < start) Release(entry.Value);
                tape.Notify(entry, backward: true);
            }
            foreach (var gradient in pending)
                if (gradient is not null) tape.AdoptFromInside(gradient);
            holds.Clear();
            Spare<Dictionary<Buffer, int>>.Keep(holds);
            return pending;
        }

        // What the caller reads later keeps its hold: y, and the statistics that an optimizer's step will commit.
        private void HoldValues(int start)
        {
            for (var record = 0; record <= start; record++) Hold(tape.entries[record].Value);
            foreach (var (_, moments) in tape.proposals)
            {
                Hold(moments.Mean);
                Hold(moments.Variance);
            }
        }

        // Adds to each input's gradient what passes back through one record.
        private void Spread(Entry entry, Tensor gradient)
        {
            var inputs = entry.Inputs;
            Span<bool> isWanted = inputs.Length <= MostOnStack ? stackalloc bool[inputs.Length] : new bool[inputs.Length];
            for (var i = 0; i < inputs.Length; i++)
                isWanted[i] = tape.RecordOf(inputs[i]) is var record and >= 0 && (record >= needed.Length || needed[record]);
            if (!isWanted.Contains(true)) return;
            LayerContext.Current = entry.Layer;   // for errors, and for what is recorded now
            var all = entry switch
            {
                { Composite: { } composite } when createGraph => Replay(composite, inputs, gradient),
                { PullAll: { } pullAll } => pullAll(entry.Value, gradient, isWanted),
                _ => null,
            };
            for (var i = 0; i < inputs.Length; i++)
            {
                if (!isWanted[i]) continue;
                var part = all is null ? entry.Pulls![i](entry.Value, gradient) : all[i];
                if (part is null) continue;
                if (part.Shape != inputs[i].Shape) part = Unbroadcast(entry, i, part);
                if (tape.stopAtNonFinite) CheckFinite(entry, part, $"gradient of input {i}", inputs[i].Parameter);
                Add(tape.RecordOf(inputs[i]), part);
            }
        }

        // The gradient that a broadcast input receives is the sum over all its repetitions. This is the only place that does so.
        private static Tensor Unbroadcast(Entry entry, int input, Tensor gradient)
        {
            var shape = entry.Inputs[input].Shape;
            if (!shape.BroadcastsTo(gradient.Shape))
                throw new ShapeException($"the pull of '{entry.Name}' gave input {input} of the shape {shape} a gradient of the "
                    + $"shape {gradient.Shape}.");
            return gradient.SumTo(shape);
        }

        private void Add(int record, Tensor gradient)
        {
            if (pending[record] is { } before)
            {
                if (!createGraph && IsHeldOnce(before))   // nobody else sees it: it can take the other one in
                {
                    pending[record] = AddInPlace(before, gradient);
                    return;
                }
                gradient = before + gradient;
                LetGo(before);
            }
            pending[record] = gradient;
            if (holds.ContainsKey(gradient.Memory)) Hold(gradient);
            else if (made?.Owns(gradient) == true)
            {
                tape.Adopt(gradient);
                Hold(gradient);
            }
        }

        // Older tensors of the buffer refuse to be read from now on.
        private static Tensor AddInPlace(Tensor sum, Tensor part)
        {
            sum.Device.Update(new Increasing(), sum.Buffer, part.Buffer, null, null);
            sum.Buffer.Invalidate(BufferChange.Returned);
            return new Tensor(sum.Shape, sum.Device, sum.Memory);
        }

        private readonly struct Increasing : IUpdate
        {
            public void Apply<T>(ref T sum, T part, ref T first, ref T second) where T : struct, IReal<T> => sum += part;
        }

        private bool IsHeldOnce(Tensor tensor) => tape.Owns(tensor) && holds.GetValueOrDefault(tensor.Memory) == 1;

        private void Hold(Tensor tensor)
        {
            if (tape.Owns(tensor)) holds[tensor.Memory] = holds.GetValueOrDefault(tensor.Memory) + 1;
        }

        private void Release(Tensor value)
        {
            value.CanBeComputedBy(null);
            LetGo(value);
        }

        private void LetGo(Tensor tensor)
        {
            if (!tape.Owns(tensor) || !holds.TryGetValue(tensor.Memory, out var count)) return;
            if (count > 1)
            {
                holds[tensor.Memory] = count - 1;
                return;
            }
            holds.Remove(tensor.Memory);
            tensor.Device.Pool.Return(tensor.Memory);
        }

        // Differentiates the composite between its first and its last record, on this same tape.
        private Tensor?[] Replay(Func<Tensor[], Tensor> composite, Tensor[] inputs, Tensor gradient)
        {
            var first = tape.entries.Count;
            var last = tape.RecordOf(composite(inputs));
            var inner = new Sweep(tape, needed, createGraph) { pending = new Tensor?[tape.entries.Count] };
            if (last >= 0) inner.pending[last] = gradient;
            for (var record = last; record >= first; record--)
                if (inner.pending[record] is { } g) inner.Spread(tape.entries[record], g);
            var seen = new HashSet<int>();
            return Array.ConvertAll(inputs, x =>
                tape.RecordOf(x) is var r and >= 0 && seen.Add(r) ? inner.pending[r] : null);
        }
    }
}
