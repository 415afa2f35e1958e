using Tapegrad.Devices;

namespace Tapegrad.Benchmarks;

/// <summary>
/// The ways in which the device computes a convolution: as it chooses, and without Winograd's algorithm.
/// </summary>
internal static class ConvolutionPaths
{
    /// <summary>Measures on each, with the word that the names of its figures carry.</summary>
    public static void ForEach(Action<string> measure)
    {
        measure("");
        Device.Cpu.UsesWinograd = false;
        measure("direct ");
        Device.Cpu.UsesWinograd = true;
    }
}
