using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Tapegrad.Memory;

/// <summary>
/// A buffer in the memory of this process: a managed, pinned array whose first element lies on a 64-byte boundary.
/// </summary>
/// <remarks>
/// The array is padded to whole cache lines behind the last element, so that a kernel may read and write two whole
/// vectors at the end. What lies in the padding is never seen by a reader.
/// </remarks>
public sealed unsafe class HostBuffer<T> : Buffer where T : unmanaged
{
    private const int Alignment = 64;
    private readonly T[] array;   // keeps the memory alive: the pointer alone would not

    /// <summary>New memory for so many elements; what is in it is unsaid.</summary>
    public HostBuffer(int length) : this(length, PaddedLength(length)) { }

    private HostBuffer(int length, int padded) : base(length, (long)padded * sizeof(T))
    {
        array = GC.AllocateUninitializedArray<T>(padded, pinned: true);
        HugePages.Advise(Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(array)), (long)padded * sizeof(T));
        var address = (nint)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(array));
        Pointer = (T*)((address + Alignment - 1) / Alignment * Alignment);
    }

    private HostBuffer(T[] array, T* pointer, int length, int padded) : base(length, (long)padded * sizeof(T))
    {
        this.array = array;
        Pointer = pointer;
        HugePages.Collapse(pointer, Bytes);
    }

    /// <summary>The first element, on a 64-byte boundary.</summary>
    public T* Pointer { get; }

    /// <summary>The elements, without the padding.</summary>
    public Span<T> Span
    {
        get
        {
            var span = new Span<T>(Pointer, Length);
            GC.KeepAlive(array);
            return span;
        }
    }

    /// <inheritdoc/>
    protected internal override Buffer Cut(int start, int length, int occupied) =>
        new HostBuffer<T>(array, Pointer + start, length, occupied);

    // Whole cache lines for the elements, two vectors of slack behind them, one line for moving the start to a
    // boundary.
    private static int PaddedLength(int length)
    {
        var line = Alignment / sizeof(T);
        return checked((length + line - 1) / line * line + 3 * line);
    }
}
