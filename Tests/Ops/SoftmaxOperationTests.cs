using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class SoftmaxOperationTests
{
    [Fact]
    public void Obeys_the_laws()
    {
        OperationLaws.Check(x => x.Softmax(), Input.Of(".. K"));
        OperationLaws.Check(x => x.Softmax(1), Input.Of("n K c"));
    }

    // Two ways to the same numbers, and their gradients.
    [Fact]
    public void Is_the_exponential_of_the_log_softmax() => OnBothDevices(() =>
    {
        var (x, g) = (Random(1, 3, 5), Random(2, 3, 5).ToDoubles());
        Gives(x.Softmax(), new Shape(3, 5), x.LogSoftmax().Exp().ToDoubles());
        Gives(Gradient(x => x.Softmax(), x, g), new Shape(3, 5), Gradient(x => x.LogSoftmax().Exp(), x, g).ToDoubles());
    });

    // e^0 : e^(log 3) = 1 : 3; along the first axis 1 : e^5 and 3 : e^5.
    [Fact]
    public void Gives_probabilities_along_an_axis() => OnBothDevices(() =>
    {
        var x = Of([2, 2], 0, Math.Log(3), 5, 5);
        Gives(x.Softmax(), new Shape(2, 2), 0.25, 0.75, 0.5, 0.5);
        var e = Math.Exp(5);
        Gives(x.Softmax(0), new Shape(2, 2), 1 / (1 + e), 3 / (3 + e), e / (1 + e), e / (3 + e));
        Gives(Of([0, 2]).Softmax(), new Shape(0, 2));
    });

    [Fact]
    public void Huge_and_impossible_logits_do_no_harm() => OnBothDevices(() =>
    {
        Gives(Vector(1e30, 0, -1e30).Softmax(), 1, 0, 0);
        var masked = Vector(0, double.NegativeInfinity, 0);
        Gives(masked.Softmax(), 0.5, 0, 0.5);
        Gives(Gradient(x => x.Softmax(), masked, 1, 5, 0), 0.25, 0, -0.25);
    });

    [Fact]
    public void Refuses_an_axis_without_elements()
    {
        Refuses<ShapeException>(() => Counting(2, 0).Softmax(), "softmax", "axis 1", "[2, 0]");
        Refuses<ShapeException>(() => Tensor.Scalar(1).Softmax(), "axis -1");
        Refuses<ShapeException>(() => Counting(2, 2).Softmax(2), "axis 2");
    }
}
