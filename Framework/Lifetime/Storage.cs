using Tapegrad.Devices;
using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad;

/// <summary>
/// One allocation: the buffer that holds the numbers of a value, and everything that decides how long. All tensors that
/// show the same numbers, under whatever shape, share one storage, so what happens to it happens to all of them.
/// <code>
/// here        the buffer is there
/// discarded   it is not, but the value can be computed again (see Recomputation), and is when somebody reads it
/// gone        it is not and never will be: its scope has ended, a sweep has released it, or the parameter was updated
/// </code>
/// </summary>
/// <remarks>
/// A buffer goes back to its pool once, and what takes it there gets a storage of its own. So numbers of somebody else
/// are never read by mistake.
/// </remarks>
internal sealed class Storage
{
    private Buffer? buffer;
    private Recomputation? recomputation;
    private bool isShared;

    /// <summary>Numbers in a buffer.</summary>
    /// <param name="device">The buffer's.</param>
    /// <param name="buffer">Of nobody else.</param>
    /// <param name="parameter">The parameter whose value it is; null for anything else.</param>
    public Storage(Device device, Buffer buffer, Parameter? parameter = null) =>
        (Device, this.buffer, Parameter) = (device, buffer, parameter);

    /// <summary>Where the numbers are.</summary>
    public Device Device { get; }

    /// <summary>The parameter whose value this is or was; no scope ever owns it.</summary>
    public Parameter? Parameter { get; }

    /// <summary>The number of the scope that will give the buffer back; 0 when the collector does.</summary>
    public long Owner { get; set; }

    /// <summary>
    /// How many values and waiting gradients of a sweep still need it: see <see cref="ReferenceCounts"/>.
    /// </summary>
    public int References { get; set; }

    /// <summary>Whether the numbers are here, and need not be computed again.</summary>
    public bool IsHere => buffer is not null;

    /// <summary>Whether this thread cannot have the numbers any more.</summary>
    public bool IsGone => buffer is null && recomputation is not { IsPossible: true };

    /// <summary>Whether the numbers are not here, and only the thread of their tape can compute them again.</summary>
    public bool IsOfAnotherThread => buffer is null && recomputation is { IsPossible: false, IsOver: false };

    /// <summary>
    /// The buffer, with the numbers computed again for the innermost scope if they were discarded; null when they are
    /// gone.
    /// </summary>
    public Buffer? Find()
    {
        if (buffer is not null || recomputation is not { IsPossible: true }) return buffer;
        buffer = recomputation.Compute().Take();
        Scope.Innermost!.Adopt(this);   // a tape is open, so there is one
        return buffer;
    }

    /// <summary>Says that another tensor shows the same numbers.</summary>
    public Storage Share()
    {
        isShared = true;
        return this;
    }

    /// <summary>From now on the numbers may be discarded after their first use.</summary>
    public void RecomputeBy(Recomputation how) => recomputation = how;

    /// <summary>
    /// An operation has used the numbers: if that was the first one, and nobody else shows them, they are discarded.
    /// </summary>
    public void Use()
    {
        if (recomputation is not null && !isShared && recomputation.TakeFirstUse()) GiveBack();
    }

    /// <summary>
    /// The numbers cannot be computed again, by a tape or at all, from now on; what is not here then is gone.
    /// </summary>
    public void EndRecomputation(Tape? by = null)
    {
        if (by is null || recomputation?.IsBy(by) == true) recomputation = null;
    }

    /// <summary>Gives the buffer back to its pool.</summary>
    public void GiveBack()
    {
        if (buffer is not null) Device.Pool.Return(Take());
    }

    /// <summary>
    /// Takes the numbers to a storage of their own: whoever shows them here refuses to be read from now on.
    /// </summary>
    public Storage Move() => new(Device, Take(), Parameter);

    private Buffer Take()
    {
        var taken = buffer!;
        (buffer, Owner, References) = (null, 0, 0);
        return taken;
    }
}
