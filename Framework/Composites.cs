namespace Tapegrad;

/// <summary>
/// How gradients pass back through an operation by its composite: the same value by simpler recorded operations.
/// </summary>
internal static class Composites
{
    /// <summary>
    /// Writes an operation that the device has no kernel for: it is computed by its composite, and stands on the tape
    /// as one record, as on any other device.
    /// </summary>
    public static Tensor Record(string name, Tensor[] inputs, Func<Tensor[], Tensor> composite)
    {
        Tensor value;
        using (Tape.Current?.Pause()) value = Scope.OnlyResult(() => composite(inputs));
        return Tape.RecordKernel(name, value, inputs, composite, Pull(composite, inputs));
    }

    /// <summary>
    /// The pull of an operation that the device has no kernel for: the composite is computed once more, on a tape of
    /// its own, which is read back.
    /// </summary>
    private static PullAll Pull(Func<Tensor[], Tensor> composite, Tensor[] inputs) => (_, gradient, wanted) =>
    {
        var (home, sweeping) = (Scope.Innermost, Tape.Current!);
        using var tape = sweeping.OpenInside();
        var (own, variables) = (new Tensor[inputs.Length], new List<Tensor>());
        for (var i = 0; i < inputs.Length; i++)
        {
            own[i] = wanted[i] ? tape.Watch(inputs[i]) : inputs[i].StopGradient();
            if (wanted[i]) variables.Add(own[i]);
        }
        var value = composite(own);
        var result = new Tensor?[inputs.Length];
        if (!tape.Recorded(value)) return result;   // it ignores them
        var gradients = tape.Gradients(value, [.. variables], gradient);
        foreach (var part in gradients) tape.HandOver(part, home);
        for (int i = 0, next = 0; i < inputs.Length; i++)
            if (tape.Recorded(own[i])) result[i] = gradients[next++];
        return result;
    };

    /// <summary>
    /// The gradients of the inputs in a sweep that is recorded itself: the composite is differentiated on the same
    /// tape.
    /// </summary>
    public static Tensor?[] Replay(Tape tape, Func<Tensor[], Tensor> composite, Tensor[] inputs, Tensor gradient,
        bool[] needed)
    {
        var first = tape.Count;
        var last = tape.RecordOf(composite(inputs));
        using var pending = new PooledList<Tensor?>(tape.Count);
        if (last >= 0) pending[last] = gradient;
        using var lifetime = new ReferenceCounts(tape, [], isRecorded: true, releases: false);
        tape.Sweep(pending, last, first, needed, createGraph: true, lifetime);
        var seen = new HashSet<int>();
        return Array.ConvertAll(inputs, x => tape.RecordOf(x) is var record and >= 0 && seen.Add(record)
            ? pending[record] : null);
    }
}
