using Tapegrad.Memory;
using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad;

// When a tensor's numbers come and go. The buffer's stamp tells: it rises when the memory goes back to its pool, and when a parameter is updated.
//
//     here        the stamp is the one that the tensor was born with
//     forgotten   after the first use of a value that its tape can compute again (Tape.RecordKernel): the memory serves something else, and the
//                 next reader, on the tape's thread, gets the numbers computed again, for the innermost scope; once only, so that they stay then
//     gone        the scope has ended, a sweep has released them, or the parameter was updated: whoever reads gets an error that says so
//
// A view shares the memory, and Keep takes it away: after either, the numbers are not forgotten any more.
public sealed partial class Tensor
{
    private Buffer buffer;
    private long stamp;
    private Func<Tensor>? again;
    private bool wasForgotten;

    /// <summary>The numbers, unless they are gone: then an error that says why, and what to do.</summary>
    internal Buffer Buffer => buffer.Stamp == stamp ? buffer : ComputeAgain();

    /// <summary>The buffer whether or not its numbers are still this tensor's: for bookkeeping, never for reading.</summary>
    internal Buffer Memory => buffer;

    /// <summary>Whether the numbers are not here: forgotten, or gone.</summary>
    internal bool IsStale => buffer.Stamp != stamp;

    // A tape belongs to its thread, so no other one can compute its values again.
    private bool CanBeComputed => again is not null && Tape is not null && Tape == Tape.Current;

    /// <summary>The same numbers under another shape, unrecorded.</summary>
    internal Tensor View(Shape shape)
    {
        var view = new Tensor(shape, Device, Buffer);
        if (again is not null && Tape is { IsDisposed: false } tape)
        {
            tape.AdoptFromInside(this);   // it may have been computed again for an inner scope
            again = null;                 // somebody else sees the memory now
        }
        return view;
    }

    /// <summary>How the tape may compute the numbers again, to the bit, so that it can forget them meanwhile.</summary>
    internal void CanBeComputedBy(Func<Tensor>? formula) => again = formula;

    /// <summary>
    /// Gives the memory back until somebody reads the numbers: they are computed again then, for the innermost scope. Once only:
    /// what is read twice on the way forward stays from then on.
    /// </summary>
    internal void Forget()
    {
        if (again is null || wasForgotten) return;
        wasForgotten = true;
        Device.Pool.Return(buffer);
    }

    /// <summary>Has the numbers here from now on, if they were forgotten: as if somebody had looked at them through a view.</summary>
    internal void ComputeForgotten()
    {
        if (IsStale && CanBeComputed) View(Shape);
    }

    private Buffer ComputeAgain()
    {
        if (!CanBeComputed) throw Stale();
        using var _ = Tape!.Pause();
        var computed = again!();
        (buffer, stamp) = (computed.buffer, computed.stamp);
        return buffer;
    }

    /// <summary>
    /// Takes the numbers out of their scope, so that they outlive it, and returns them as a tensor that is not on any tape. The
    /// collector frees them.
    /// </summary>
    public Tensor Keep()
    {
        var kept = View(Shape);
        if (Parameter is null) buffer.Owner = 0;
        return kept;
    }

    private InvalidOperationException Stale() => new(again is not null && Tape is { IsDisposed: false }
        ? $"the memory of this value {Shape} was given back after its first use, and only the thread of its tape can compute it again: "
            + "call Keep() there."
        : buffer.LastChange == BufferChange.Updated
        ? $"{Parameter?.Name ?? $"the parameter behind this tensor {Shape}"} was updated after this value was taken (for "
            + "instance after the forward pass that still needs it). Compute again with the new value, or ask for the gradients "
            + "before the optimizer's step."
        : $"this tensor's scope has ended (shape {Shape}), or a sweep with release has freed it: call Keep() to take it out, "
            + "while the scope is open.");
}
