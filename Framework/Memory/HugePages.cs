using System.Runtime.InteropServices;

namespace Tapegrad.Memory;

/// <summary>
/// Asks Linux to back memory by pages of 2 MB instead of 4 KB: kernels walk through many places at once, and the
/// processor looks up each page. A hint: other systems, and a system that refuses, change no number and nothing but
/// time.
/// </summary>
internal static unsafe partial class HugePages
{
    private const long PageBytes = 2 << 20;
    private const long LeastBytes = 1 << 18;    // smaller pieces are looked up soon enough
    private const long MostBytes = 16 << 20;    // larger pieces may stay empty for the most part
    private const int HugePage = 14, Collapsed = 25;   // MADV_HUGEPAGE; MADV_COLLAPSE, since Linux 6.1

    /// <summary>Of new memory, best before it is touched for the first time. Large pieces take no pages yet.</summary>
    public static void Advise(void* memory, long bytes)
    {
        Advise(memory, bytes, HugePage);
        if (bytes < MostBytes) Collapse(memory, bytes);
    }

    /// <summary>Of a piece that will be used whole, and that somebody may have touched before.</summary>
    public static void Collapse(void* memory, long bytes) => Advise(memory, bytes, Collapsed);

    private static void Advise(void* memory, long bytes, int advice)
    {
        if (bytes < LeastBytes || !OperatingSystem.IsLinux()) return;
        // the neighbours of a piece are pieces too, and share its first and last page
        var first = (long)memory / PageBytes * PageBytes;
        var end = ((long)memory + bytes + PageBytes - 1) / PageBytes * PageBytes;
        _ = Advise((nint)first, (nuint)(end - first), advice);
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(nint memory, nuint bytes, int advice);
}
