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
/// are never read by mistake. A storage that is gone serves again if only one tensor showed it, which from then on
/// shows none: nobody can reach it any more. So a training step makes hardly any new ones.
/// </remarks>
internal sealed class Storage
{
    private const int MostFree = 4096;
    [ThreadStatic] private static Stack<Storage>? free;   // of one device
    private static Storage? nothing;                      // on the device that was asked for last

    private Buffer? buffer;
    private Recomputation? recomputation;
    private Tensor? only;   // that shows the numbers, unless there are several
    private int tensors;    // that show them

    /// <summary>No numbers.</summary>
    /// <param name="device">Where they would be.</param>
    /// <param name="parameter">The parameter whose value they were; null for anything else.</param>
    public Storage(Device device, Parameter? parameter = null) => (Device, Parameter) = (device, parameter);

    /// <summary>Numbers in a buffer.</summary>
    /// <param name="device">The buffer's.</param>
    /// <param name="buffer">Of nobody else.</param>
    /// <param name="parameter">The parameter whose value it is; null for anything else.</param>
    public static Storage Of(Device device, Buffer buffer, Parameter? parameter = null)
    {
        var storage = free is { Count: > 0 } && free.Peek().Device == device ? free.Pop() : new Storage(device);
        (storage.buffer, storage.Parameter) = (buffer, parameter);
        return storage;
    }

    /// <summary>Where the numbers are.</summary>
    public Device Device { get; }

    /// <summary>The parameter whose value this is or was; no scope ever owns it.</summary>
    public Parameter? Parameter { get; private set; }

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

    /// <summary>Whether the numbers can be computed again, by somebody.</summary>
    public bool IsRecomputable => recomputation is not null;

    private bool IsShared => tensors > 1;

    /// <summary>Says that a tensor shows the numbers. Several threads may do so at once.</summary>
    public void ShowIn(Tensor tensor) => only = Interlocked.Increment(ref tensors) == 1 ? tensor : null;

    /// <summary>From now on the numbers may be discarded after their first uses.</summary>
    public void RecomputeBy(Tape tape, Func<Tensor> formula, int uses) => recomputation = new(tape, formula, uses);

    /// <summary>
    /// An operation has used the numbers: if that was often enough, and nobody else shows them, they are discarded.
    /// </summary>
    public void Use()
    {
        if (recomputation is not null && !IsShared && recomputation.TakeUse()) GiveBack();
    }

    /// <summary>
    /// The numbers cannot be computed again, by a tape or at all, from now on; what is not here then is gone.
    /// </summary>
    public void EndRecomputation(Tape? by = null)
    {
        if (recomputation is null || (by is not null && !recomputation.IsBy(by))) return;
        recomputation = null;
        if (buffer is null) End();
    }

    /// <summary>Gives the buffer back to its pool.</summary>
    public void GiveBack()
    {
        if (buffer is not null) Device.Pool.Return(Take());
    }

    /// <summary>
    /// Takes the numbers to a storage of their own: whoever shows them here refuses to be read from now on.
    /// </summary>
    public Storage Move()
    {
        var parameter = Parameter;
        return Of(Device, Take(), parameter);
    }

    /// <summary>Takes the buffer out.</summary>
    public Buffer Take()
    {
        var taken = buffer!;
        (buffer, Owner, References) = (null, 0, 0);
        if (recomputation is null) End();
        return taken;
    }

    // It is gone. Where views show it too, all of them go on referring to it.
    private void End()
    {
        if (IsShared) return;
        if (only is not null) only.Storage = Parameter?.Outdated ?? Nothing;
        (only, tensors, Parameter) = (null, 0, null);
        free ??= new Stack<Storage>();
        if (free.Count > 0 && free.Peek().Device != Device) free.Clear();
        if (free.Count < MostFree) free.Push(this);
    }

    private Storage Nothing => nothing is { } last && last.Device == Device ? last : nothing = new Storage(Device);
}
