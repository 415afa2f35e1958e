namespace Tapegrad.Devices.Cpu;

/// <summary>
/// What each lane of a row has, side by side: see <see cref="NormalizationRows"/>. Each kind of number has two of the
/// widest vectors of slack behind it.
/// </summary>
internal readonly unsafe struct LaneNumbers(float* first, int width)
{
    private static int Slack => 2 * Real32x16.Count;

    public static int Length(int width) => 7 * (width + Slack);

    public int Width => width;

    public float* Pivot => Row(0);

    public float* Remainder => Row(1);

    public float* Scale => Row(2);

    public float* Shift => Row(3);

    public float* Slope => Row(4);

    public float* Offset => Row(5);

    public float* Gamma => Row(6);

    private float* Row(int row) => first + row * (width + Slack);
}
