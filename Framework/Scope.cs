namespace Tapegrad;

/// <summary>
/// Owns the memory of the tensors that are made while it is open, and gives it back when disposed. A tape is a scope; a loop that
/// only evaluates opens a plain one. Scopes nest: what a tape records belongs to the tape, the rest to the innermost scope.
/// </summary>
/// <remarks>
/// Forget it and it is slower; use a tensor too early or too late and it is an exception; never a leak, never garbage. The thread
/// holds its open scopes weakly, so a forgotten one dies with its last reference and the collector frees what it owned. A scope
/// belongs to its thread.
/// </remarks>
public class Scope : IDisposable
{
    private static long lastNumber;
    [ThreadStatic] private static List<WeakReference<Scope>>? open;

    private readonly long number = Interlocked.Increment(ref lastNumber);
    private List<Tensor> owned = Spare<List<Tensor>>.Take();   // one of each buffer

    /// <summary>Opens a scope on this thread, inside those that are open already.</summary>
    public Scope() : this(current: true) { }

    private Scope(bool current)
    {
        if (current) (open ??= []).Add(new WeakReference<Scope>(this));
    }

    /// <summary>
    /// A scope that owns only what is given to it by <see cref="Adopt"/>: for an iterator that hands out batches, whose caller
    /// has scopes of its own.
    /// </summary>
    public static Scope Apart() => new(current: false);

    /// <summary>The innermost open scope of this thread; null if there is none.</summary>
    internal static Scope? Innermost
    {
        get
        {
            while (open is { Count: > 0 })
            {
                if (open[^1].TryGetTarget(out var scope) && !scope.IsDisposed) return scope;
                open.RemoveAt(open.Count - 1);   // forgotten without Dispose, or disposed by another thread
            }
            return null;
        }
    }

    /// <summary>True after <see cref="Dispose"/>.</summary>
    public bool IsDisposed { get; private set; }

    /// <summary>From now on the tensor's memory lives as long as this scope, wherever it was made.</summary>
    /// <exception cref="InvalidOperationException">Its numbers are gone already.</exception>
    public void Adopt(Tensor tensor)
    {
        if (tensor.Parameter is not null) return;
        var buffer = tensor.Buffer;
        if (buffer.Owner == number) return;
        buffer.Owner = number;
        owned.Add(tensor);
    }

    /// <summary>
    /// Like <see cref="Adopt"/>, for what was made in a scope inside this one; what belongs further out, or to nobody, stays
    /// there.
    /// </summary>
    /// <returns>Whether it was taken.</returns>
    internal bool AdoptFromInside(Tensor tensor)
    {
        if (tensor.Memory.Owner <= number || tensor.IsStale) return false;   // numbers rise, so an inner scope has the larger one
        Adopt(tensor);
        return true;
    }

    /// <summary>Whether this scope will give the tensor's memory back, and has not done so yet.</summary>
    internal bool Owns(Tensor tensor) => tensor.Memory.Owner == number && !tensor.IsStale;

    /// <summary>Gives the memory back. Tensors that were made here refuse to be read from now on.</summary>
    public virtual void Dispose()
    {
        if (IsDisposed) return;
        IsDisposed = true;
        open?.RemoveAll(entry => !entry.TryGetTarget(out var scope) || scope == this);
        Clear();
        Spare<List<Tensor>>.Keep(owned);
        owned = [];
    }

    /// <summary>Gives back what it owns until now, and stays open.</summary>
    internal void Clear()
    {
        foreach (var tensor in owned)
            if (tensor.Memory.Owner == number)
                tensor.Device.Pool.Return(tensor.Memory);   // else it was kept, released earlier, or moved to another scope
        owned.Clear();
    }
}
