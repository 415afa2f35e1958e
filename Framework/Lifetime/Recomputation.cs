namespace Tapegrad;

/// <summary>
/// Computing a value again instead of keeping it (Chen, Xu, Zhang and Guestrin, "Training deep nets with sublinear
/// memory cost", 2016). A value whose tape can do so, to the bit and cheaply (a normalization's, from its input and its
/// statistics), gives its memory back after its first use, which in a network of convolutions is the next one. Whoever
/// reads it later, the sweep for instance, gets it computed again for the innermost scope. Once only: what is read
/// twice on the way forward stays from then on.
/// </summary>
/// <param name="tape">A tape belongs to its thread, so no other one can compute its values.</param>
/// <param name="formula">From what the tape keeps anyway to the same bits.</param>
internal sealed class Recomputation(Tape tape, Func<Tensor> formula)
{
    private bool wasUsed;

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

    /// <summary>Whether this is the first use.</summary>
    public bool TakeFirstUse() => !wasUsed && (wasUsed = true);

    /// <summary>The same numbers, in a storage of the innermost scope.</summary>
    public Storage Compute()
    {
        using var _ = Tape.Recording?.Pause();   // a tape inside would record what is made of parameters
        return formula().Storage;
    }
}
