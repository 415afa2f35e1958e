using Tapegrad.Devices;
using Tapegrad.Tests.Devices;
using Xunit;

namespace Tapegrad.Tests.Engine;

/// <summary>The default device is the whole process's, so no other test runs meanwhile.</summary>
[Collection(ThreadCount.Name)]
public sealed class DefaultDeviceTests
{
    [Fact]
    public void The_default_serves_every_thread_that_has_not_chosen()
    {
        Device.SetDefault(Device.Reference);
        try
        {
            Assert.Same(Device.Reference, Tensor.Scalar(1).Device);
            EngineTest.OnAnotherThread(() => Assert.Same(Device.Reference, Tensor.Scalar(1).Device));
            using (Device.Use(Device.Cpu)) Assert.Same(Device.Cpu, Tensor.Scalar(1).Device);
        }
        finally
        {
            Device.SetDefault(Device.Cpu);
        }
        Assert.Same(Device.Cpu, Tensor.Scalar(1).Device);
    }
}
