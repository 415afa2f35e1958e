using Tapegrad.Memory;

namespace Tapegrad.Devices.Cpu;

/// <summary>
/// Memory that an item of work uses while it runs: one piece for each thread and type, which grows to the largest
/// request and is then used again and again. Its contents are whatever was there before; an item cuts all that it needs
/// from one piece.
/// </summary>
internal static unsafe class Scratch<T> where T : unmanaged
{
    [ThreadStatic] private static HostBuffer<T>? piece;

    /// <summary>All that this thread has now.</summary>
    public static Span<T> Piece => piece is null ? [] : piece.Span;

    /// <summary>
    /// At least <paramref name="length"/> elements and two vectors of slack, on a 64-byte boundary, until this thread
    /// asks again.
    /// </summary>
    public static T* Rent(long length)
    {
        if (piece is null || piece.Length < length) piece = new HostBuffer<T>(checked((int)length));
        return piece.Pointer;
    }
}
