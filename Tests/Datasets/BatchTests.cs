using Tapegrad.Datasets;
using Tapegrad.Devices;
using Xunit;

namespace Tapegrad.Tests.Datasets;

public class BatchTests
{
    // The images of each epoch, in their order.
    private static int[][] Epochs(IEnumerable<Batch> batches) =>
        [.. batches.SelectMany(batch => TestImages.Indices(batch).Select(index => (batch.Epoch, index)))
            .GroupBy(shown => shown.Epoch, shown => shown.index).Select(epoch => epoch.ToArray())];

    // Everything that a batch says, as text.
    private static string[] Contents(IEnumerable<Batch> batches) =>
        [.. batches.Select(b =>
            $"{b.Step} {b.Epoch} {b.Random.Bits(0)} {string.Join(',', b.Labels)} "
                + $"{string.Join(',', b.Images.ToFloats())}")];

    [Fact]
    public void Every_image_comes_once_an_epoch_with_its_own_label()
    {
        var dataset = TestImages.Numbered(301);
        var labelled = new List<(int Index, int Label)>();
        foreach (var batch in dataset.Batches(16, 2, seed: 1, dropLast: false))
            labelled.AddRange(TestImages.Indices(batch).Zip(batch.Labels));
        Assert.Equal(602, labelled.Count);
        Assert.All(labelled, pair => Assert.Equal(TestImages.LabelOf(pair.Index), pair.Label));
        Assert.Equal(Enumerable.Range(0, 301), labelled.Take(301).Select(pair => pair.Index).Order());
        Assert.Equal(Enumerable.Range(0, 301), labelled.Skip(301).Select(pair => pair.Index).Order());
    }

    [Fact]
    public void Each_epoch_and_each_seed_has_an_order_of_its_own()
    {
        var dataset = TestImages.Numbered(100);
        var orders = Epochs(dataset.Batches(10, 3, seed: 1)).Concat(Epochs(dataset.Batches(10, 3, seed: 2))).ToArray();
        Assert.Equal(6, orders.Length);
        for (var i = 0; i < 6; i++)
        {
            Assert.NotEqual(Enumerable.Range(0, 100), orders[i]);
            for (var j = 0; j < i; j++) Assert.NotEqual(orders[j], orders[i]);
        }
    }

    [Fact]
    public void The_same_seed_gives_the_same_batches()
    {
        var dataset = Shapes10.Load(60, 0).Train;
        var batches = dataset.Batches(16, 2, seed: 5, Augment.CropAndFlip);
        Assert.Equal(6, batches.Count());
        Assert.Equal(Contents(batches), Contents(batches));
    }

    // Runs are repeated months later: this order may only change on purpose. It was written down when it was first
    // drawn.
    [Fact]
    public void The_order_of_a_seed_stays()
    {
        var orders = Epochs(TestImages.Numbered(10).Batches(10, 2, seed: 1)).Select(order => string.Join(' ', order));
        Assert.Equal(["5 1 7 8 6 0 3 2 4 9", "4 8 9 0 6 2 5 1 7 3"], orders);
    }

    [Fact]
    public void Order_and_augmentation_do_not_depend_on_the_batch_size()
    {
        var dataset = Shapes10.Load(60, 0).Train;
        float[] Stream(int size) =>
            [.. dataset.Batches(size, 2, seed: 5, Augment.CropAndFlip, dropLast: false)
                .SelectMany(batch => batch.Images.ToFloats())];
        Assert.Equal(Stream(60), Stream(1));
        Assert.Equal(Stream(60), Stream(7));
    }

    [Fact]
    public void A_run_goes_on_where_it_was_interrupted()
    {
        var dataset = Shapes10.Load(50, 0).Train;
        var whole = Contents(dataset.Batches(8, 4, seed: 3, Augment.CropAndFlip));
        var rest = Contents(dataset.Batches(8, 2, seed: 3, Augment.CropAndFlip, firstEpoch: 3));
        Assert.Equal(24, whole.Length);
        Assert.Equal(whole[12..], rest);
    }

    // Not a multiple of the size, so that the images that are dropped at the end of an epoch count too.
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_walk_that_was_left_anywhere_goes_on_as_if_it_had_not_been(bool dropLast)
    {
        var dataset = Shapes10.Load(29, 0).Train;
        var perEpoch = dataset.BatchesPerEpoch(8, dropLast);
        var whole = Contents(dataset.Batches(8, 3, seed: 3, Augment.CropAndFlip, dropLast: dropLast));
        for (var done = 0; done <= 2 * perEpoch; done++)
            foreach (var epoch in done % perEpoch == 0 && done > 0
                ? new[] { done / perEpoch, done / perEpoch + 1 }   // the end of an epoch is the beginning of the next
                : [done / perEpoch + 1])
                Assert.Equal(whole[done..],
                    Contents(dataset.Batches(8, 4 - epoch, seed: 3, Augment.CropAndFlip, epoch, dropLast,
                        firstBatch: done - (epoch - 1) * perEpoch)));
        Assert.Throws<ArgumentOutOfRangeException>(() =>
            dataset.Batches(8, 1, seed: 3, dropLast: dropLast, firstBatch: perEpoch + 1));
        Assert.Throws<ArgumentOutOfRangeException>(() =>
            dataset.Batches(8, 1, seed: 3, dropLast: dropLast, firstBatch: -1));
    }

    [Fact]
    public void Steps_count_from_0_over_all_epochs_and_epochs_from_1()
    {
        var numbers = TestImages.Numbered(7).Batches(2, 3, seed: 1)
            .Select(batch => (batch.Step, batch.Epoch, batch.Count)).ToArray();
        Assert.Equal([(0, 1, 2), (1, 1, 2), (2, 1, 2), (3, 2, 2), (4, 2, 2), (5, 2, 2), (6, 3, 2), (7, 3, 2),
            (8, 3, 2)], numbers);
    }

    [Fact]
    public void The_last_partial_batch_is_dropped_or_kept()
    {
        var dataset = TestImages.Numbered(7);
        Assert.Equal([3, 3], dataset.Batches(3, 1, seed: 1).Select(batch => batch.Count));
        Assert.Equal([3, 3, 1], dataset.Batches(3, 1, seed: 1, dropLast: false).Select(batch => batch.Count));
        Assert.Equal([7], dataset.Batches(7, 1, seed: 1).Select(batch => batch.Count));
        var shapes = dataset.Batches(3, 1, seed: 1, dropLast: false).Select(batch => batch.Images.Shape).ToArray();
        Assert.Equal([new Shape(3, 1, 2, 1), new Shape(3, 1, 2, 1), new Shape(1, 1, 2, 1)], shapes);
    }

    [Fact]
    public void A_steps_random_numbers_follow_from_seed_and_step_alone()
    {
        var a = TestImages.Numbered(12).Batches(3, 2, seed: 9, Augment.Flip).Select(batch => batch.Random).ToArray();
        var b = TestImages.Numbered(40).Batches(5, 1, seed: 9).Select(batch => batch.Random).ToArray();
        Assert.Equal(8, a.Distinct().Count());
        Assert.Equal(a, b);
        Assert.NotEqual(a[0], TestImages.Numbered(12).Batches(3, 1, seed: 8).First().Random);
    }

    // Three streams of one seed: if two of them were the same, dropout would follow the crops, for instance.
    [Fact]
    public void Orders_crops_and_steps_draw_from_different_numbers()
    {
        var seed = new RandomSource(9);
        Assert.Equal(seed.Split(2).Split(0), TestImages.Numbered(12).Batches(12, 1, seed: 9).First().Random);
        Assert.Equal(seed.Split(0).Split(1).Permutation(12),
            TestImages.Indices(TestImages.Numbered(12).Batches(12, 1, seed: 9).First()));
        var isFlipped = seed.Split(1).Split(1).Split(0).Below(2, 2) == 1;
        var picture = new ImageDataset("two pixels", [10, 20], [0], (1, 2, 1), ["one"], [0], [1]);
        Assert.Equal(isFlipped ? [20, 10] : [10, 20],
            TestImages.Bytes(picture.Batches(1, 1, seed: 9, Augment.Flip).First()));
    }

    [Fact]
    public void In_order_shows_every_image_as_it_is_stored()
    {
        var dataset = TestImages.Numbered(10);
        var batches = dataset.InOrder(4)
            .Select(batch => (batch.Step, batch.Epoch, Indices: TestImages.Indices(batch), batch.Labels)).ToArray();
        Assert.Equal([(0, 1), (1, 1), (2, 1)], batches.Select(batch => (batch.Step, batch.Epoch)));
        Assert.Equal([[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]], batches.Select(batch => batch.Indices));
        Assert.Equal(dataset.Labels, batches.SelectMany(batch => batch.Labels));
        Assert.Equal(10, dataset.InOrder(1000).Single().Count);
    }

    [Fact]
    public void A_batch_is_on_the_device_that_the_loop_uses()
    {
        using var use = Device.Use(Device.Reference);
        Assert.Same(Device.Reference, TestImages.Numbered(3).InOrder(3).First().Images.Device);
    }

    // ---- memory -----------------------------------------------------------------------------------------------------

    [Fact]
    public void Images_are_good_until_the_next_batch_is_asked_for()
    {
        using var batches = TestImages.Numbered(30).InOrder(3).GetEnumerator();
        Assert.True(batches.MoveNext());
        var (labels, kept) = (batches.Current.Labels, batches.Current.Images.Keep());
        Assert.Equal([0, 1, 2], TestImages.Indices(batches.Current));
        Assert.True(batches.MoveNext());
        var late = batches.Current.Images;
        Assert.True(batches.MoveNext());
        Assert.Contains("Keep()", Assert.Throws<InvalidOperationException>(() => late.ToDoubles()).Message);
        Assert.Equal([0, 0, 1 / 255f, 0, 2 / 255f, 0], kept.ToFloats());
        while (batches.MoveNext()) { }
        Assert.Equal([0, 7, 4], labels);
    }

    [Fact]
    public void The_last_batch_stays_good_when_the_loop_ends()
    {
        Assert.Equal([0, 1, 2], TestImages.Indices(TestImages.Numbered(9).InOrder(3).First()));
        Assert.Equal([6, 7, 8], TestImages.Indices(TestImages.Numbered(9).InOrder(3).Last()));
    }

    [Fact]
    public void A_batch_belongs_to_the_loop_and_not_to_the_scope_it_was_asked_for_in()
    {
        using var batches = TestImages.Numbered(9).InOrder(3).GetEnumerator();
        for (var step = 0; step < 3; step++)
        {
            using (new Scope()) Assert.True(batches.MoveNext());
            Assert.Equal(3 * step, TestImages.Indices(batches.Current)[0]);
        }
    }

    [Fact]
    public void A_long_loop_uses_the_same_memory_again()
    {
        var device = CpuDevice.Create();
        using var use = Device.Use(device);
        using var batches = TestImages.Numbered(40).Batches(4, 50, seed: 1).GetEnumerator();
        for (var step = 0; step < 3; step++) Assert.True(batches.MoveNext());
        var created = device.Pool.Created;
        var steps = 3;
        while (batches.MoveNext()) steps++;
        Assert.Equal(500, steps);
        Assert.Equal(created, device.Pool.Created);
    }

    [Fact]
    public void Two_loops_over_one_dataset_do_not_disturb_each_other()
    {
        var dataset = TestImages.Numbered(12);
        foreach (var (a, b) in dataset.InOrder(4).Zip(dataset.Batches(4, 1, seed: 1)))
        {
            Assert.Equal(4 * a.Step, TestImages.Indices(a)[0]);
            Assert.Equal(b.Labels, TestImages.Indices(b).Select(TestImages.LabelOf));
        }
    }
}
