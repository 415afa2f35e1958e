using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad;

// How a tape is read from its end: the gradients of one value with respect to those that were asked for.
public sealed partial class Tape
{
    private Dictionary<int, Tensor> Find(Tensor y, Tensor seed, HashSet<int> wanted, bool createGraph, bool release)
    {
        CheckOpen();
        if (createGraph && paused > 0)
            throw new InvalidOperationException("the tape is paused, so it cannot record the sweep that createGraph asks for.");
        var start = RecordOf(y);
        if (start < 0) throw NotRecorded(y);
        using var _ = createGraph ? null : Pause();
        var layer = LayerContext.Current;
        try
        {
            return new Sweep(this, FindNeeded(start, wanted), createGraph).Run(start, seed, wanted, release);
        }
        finally
        {
            LayerContext.Current = layer;
        }
    }

    // Which records lead to something that was asked for. Inputs stand earlier on the tape, so one pass forward finds them.
    private bool[] FindNeeded(int start, HashSet<int> wanted)
    {
        var needed = new bool[start + 1];
        for (var record = 0; record <= start; record++)
        {
            needed[record] = wanted.Contains(record);
            foreach (var input in entries[record].Inputs)
                if (RecordOf(input) is var source and >= 0) needed[record] |= needed[source];
        }
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
        private readonly Dictionary<int, Tensor> pending = [];
        private readonly Dictionary<Buffer, int> holds = [];

        /// <summary>The gradients of the wanted records, as far as the first one leads back to them.</summary>
        public Dictionary<int, Tensor> Run(int start, Tensor seed, HashSet<int> wanted, bool release)
        {
            pending[start] = seed;
            if (release) HoldValues(start);
            for (var record = start; record >= 0; record--)
            {
                // Every later use of this value stands later on the tape, so its gradient is complete when the sweep comes here.
                var entry = tape.entries[record];
                if (pending.TryGetValue(record, out var gradient))
                {
                    Spread(entry, gradient);
                    if (!wanted.Contains(record) && pending.Remove(record)) LetGo(gradient);
                }
                if (release && record < start) LetGo(entry.Value);
                tape.Notify(entry, backward: true);
            }
            foreach (var gradient in pending.Values) tape.AdoptFromInside(gradient);
            return pending;
        }

        // What the caller reads later keeps its hold: y, and the statistics that an optimizer's step will commit.
        private void HoldValues(int start)
        {
            foreach (var entry in tape.entries.Take(start + 1)) Hold(entry.Value);
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
            var records = Array.ConvertAll(inputs, tape.RecordOf);
            var isWanted = Array.ConvertAll(records, record => record >= 0 && (record >= needed.Length || needed[record]));
            if (!isWanted.Contains(true)) return;
            LayerContext.Current = entry.Layer;   // for errors, and for what is recorded now
            using var made = createGraph ? null : new Scope();   // what a pull makes on its way is free again at once
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
                Add(records[i], part, made);
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

        private void Add(int record, Tensor gradient, Scope? made)
        {
            if (pending.TryGetValue(record, out var before))
            {
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

        private void Hold(Tensor tensor)
        {
            if (tape.Owns(tensor)) holds[tensor.Memory] = holds.GetValueOrDefault(tensor.Memory) + 1;
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
            var inner = new Sweep(tape, needed, createGraph);
            inner.pending[last] = gradient;
            for (var record = last; record >= first; record--)
                if (inner.pending.TryGetValue(record, out var g)) inner.Spread(tape.entries[record], g);
            var seen = new HashSet<int>();
            return Array.ConvertAll(inputs, x =>
                tape.RecordOf(x) is var r and >= 0 && seen.Add(r) ? inner.pending.GetValueOrDefault(r) : null);
        }
    }
}
