using System.Buffers;
using System.Runtime.CompilerServices;
using SixLabors.ImageSharp.Memory;

namespace Tapegrad.Datasets.Images;

/// <summary>
/// Memory for one image: so many bytes at a time, and not one more, whatever its file says. Ordinary arrays, left to
/// the collector.
/// </summary>
/// <remarks>For one thread. ImageSharp's own allocator bounds each array by itself, but not their sum.</remarks>
internal sealed class ImageMemory(long most) : MemoryAllocator
{
    private long inUse;

    protected override int GetBufferCapacityInBytes() => Array.MaxLength;

    public override IMemoryOwner<T> Allocate<T>(int length, AllocationOptions options = AllocationOptions.None)
    {
        if (length < 0) throw new InvalidMemoryOperationException($"an array of {length} elements is asked for");
        var bytes = (long)length * Unsafe.SizeOf<T>();
        if (inUse + bytes > most)
            throw new InvalidMemoryOperationException($"more than {most} bytes are needed for it");
        inUse += bytes;
        return new Owner<T>(this, new T[length], bytes);
    }

    private sealed class Owner<T>(ImageMemory memory, T[] array, long bytes) : IMemoryOwner<T>
    {
        private bool isReturned;

        public Memory<T> Memory => array;

        public void Dispose()
        {
            if (isReturned) return;
            isReturned = true;
            memory.inUse -= bytes;
        }
    }
}
