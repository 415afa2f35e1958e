using Tapegrad.Devices;
using Tapegrad.Laws;
using Tapegrad.Tests.Devices;
using Xunit;

namespace Tapegrad.Tests.Kit;

/// <summary>What the comparisons of sweeps allow, and what they leave behind; alone, since the number of threads is
/// everybody's.</summary>
[Collection(ThreadCount.Name)]
public sealed class CompareTests
{
    private static Sweeps Of(double value, double plain, double recorded) =>
        new(new Shape(1), [value], [[plain]], [[recorded]], [[0]]);

    [Fact]
    public void Recorded_gradients_round_on_the_cpu_and_not_on_the_reference_device()
    {
        var options = new LawOptions();
        var (rounded, wrong) = (Of(1, 1, 1 + 1e-6), Of(1, 1, 1 + 1e-3));
        Compare.Alone(Of(1, 1, 1), Device.Reference, options);
        Compare.Alone(rounded, Device.Cpu, options);
        Assert.Throws<LawViolation>(() => Compare.Alone(rounded, Device.Reference, options));
        Assert.Throws<LawViolation>(() => Compare.Alone(wrong, Device.Cpu, options));
    }

    [Fact]
    public void The_number_of_threads_is_afterwards_what_it_was()
    {
        var before = Workers.Threads;
        try
        {
            Workers.Threads = 5;
            var seen = new List<int>();
            Compare.Threads(() =>
            {
                seen.Add(Workers.Threads);
                return Of(1, 2, 2);
            });
            Assert.Equal([1, 2, 3], seen);
            Assert.Equal(5, Workers.Threads);
            Assert.Throws<LawViolation>(() => Compare.Threads(() => Of(Workers.Threads, 2, 2)));
            Assert.Equal(5, Workers.Threads);
            Assert.Throws<LawViolation>(() => Compare.Threads(() => Of(1, Workers.Threads, 2)));
            Assert.Equal(5, Workers.Threads);
        }
        finally
        {
            Workers.Threads = before;
        }
    }

    [Fact]
    public void A_difference_of_just_the_tolerance_is_allowed()
    {
        static void Close(double actual) =>
            Compare.Close(Comparison.DevicesValue, "", [1], [actual], tolerance: 0.25, "");
        Close(1.25);
        Close(0.75);
        Assert.Throws<LawViolation>(() => Close(Math.BitIncrement(1.25)));
    }
}
