using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class CrossEntropyOperationTests
{
    private static int[] Labels(Tensor logits) =>
        [.. Enumerable.Range(0, logits.Shape[0]).Select(n => (7 * n + 3) % logits.Shape[1])];

    [Theory]
    [InlineData(0)]
    [InlineData(0.1)]
    [InlineData(1)]
    public void ObeysTheLaws(double smoothing) =>
        OperationLaws.Check(x => x.CrossEntropy(Labels(x), smoothing), Input.Of("N K"));

    // Equal logits: every class has the probability 1/K, so the loss is log K, whatever the labels.
    [Fact]
    public void KnowingNothingCostsLogK() =>
        OnBothDevices(() =>
            Gives(Of([2, 5], 3, 3, 3, 3, 3, -1, -1, -1, -1, -1).CrossEntropy([4, 0]), new Shape(), Math.Log(5)));

    // Logits (0, log 3): the probabilities are 1/4 and 3/4.
    [Fact]
    public void IsTheMeanSurpriseAtTheLabels() => OnBothDevices(() =>
    {
        var logits = Of([2, 2], 0, Math.Log(3), 0, Math.Log(3));
        Gives(logits.CrossEntropy([1, 0]), new Shape(), (Math.Log(4.0 / 3) + Math.Log(4)) / 2);
        Gives(Gradient(x => x.CrossEntropy([1, 0]), logits), new Shape(2, 2), 0.25 / 2, (0.75 - 1) / 2, (0.25 - 1) / 2,
            0.75 / 2);
    });

    // Smoothing 0.2 over two classes: the target is 1 - 0.2 + 0.1 = 0.9 at the label and 0.1 beside it.
    [Fact]
    public void SmoothingMovesTheTarget() => OnBothDevices(() =>
    {
        var logits = Of([1, 2], 0, Math.Log(3));
        Gives(logits.CrossEntropy([1], 0.2), new Shape(), 0.9 * Math.Log(4.0 / 3) + 0.1 * Math.Log(4));
        Gives(Gradient(x => x.CrossEntropy([1], 0.2), logits), new Shape(1, 2), 0.25 - 0.1, 0.75 - 0.9);
    });

    [Fact]
    public void HugeLogitsAndImpossibleClassesDoNoHarm() => OnBothDevices(() =>
    {
        Gives(Of([1, 2], 1e30, 0).CrossEntropy([0]), new Shape(), 0);
        Gives(Of([1, 2], 1000, 0).CrossEntropy([1]), new Shape(), 1000);
        var masked = Of([1, 3], 0, double.NegativeInfinity, 0);
        Gives(masked.CrossEntropy([0]), new Shape(), Math.Log(2));
        Gives(Gradient(x => x.CrossEntropy([0]), masked), new Shape(1, 3), -0.5, 0, 0.5);
    });

    [Fact]
    public void RefusesWhatIsNoClass()
    {
        Refuses<ArgumentOutOfRangeException>(() => Counting(2, 3).CrossEntropy([0, 3]), "cross entropy",
            "label 3 (of sample 1)", "3 classes", "0 to 2");
        Refuses<ArgumentOutOfRangeException>(() => Counting(2, 3).CrossEntropy([-1, 0]),
            "label -1 (of sample 0)", "-1");
        Refuses<ArgumentOutOfRangeException>(() => Counting(1, 3).CrossEntropy([0], 1.5), "label smoothing", "1.5");
        Refuses<ArgumentOutOfRangeException>(() => Counting(1, 3).CrossEntropy([0], double.NaN), "label smoothing");
    }

    [Fact]
    public void RefusesShapesThatDoNotFit()
    {
        Refuses<ShapeException>(() => Counting(2, 3).CrossEntropy([0]), "cross entropy", "[2, 3]", "1 labels");
        Refuses<ShapeException>(() => Counting(2, 3, 1).CrossEntropy([0, 0]), "cross entropy", "[2, 3, 1]");
        Refuses<ShapeException>(() => Counting(0, 3).CrossEntropy([]), "cross entropy", "[0, 3]", "not empty");
    }

    // ---- class weights ----------------------------------------------------------------------------------------------

    private static double[] Weights(int classes) => [.. Enumerable.Range(0, classes).Select(k => 0.5 + k % 3)];

    [Theory]
    [InlineData(0)]
    [InlineData(0.1)]
    public void With_class_weights_it_obeys_the_laws(double smoothing) =>
        OperationLaws.Check(x => x.CrossEntropy(Labels(x), smoothing, Weights(x.Shape[1])), Input.Of("N K"));

    // Its definition in words, by other operations: each sample's loss times the weight of its label, over the sum of
    // those weights. What smoothing spreads is weighted by each class's own weight, and divided by the same sum
    // (PyTorch 2's convention, both).
    [Theory]
    [InlineData(0)]
    [InlineData(0.25)]
    public void Class_weights_make_a_weighted_mean(double smoothing) => OnBothDevices(() =>
    {
        var x = Random(3, 6, 4);
        int[] labels = [0, 3, 3, 1, 0, 3];
        double[] weights = [1, 2, 0.25, 4];
        var w = Tensor.From(weights, new Shape(4));
        var total = labels.Sum(label => weights[label]);
        Tensor Composite(Tensor x)
        {
            var losses = -(x.LogSoftmax() * w);
            var atLabels = Enumerable.Range(0, 6).Select(n => losses.Slice(0, n, 1).Slice(1, labels[n], 1).Sum())
                .Aggregate((a, b) => a + b);
            return (atLabels * (1 - smoothing) + losses.Sum() * (smoothing / 4)) / total;
        }
        Gives(x.CrossEntropy(labels, smoothing, weights), new Shape(), Composite(x).ToDouble());
        Gives(Gradient(x => x.CrossEntropy(labels, smoothing, weights), x), x.Shape,
            Gradient(Composite, x).ToDoubles());
    });

    // Logits (0, log 3): the probabilities are 1/4 and 3/4; the weights 3 and 1 make (3 log 4 + 1 log 4/3) / 4.
    [Fact]
    public void Class_weights_by_hand() => OnBothDevices(() =>
    {
        var logits = Of([2, 2], 0, Math.Log(3), 0, Math.Log(3));
        Gives(logits.CrossEntropy([0, 1], classWeights: [3, 1]), new Shape(),
            (3 * Math.Log(4) + Math.Log(4.0 / 3)) / 4);
        // a class that does not count
        Gives(logits.CrossEntropy([0, 1], classWeights: [1, 0]), new Shape(), Math.Log(4));
    });

    [Fact]
    public void Equal_class_weights_change_nothing() => OnBothDevices(() =>
    {
        var x = Random(4, 5, 3);
        int[] labels = [0, 2, 1, 1, 0];
        foreach (var weight in (double[])[1, 1e-3, 1e3])
            Gives(x.CrossEntropy(labels, 0.1, [weight, weight, weight]), new Shape(),
                x.CrossEntropy(labels, 0.1).ToDouble());
    });

    [Fact]
    public void Refuses_weights_that_are_none()
    {
        Refuses<ShapeException>(() => Counting(2, 3).CrossEntropy([0, 1], 0, [1, 2]), "2 class weights", "3 classes");
        Refuses<ArgumentOutOfRangeException>(() => Counting(1, 2).CrossEntropy([0], 0, [1, -1]), "class weight", "-1");
        Refuses<ArgumentOutOfRangeException>(() => Counting(1, 2).CrossEntropy([0], 0, [1, double.NaN]),
            "class weight");
        Refuses<ArgumentException>(() => Counting(2, 2).CrossEntropy([0, 0], 0, [0, 1]), "all labels are 0");
    }
}
