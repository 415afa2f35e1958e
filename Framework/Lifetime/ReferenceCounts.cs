using Tapegrad.Devices;

namespace Tapegrad;

/// <summary>
/// What a sweep frees on its way. Values and gradients can share a storage: a sum hands the same gradient to both
/// inputs, a reshape has its input's numbers. So each value that may be released, and each gradient that waits, counts
/// one reference to its storage, and the last one to let go frees it. What is not counted was made by somebody else (a
/// seed, a constant), and is never freed here.
/// </summary>
/// <remarks>
/// A sweep that is recorded frees nothing, as gradients of its gradients will need all of it. Whatever this does, and
/// if it did nothing, the gradients are the same.
/// </remarks>
internal sealed class ReferenceCounts : IDisposable
{
    private readonly Tape tape;
    private readonly bool[] wanted;
    private readonly bool releases;
    private readonly PooledList<Storage> counted = new();
    private readonly Scope? made;   // owns what a pull makes on its way

    /// <summary>The counts of a sweep.</summary>
    /// <param name="tape">What is swept.</param>
    /// <param name="wanted">The records whose gradients the caller asked for; the last one is where the sweep
    /// starts.</param>
    /// <param name="isRecorded">Whether the sweep itself is recorded.</param>
    /// <param name="releases">Whether the recorded values are freed too.</param>
    public ReferenceCounts(Tape tape, bool[] wanted, bool isRecorded, bool releases)
    {
        (this.tape, this.wanted, this.releases) = (tape, wanted, releases);
        if (releases) CountValues();
        made = isRecorded ? null : new Scope();
    }

    private void CountValues()
    {
        for (var record = 0; record < wanted.Length; record++) Add(tape.Value(record));
        foreach (var (_, pending) in tape.Proposals)   // an optimizer's step will commit them
            for (var i = 0; i < pending.Tensors.Count; i++) Add(pending.Tensors[i]);
        for (var later = wanted.Length; later < tape.Count; later++)
        {
            var storage = tape.Value(later).Storage;
            storage.Find();   // while that from which it is computed is there
            storage.EndRecomputation();
            tape.AdoptFromInside(tape.Value(later));
        }
    }

    /// <summary>
    /// The sum of the gradient that waits at a record, if there is one, and the part that has just arrived.
    /// </summary>
    public Tensor Sum(Tensor? waiting, Tensor part)
    {
        if (made is null) return waiting is null ? part : waiting + part;
        if (waiting is not null)
        {
            // nobody else sees it
            if (tape.Owns(waiting) && waiting.Storage.References == 1) return AddInPlace(waiting, part);
            part = waiting + part;
            Remove(waiting);
        }
        if (made.Owns(part)) tape.Adopt(part);
        else if (part.Storage.References == 0) return part;
        Add(part);
        return part;
    }

    /// <summary>The sweep has passed a record, and the gradient that waited there has been handed on.</summary>
    public void Passed(int record, Tensor? gradient)
    {
        if (made is null) return;
        if (releases) KeepComputedAgain();
        made.Clear();
        if (gradient is not null && !wanted[record]) Remove(gradient);
        if (!releases || record == wanted.Length - 1) return;   // the caller reads y later
        tape.Value(record).Storage.EndRecomputation();
        Remove(tape.Value(record));
    }

    // What was computed again for one record serves the others, down to its own.
    private void KeepComputedAgain()
    {
        foreach (var storage in made!.Owned)
        {
            if (!made.Owns(storage) || !storage.IsRecomputable || storage.References > 0) continue;
            tape.Adopt(storage);
            storage.References = 1;
            counted.Add(storage);
        }
    }

    /// <summary>The sweep is over, or has failed.</summary>
    public void Dispose()
    {
        foreach (var storage in counted.Items) storage.References = 0;
        counted.Dispose();
        made?.Dispose();
    }

    private void Add(Tensor tensor)
    {
        var storage = tensor.Storage;
        if (tape.Owns(tensor) && storage.References++ == 0) counted.Add(storage);
    }

    private void Remove(Tensor tensor)
    {
        var storage = tensor.Storage;
        if (tape.Owns(tensor) && storage.References > 0 && --storage.References == 0) storage.GiveBack();
    }

    private Tensor AddInPlace(Tensor sum, Tensor part)
    {
        sum.Device.Update(new Increasing(), sum.Buffer, part.Buffer, null, null);
        var moved = new Tensor(sum.Shape, sum.Storage.Move());
        tape.Adopt(moved);
        Add(moved);
        return moved;
    }
}

internal readonly struct Increasing : IUpdate
{
    public void Apply<T>(ref T sum, T part, ref T first, ref T second) where T : struct, IReal<T> => sum += part;
}
