namespace Tapegrad;

/// <summary>
/// Computing a value again instead of keeping it (Chen, Xu, Zhang and Guestrin, "Training deep nets with sublinear
/// memory cost", 2016). A value whose tape can do so, to the bit and cheaply (a normalization's, from its inputs and
/// its statistics), gives its memory back after its first use, which in a network of convolutions is the next one, or
/// after its second, where a shortcut reads it too. Whoever reads it later gets it computed again: the sweep, for as long as
/// it needs it, or the innermost scope. What is read more often than that on the way forward gives its memory back once
/// more, and then stays.
/// </summary>
/// <param name="tape">A tape belongs to its thread, so no other one can compute its values.</param>
/// <param name="formula">From what the tape keeps anyway to the same bits.</param>
/// <param name="uses">After how many uses.</param>
internal sealed class Recomputation(Tape tape, Func<Tensor> formula, int uses)
{
    private int used;

    /// <summary>Whether this thread can compute it now.</summary>
    public bool IsPossible
    {
        get
        {
            for (var open = Tape.Current; open is not null; open = open.Outer)
                if (open == tape) return true;
            return false;
        }
    }

    /// <summary>Whether nobody can compute it any more.</summary>
    public bool IsOver => tape.IsDisposed;

    /// <summary>Whether it is this tape that computes it.</summary>
    public bool IsBy(Tape other) => tape == other;

    /// <summary>Counts a use; whether the memory goes after it.</summary>
    public bool TakeUse() => ++used - uses is 0 or 1;

    /// <summary>The same numbers, in a storage of the innermost scope.</summary>
    public Storage Compute()
    {
        using var _ = Tape.Recording?.Pause();   // a tape inside would record what is made of parameters
        return formula().Storage;
    }
}
