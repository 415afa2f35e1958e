using Tapegrad.Datasets;
using Xunit;

namespace Tapegrad.Tests.Datasets;

public class EvaluationTests
{
    // The classifier that always bets on the image's index modulo 10, with 2 for the logit and 0 elsewhere.
    private static Tensor Bet(Tensor images)
    {
        var (values, count) = (images.ToDoubles(), images.Shape[0]);
        var logits = new double[10 * count];
        for (var n = 0; n < count; n++) logits[10 * n + (int)Math.Round(255 * values[2 * n]) % 10] = 2;
        return Tensor.From(logits, new Shape(count, 10));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(1000)]
    public void Counts_hits_and_confusions_whatever_the_batch(int size)
    {
        // The labels are 7 i modulo 10, so i is right when 6 i is a multiple of 10: for i = 0 and 5 in every ten.
        var result = TestImages.Numbered(40).Evaluate(Bet, size);
        Assert.Equal(0.2, result.Accuracy, 12);
        for (var label = 0; label < 10; label++)
            for (var bet = 0; bet < 10; bet++)
                Assert.Equal(7 * bet % 10 == label ? 4 : 0, result.Confusion[label, bet]);
        // log(e^2 + 9) - 2 when right, log(e^2 + 9) otherwise.
        Assert.Equal(Math.Log(Math.E * Math.E + 9) - 0.2 * 2, result.Loss, 5);
        Assert.Equal(0.2, TestImages.Numbered(40).Accuracy(Bet), 12);
    }

    // It would measure layers that behave as in training, and the next step would take the statistics of the test
    // images.
    [Fact]
    public void Under_a_training_tape_it_is_refused_and_under_another_one_nothing_is_recorded()
    {
        var images = TestImages.Numbered(3);
        using (Tape.Training(new RandomSource(1)))
            Assert.Contains("a training tape is open",
                Assert.Throws<InvalidOperationException>(() => images.Accuracy(Bet)).Message);
        var weight = new Parameter("weight", Tensor.Scalar(1));
        using var tape = Tape.Evaluating();
        Assert.Equal(images.Evaluate(Bet).Loss, images.Evaluate(x => Bet(x) * weight).Loss, 12);
        Assert.Equal(0, tape.Count);
    }

    // Pairs by the way one would count them; and ten thousand classes take the memory of their images, not of their
    // square.
    [Fact]
    public void Confusions_are_counted_pair_by_pair()
    {
        var random = new Random(1);
        var (counted, expected) = (new Confusion(7), new int[7, 7]);
        for (var i = 0; i < 500; i++)
        {
            var (actual, taken) = (random.Next(7), random.Next(5));
            counted.Add(actual, taken);
            expected[actual, taken]++;
        }
        foreach (var actual in Enumerable.Range(0, 7))
        {
            foreach (var taken in Enumerable.Range(0, 7)) Assert.Equal(expected[actual, taken], counted[actual, taken]);
            Assert.Equal((Enumerable.Range(0, 7).Sum(taken => expected[actual, taken]), expected[actual, actual]),
                counted.OfClasses()[actual]);
        }
        Assert.Equal(35, counted.Pairs.Count());
        Assert.Equal(counted.Pairs.Select(pair => (pair.Actual, pair.Taken)).Order(),
            counted.Pairs.Select(pair => (pair.Actual, pair.Taken)));
        Assert.Equal(counted.Mistakes.Select(pair => pair.Count).OrderDescending(),
            counted.Mistakes.Select(pair => pair.Count));
        Assert.Equal(30, counted.Mistakes.Count(pair => pair.Actual != pair.Taken));
        var before = GC.GetAllocatedBytesForCurrentThread();
        var many = new Confusion(10_000);
        many.Add(9_999, 5);
        Assert.Equal((0, 1, 1), (many[5, 9_999], many[9_999, 5], many.OfClasses()[9_999].Images));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 1_000_000);
    }

    // 250 of 32x32, or what takes as much memory.
    [Theory]
    [InlineData(4, 250)]
    [InlineData(32, 250)]
    [InlineData(64, 62)]
    [InlineData(1024, 1)]
    public void Large_images_come_fewer_at_a_time(int side, int together)
    {
        var count = together + 1;
        var seen = new List<int>();
        new ImageDataset("large", new byte[count * side * side], new int[count], (side, side, 1),
            TestImages.ClassNames(2), [0], [1]).Evaluate(images =>
        {
            seen.Add(images.Shape[0]);
            return Tensor.Zeros(new Shape(images.Shape[0], 2));
        });
        Assert.Equal([together, 1], seen);
    }

    [Fact]
    public void Of_several_largest_logits_the_first_counts()
    {
        Assert.Equal(1, Evaluation.CountCorrect(Tensor.From((double[])[3, 3, 1, 0, 5, 5], new Shape(2, 3)), [0, 2]));
    }

    [Fact]
    public void Refuses_a_classifier_of_another_number_of_classes_and_an_empty_dataset()
    {
        var error = Assert.Throws<ShapeException>(() =>
            TestImages.Numbered(3).Evaluate(_ => Tensor.Zeros(new Shape(3, 9))));
        Assert.Contains("10 classes", error.Message);
        Assert.Throws<ArgumentException>(() => TestImages.Numbered(0).Evaluate(Bet));
    }
}
