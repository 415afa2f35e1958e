namespace Tapegrad;

/// <summary>
/// Owns the memory of the tensors that are made while it is open, and gives it back when disposed. A tape is a scope; a
/// loop that only evaluates opens a plain one. Scopes nest: what a tape records belongs to the tape, the rest to the
/// innermost scope.
/// </summary>
/// <remarks>
/// Forget it and it is slower; use a tensor too early or too late and it is an exception; never a leak, never garbage.
/// The thread holds its open scopes weakly, so a forgotten one dies with its last reference and the collector frees
/// what it owned; a forgotten tape stays open, and the next one refuses to open beside it. A scope belongs to its
/// thread, so it must not be open across an <c>await</c>, after which the rest may run on another one: what it owns is
/// then left to the collector, and a notice says so.
/// </remarks>
public class Scope : IDisposable
{
    private static long lastNumber;
    private static int saidThread;
    [ThreadStatic] private static List<WeakReference<Scope>>? open;

    private readonly long number = Interlocked.Increment(ref lastNumber);
    private readonly int thread = Environment.CurrentManagedThreadId;
    private readonly bool isApart;
    private readonly PooledList<Storage> owned = new();   // and some that somebody else owns by now

    /// <summary>Opens a scope on this thread, inside those that are open already.</summary>
    public Scope() : this(isApart: false) { }

    private Scope(bool isApart)
    {
        this.isApart = isApart;
        if (!isApart) (open ??= []).Add(new WeakReference<Scope>(this));
    }

    /// <summary>
    /// A scope that owns only what is given to it by <see cref="Adopt(Tensor)"/>: for an iterator that hands out
    /// batches, whose caller has scopes of its own. Any thread may dispose it.
    /// </summary>
    public static Scope Apart() => new(isApart: true);

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

    /// <summary>
    /// From now on the tensor's memory lives as long as this scope, wherever it was made. A parameter's is never taken.
    /// </summary>
    /// <exception cref="InvalidOperationException">Its numbers are gone already.</exception>
    public void Adopt(Tensor tensor)
    {
        _ = tensor.Buffer;
        Adopt(tensor.Storage);
    }

    internal void Adopt(Storage storage)
    {
        if (storage.Parameter is not null || storage.Owner == number) return;
        storage.Owner = number;
        owned.Add(storage);
    }

    /// <summary>
    /// Like <see cref="Adopt(Tensor)"/>, for what was made in a scope inside this one; what belongs further out, or to
    /// nobody, stays there.
    /// </summary>
    internal void AdoptFromInside(Tensor tensor)
    {
        // numbers rise, so an inner scope has the larger one
        if (tensor.Storage.Owner > number) Adopt(tensor.Storage);
    }

    /// <summary>What it owns, and some that somebody else owns by now.</summary>
    internal ReadOnlySpan<Storage> Owned => owned.Items;

    /// <summary>Whether this scope will give the tensor's memory back, and has not done so yet.</summary>
    internal bool Owns(Tensor tensor) => Owns(tensor.Storage);

    internal bool Owns(Storage storage) => storage.Owner == number;

    /// <summary>
    /// What is computed in a scope of its own: only the result lives on, as if the innermost scope had made it.
    /// </summary>
    internal static Tensor OnlyResult(Func<Tensor> compute)
    {
        var home = Innermost;
        using var scope = new Scope();
        var result = compute();
        scope.HandOver(result, home);
        return result;
    }

    /// <summary>Gives what it owns to another scope; to the collector where there is none.</summary>
    internal void HandOver(Tensor tensor, Scope? home)
    {
        if (!Owns(tensor)) return;
        if (home is null) tensor.Storage.Owner = 0;
        else home.Adopt(tensor.Storage);
    }

    /// <summary>Gives the memory back. Tensors that were made here refuse to be read from now on.</summary>
    public virtual void Dispose()
    {
        if (IsDisposed) return;
        IsDisposed = true;
        open?.RemoveAll(entry => !entry.TryGetTarget(out var scope) || scope == this);
        if (isApart || thread == Environment.CurrentManagedThreadId) Clear();
        else NoticeThread();   // it may own what others made on that thread meanwhile
        owned.Dispose();
    }

    /// <summary>Gives back what it owns until now, and stays open.</summary>
    internal void Clear()
    {
        foreach (var storage in owned.Items)
            // else it was kept, released earlier, or moved to another scope
            if (storage.Owner == number) storage.GiveBack();
        owned.Clear();
    }

    private void NoticeThread()
    {
        if (Interlocked.Exchange(ref saidThread, 1) == 0)
            Notices.Raise($"a {GetType().Name} was opened on one thread and disposed on another, for instance because "
                + "there was an await in between. It cannot know what it owns, so the memory is left to the collector, "
                + "which is slower. Open it after the await, or dispose it before.");
    }
}
