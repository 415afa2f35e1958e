using Tapegrad.Devices;
using Xunit;
using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad.Tests.Devices;

/// <summary>Random fills: element i is what the source gives at i, on both devices and at every length.</summary>
public class RandomFillTests
{
    private static double[] Fill(Device device, int length, Action<Buffer> verb)
    {
        var y = device.MakeUnwritten(length);
        verb(y);
        return device.Read(y);
    }

    [Fact]
    public void UniformNumbersAreTheSameOnBothDevices()
    {
        var random = new RandomSource(3);
        foreach (var length in (int[])[.. Enumerable.Range(0, 40), 257, 20_001])
        {
            var expected = Enumerable.Range(0, length).Select(i => random.Uniform(i));
            Assert.Equal(expected, Fill(Device.Reference, length, y => Device.Reference.FillUniform(y, random)));
            Assert.Equal(expected, Fill(Device.Cpu, length, y => Device.Cpu.FillUniform(y, random)));
        }
    }

    [Fact]
    public void NormalNumbersDifferByRoundingAlone()
    {
        var random = new RandomSource(4);
        foreach (var length in (int[])[.. Enumerable.Range(0, 40), 257, 20_001])
        {
            var expected = Enumerable.Range(0, length).Select(i => random.Normal(i)).ToArray();
            Assert.Equal(expected, Fill(Device.Reference, length, y => Device.Reference.FillNormal(y, random)));
            Assert.Equal(expected.Select(x => (double)(float)x),
                Fill(Device.Cpu, length, y => Device.Cpu.FillNormal(y, random)));
        }
    }
}
