using System.Runtime.InteropServices;

namespace Tapegrad.Memory;

/// <summary>
/// Asks Linux to back a large piece of memory by pages of 2 MB instead of 4 KB: kernels walk through many places at once, and the processor looks
/// up each page. A hint: other systems, and a system that refuses, change no number and nothing but time.
/// </summary>
internal static unsafe partial class HugePages
{
    private const long PageBytes = 2 << 20;
    private const long LeastBytes = 1 << 18;   // smaller pieces are looked up soon enough
    private const int HugePage = 14, Collapse = 25;   // MADV_HUGEPAGE, for what is untouched yet; MADV_COLLAPSE, since Linux 6.1, for the rest

    /// <summary>Best called before the memory is touched for the first time.</summary>
    public static void Advise(void* memory, long bytes)
    {
        if (bytes < LeastBytes || !OperatingSystem.IsLinux()) return;
        var first = (long)memory / PageBytes * PageBytes;   // the neighbours of a piece are pieces too, and share its first and last page
        var end = ((long)memory + bytes + PageBytes - 1) / PageBytes * PageBytes;
        _ = Advise((nint)first, (nuint)(end - first), HugePage);
        _ = Advise((nint)first, (nuint)(end - first), Collapse);
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Advise(nint memory, nuint bytes, int advice);
}
