using System.Numerics.Tensors;

namespace Tapegrad.Devices.Cpu;

/// <summary>The first number that is infinite or NaN, a block at a time: only where one of a block is not finite, one
/// goes through it.</summary>
internal static class NonFiniteSearch
{
    private const int Block = 4096;

    /// <summary>Its index; -1 when all are finite.</summary>
    public static int Find(ReadOnlySpan<float> numbers)
    {
        for (var start = 0; start < numbers.Length; start += Block)
        {
            var run = numbers[start..Math.Min(start + Block, numbers.Length)];
            if (TensorPrimitives.IsFiniteAll(run)) continue;
            for (var i = 0; i < run.Length; i++)
                if (!float.IsFinite(run[i])) return start + i;
        }
        return -1;
    }
}
