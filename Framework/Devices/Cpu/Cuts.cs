namespace Tapegrad.Devices.Cpu;

// How a kernel cuts its work, as data. A plan keeps its cuts in fields of these types and its loops go over them, so
// the tests can ask a plan which pieces a shape gives, find shapes for every kind of piece, and see that none is left
// out.

/// <summary>So many things in pieces of equal size; what is left over is the last piece.</summary>
internal readonly record struct Blocks(int Length, int Size)
{
    /// <summary>
    /// How many pieces. Kept, since loops ask for it: a division for each tile of a convolution is a tenth of its time.
    /// </summary>
    public int Count { get; } = (int)(((uint)Length + (uint)Size - 1) / (uint)Size);

    /// <summary>The first thing of a piece.</summary>
    public int From(int piece) => piece * Size;

    /// <summary>The size of a piece, which is smaller for the last one if something is left over.</summary>
    public int SizeOf(int piece) => Math.Min(Size, Length - piece * Size);

    /// <summary>Pieces of one size, as far as that goes, and as few as a size allows.</summary>
    public static Blocks Equal(int length, int size) => new(length, (length - 1) / ((length - 1) / size + 1) + 1);
}

/// <summary>So many things in a given number of shares, whose sizes differ by at most 1.</summary>
internal readonly record struct Shares(int Length, int Count)
{
    /// <summary>The first thing of a share; of the one behind the last, where all end.</summary>
    public int From(int share) => (int)((long)Length * share / Count);

    /// <summary>The size of a share.</summary>
    public int SizeOf(int share) => From(share + 1) - From(share);
}

/// <summary>A wanted number, kept between two others.</summary>
internal readonly record struct Clamped(long Wanted, int Least, int Most)
{
    /// <summary>The number.</summary>
    public int Value => (int)Math.Max(Least, Math.Min(Wanted, Most));
}
