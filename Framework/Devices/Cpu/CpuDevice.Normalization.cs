using System.Numerics.Tensors;
using Tapegrad.Devices.Cpu;
using Tapegrad.Memory;
using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad.Devices;

// Normalization, with what follows it in the same pass: see NormalizationPass for the order of the work, NormalizationRows for its loops.
public sealed unsafe partial class CpuDevice : INormalizationKernels
{
    /// <inheritdoc/>
    public void Normalize(NormalizationGeometry geometry, Buffer x, Buffer? gamma, Buffer? beta, Buffer? residual, Buffer statistics, Buffer y)
    {
        if (x.Length == 0)
        {
            Fill(statistics, 0);
            return;
        }
        new NormalizationPass(geometry, Pointer(x), PointerOrNull(gamma), PointerOrNull(beta), Pointer(statistics))
            .WriteValue(PointerOrNull(residual), Pointer(y));
        KeepAllAlive(x, gamma, beta, residual, statistics, y);
    }

    /// <inheritdoc/>
    public void ReadMoments(Buffer statistics, Buffer mean, Buffer variance)
    {
        var numbers = Numbers(statistics);
        var sets = mean.Length;
        TensorPrimitives.Add(numbers[..sets], numbers[sets..(2 * sets)], Numbers(mean));
        numbers[(2 * sets)..(3 * sets)].CopyTo(Numbers(variance));
        KeepAllAlive(statistics, mean, variance);
    }

    /// <inheritdoc/>
    public void NormalizeGradient(NormalizationGeometry geometry, Buffer x, Buffer? gamma, Buffer? beta, Buffer statistics, Buffer? y,
        Buffer gradient, Buffer xGradient, Buffer gammaGradient, Buffer betaGradient, Buffer? residualGradient)
    {
        if (x.Length == 0)
        {
            Fill(gammaGradient, 0);
            Fill(betaGradient, 0);
            return;
        }
        var pass = new NormalizationPass(geometry, Pointer(x), PointerOrNull(gamma), PointerOrNull(beta), Pointer(statistics));
        var sums = (HostBuffer<float>)Pool.Rent(pass.SumsLength);
        pass.WriteGradient(Pointer(gradient), PointerOrNull(y), PointerOrNull(residualGradient), Pointer(xGradient), Pointer(sums));
        pass.AddSums(Pointer(sums), Pointer(gammaGradient), Pointer(betaGradient));
        Pool.Return(sums);
        KeepAllAlive(x, gamma, beta, statistics, y, gradient, xGradient, gammaGradient, betaGradient, residualGradient);
    }

    private static void KeepAllAlive(params ReadOnlySpan<Buffer?> buffers)
    {
        foreach (var buffer in buffers) GC.KeepAlive(buffer);
    }

    private static float* PointerOrNull(Buffer? buffer) => buffer is null ? null : Pointer(buffer);
}
