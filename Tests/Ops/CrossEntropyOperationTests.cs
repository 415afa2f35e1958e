using Tapegrad.Devices;
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

    // Mixup's targets: two labels in their shares.
    [Theory]
    [InlineData(0)]
    [InlineData(0.2)]
    public void A_mixture_of_two_labels_obeys_the_laws(double smoothing) =>
        OperationLaws.Check(x => x.CrossEntropy(Labels(x), smoothing) * 0.7
            + x.CrossEntropy([.. Labels(x).Reverse()], smoothing) * 0.3, Input.Of("N K"));

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
        // in a sweep that is recorded, too
        using var tape = Tape.Evaluating();
        var x = tape.Watch(masked);
        Gives(tape.Gradients(x.CrossEntropy([0]), [x], createGraph: true)[0], new Shape(1, 3), -0.5, 0, 0.5);
    });

    // ---- one record -------------------------------------------------------------------------------------------------

    [Fact]
    public void Is_one_record_of_whatever_it_is_asked_for() => OnBothDevices(() =>
    {
        using var tape = Tape.Evaluating();
        var x = tape.Watch(Random(5, 4, 3));
        foreach (var (smoothing, weights) in ((double, double[])[])[(0, []), (0.1, []), (0, [1, 2, 3]), (1, [1, 2, 3])])
        {
            var before = tape.Count;
            var loss = x.CrossEntropy([0, 2, 1, 1], smoothing, weights);
            Assert.Equal((before + 1, true), (tape.Count, tape.Recorded(loss)));
            tape.Gradients(loss, [x]);   // a plain sweep writes nothing
            Assert.Equal(before + 1, tape.Count);
        }
    });

    // Drawn: one sample or many, one class or many, logits near 0 and huge, impossible classes, targets of all kinds,
    // and any gradient of the loss. What it does in one record are the steps of its definition, in their order.
    [Fact]
    public void Its_value_and_gradient_are_to_the_bit_those_of_the_operations_that_it_is_made_of() => OnBothDevices(() =>
    {
        for (var seed = 0; seed < 150; seed++)
        {
            var random = new RandomSource(seed);
            T Pick<T>(int what, params T[] of) => of[random.Split(what).Below(of.Length, 0)];
            var (samples, classes) = (Pick(0, 1, 2, 5, 33, 130), Pick(1, 1, 2, 3, 10, 17, 100));
            var (smoothing, size) = (Pick(2, 0, 0.1, 1), Pick(3, 1, 30, 1e4, 1e30));
            double[] weights = Pick(4, 0, 1, 2) == 0 ? Weights(classes) : [];
            int[] labels = [.. Enumerable.Range(0, samples).Select(n => random.Split(5).Below(classes, n))];
            if (weights.Length > 1) weights[(labels[0] + 1) % classes] = 0;
            var logits = Tensor.Normal(new Shape(samples, classes), random.Split(6)) * size;
            if (Pick(7, 0, 1) == 0)
                logits = Tensor.Uniform(logits.Shape, random.Split(8)).Greater(0.2)
                    .Where(logits, Tensor.Scalar(double.NegativeInfinity));
            var target = new double[logits.Count];
            for (var i = 0; i < target.Length; i++)
                target[i] = (smoothing / classes + (labels[i / classes] == i % classes ? 1 - smoothing : 0))
                    * (weights.Length == 0 ? 1 : weights[i % classes]);
            var t = Tensor.From(target, logits.Shape);
            var count = labels.Sum(label => weights.Length == 0 ? 1 : weights[label]);
            Tensor Definition(Tensor x)
            {
                var shifted = x - x.Max([1], keepAxes: true).StopGradient();
                var logarithms = shifted - shifted.Exp().Sum([1], keepAxes: true).Log();
                return -((logarithms * t).Masked(t).Sum() / count);
            }
            double[] Both(Func<Tensor, Tensor> loss) => [loss(logits).ToDouble(),
                .. Gradient(loss, logits, Pick(9, 1, 0.3, -2)).ToDoubles()];
            var both = Both(x => x.CrossEntropy(labels, smoothing, weights));
            Assert.Equal(Both(Definition), both);
            Assert.Equal(CrossEntropyOperation.Composite(logits, t, count).ToDouble(), both[0]);
        }
    });

    // A tape keeps the targets and the value of each; what it computes on the way is given back.
    [Fact]
    public void Keeps_no_memory_but_that_of_its_targets_and_its_value()
    {
        var device = CpuDevice.Create();
        using var _ = Device.Use(device);
        using var tape = Tape.Evaluating();
        var x = tape.Watch(Random(6, 64, 100));
        var labels = Labels(x);
        x.CrossEntropy(labels);
        var before = device.Pool.Created;
        for (var i = 0; i < 10; i++) x.CrossEntropy(labels);
        Assert.InRange(device.Pool.Created - before, 0, 20);
    }

    // ---- errors -----------------------------------------------------------------------------------------------------

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
