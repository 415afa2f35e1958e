using Tapegrad.Layers;
using Xunit;

namespace Tapegrad.Tests.Layers.Normalization;

public sealed class BatchNormLawTests
{
    [Fact]
    public void ObeysTheLaws() => Twins.ObeyTheLaws(channels => new BatchNorm(channels), "BatchIndependence");

    [Fact]
    public void ObeysTheLawsWithoutAnAffine() =>
        Twins.ObeyTheLaws(channels => new BatchNorm(channels, BatchNormConvention.Keras, affine: false),
            "BatchIndependence");

    [Fact]
    public void TheUnnamedOnesObeyTheLaws()
    {
        string[] batch = ["BatchIndependence", "EvaluationIndependence"];   // no running statistics
        Twins.ObeyTheLaws(channels =>
            new Twins.Shared(channels, new Sharing(Batch: true, Positions: true, Groups: channels % 2 == 0 ? 2 : 1)),
            batch);
        Twins.ObeyTheLaws(channels =>
            new Twins.Shared(channels, new Sharing(Batch: true, Positions: false, Groups: channels)), batch);
        Twins.ObeyTheLaws(channels =>
            new Twins.Shared(channels, new Sharing(Batch: false, Positions: false, Groups: channels % 2 == 0 ? 2 : 1)));
    }
}
