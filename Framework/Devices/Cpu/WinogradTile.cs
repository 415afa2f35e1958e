namespace Tapegrad.Devices.Cpu;

/// <summary>The sizes of Winograd's F(4x4, 3x3): see <see cref="WinogradTransforms{TLanes}"/>.</summary>
internal static class WinogradTile
{
    /// <summary>Results of a tile, in each direction.</summary>
    public const int Results = 4;

    /// <summary>Inputs of a tile, in each direction.</summary>
    public const int Inputs = 6;

    /// <summary>Numbers of a transformed tile.</summary>
    public const int Planes = Inputs * Inputs;

    /// <summary>Weights of a tile.</summary>
    public const int Taps = 9;
}
