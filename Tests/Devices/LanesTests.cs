using FsCheck.Xunit;
using Tapegrad.Devices.Cpu;
using Xunit;

namespace Tapegrad.Tests.Devices;

/// <summary>What any lanes can do.</summary>
public class LanesTests
{
    [Property]
    public unsafe void A_table_on_the_stack_begins_at_a_line_of_the_cache_within_its_memory(byte distance)
    {
        var memory = stackalloc float[byte.MaxValue + 1 + Lanes.Slack];
        var table = Lanes.Align(new Span<float>(memory + distance, Lanes.Slack));
        Assert.Equal(0, (nint)table % 64);
        Assert.InRange(table - (memory + distance), 0, Lanes.Slack);
    }
}
