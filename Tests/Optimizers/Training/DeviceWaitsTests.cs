using Tapegrad.Datasets;
using Tapegrad.Devices;
using Tapegrad.Layers;
using Tapegrad.Optimizers;
using Tapegrad.Tests.Kit;
using Tapegrad.Training;
using Xunit;

namespace Tapegrad.Tests.Training;

/// <summary>When a training step waits for its device.</summary>
public sealed class DeviceWaitsTests
{
    // A device far away answers only when it has done all that was asked before: the forward pass and the sweep are on
    // their way before the first answer is waited for, and the step's own verdict is one number.
    [Theory]
    [InlineData(false, 1)]
    [InlineData(true, 1)]
    [InlineData(true, 2)]
    public void A_training_step_waits_for_the_device_when_all_is_on_its_way(bool batchNorm, int accumulate)
    {
        var far = new Offender(Device.Cpu, "", Offence.None) { Journal = [] };
        using var device = Device.Use(far);
        var model = new Sequential(new Conv2d(3, 4, 5, new RandomSource(1), stride: 4, bias: false),
            batchNorm ? new BatchNorm(4) : new GroupNorm(4, GroupSpec.Count(2)), new Relu(), new GlobalAveragePool(),
            new Linear(4, 10, new RandomSource(2)));
        var train = Shapes10.Load(16, 1).Train;
        far.Journal.Clear();
        new Fit(model.Apply, new Sgd(model.Parameters, momentum: 0.9), LearningRate.Constant(0.1)) { Accumulate = accumulate }
            .Run(train, null, epochs: 1, batchSize: 16 / accumulate, seed: 1);
        string[] waits = ["Read", "FirstNonFinite"];
        Assert.DoesNotContain("FirstNonFinite", far.Journal);
        // the loss and the logits of each batch, and the verdict
        Assert.Equal(2 * accumulate + 1, far.Journal.Count(waits.Contains));
        Assert.True(far.Journal.IndexOf("Read") > far.Journal.IndexOf("ConvolveWeightGradient"));
        Assert.Equal(["Read", "Read"], far.Journal.Skip(far.Journal.LastIndexOf("ConvolveWeightGradient") + 1)
            .SkipWhile(verb => verb != "Read").Take(2));
        var judged = far.Journal[far.Journal.LastIndexOf("CheckUpdate")..];
        Assert.Equal("Read", judged.First(verb => waits.Contains(verb) || verb == "Update"));
    }
}
