namespace Tapegrad.Devices.Cpu;

/// <summary>for (i = 0; i &lt; length; i++) y[i] = value;</summary>
internal readonly unsafe struct ConstantFill(int length)
{
    private readonly Ranges ranges = new(length, 1);

    public void Run(float value, float* y) => ranges.Run(new Elements(value, y));

    private readonly struct Elements(float value, float* y) : IRangeBody
    {
        public void Run(int from, int to) => new Span<float>(y + from, to - from).Fill(value);
    }
}
