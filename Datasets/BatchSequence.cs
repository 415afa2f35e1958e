using System.Buffers;

namespace Tapegrad.Datasets;

/// <summary>
/// One walk over a dataset in batches: which images stand in which batch, how they are prepared in the background, and
/// who owns the memory.
/// </summary>
internal sealed class BatchSequence(ImageDataset dataset, int size, RandomSource random)
{
    private const int Slots = 3;   // one in the loop's hands, one that is ready, one being prepared

    // Independent streams of the seed.
    private readonly RandomSource orders = random.Split(0);
    private readonly RandomSource augmentations = random.Split(1);
    private readonly RandomSource steps = random.Split(2);
    private readonly RandomSource turns = random.Split(3);

    /// <summary>The first epoch of the walk, from 1.</summary>
    public int FirstEpoch { get; init; } = 1;

    /// <summary>How many batches of the first epoch are left out.</summary>
    public int FirstBatch { get; init; }

    /// <summary>The number of epochs.</summary>
    public int Epochs { get; init; } = 1;

    /// <summary>Whether each epoch has an order of its own; otherwise the images come as they are stored.</summary>
    public bool Shuffles { get; init; }

    /// <summary>Whether an epoch ends before a batch that would not be full.</summary>
    public bool DropsLast { get; init; }

    /// <summary>What is done to the images.</summary>
    public Augment Augment { get; init; } = Augment.None;

    // The images of one step: order[Start], ..., order[Start + Count - 1]; without an order, the images Start, Start +
    // 1, ...
    private sealed record Plan(int Step, int Epoch, Lazy<int[]>? Order, int Start, int Count);

    private sealed class Slot(float[] pixels)
    {
        public float[] Pixels => pixels;
        public int[] Labels { get; set; } = [];
    }

    /// <summary>
    /// Walks. Each batch's tensor lives until the next one is asked for; the last one is left to the collector.
    /// </summary>
    public IEnumerable<Batch> Walk()
    {
        // From the pool, since each epoch is a walk of its own; a walk that is forgotten leaves them to the collector.
        var slots = new Slot[Slots];
        for (var i = 0; i < Slots; i++)
            slots[i] = new Slot(ArrayPool<float>.Shared.Rent(Math.Min(size, dataset.Count) * dataset.PixelsPerImage));
        try
        {
            Scope? before = null;
            foreach (var (plan, slot) in Prefetch.Run(Plans(), slots, Fill))
            {
                before?.Dispose();
                before = Scope.Apart();
                yield return new Batch(Images(slot, plan.Count, before), slot.Labels, plan.Step, plan.Epoch,
                    steps.Split(plan.Step));
            }
        }
        finally
        {
            // nothing writes to them any more: see Prefetch
            foreach (var slot in slots) ArrayPool<float>.Shared.Return(slot.Pixels);
        }
    }

    private IEnumerable<Plan> Plans()
    {
        var step = (FirstEpoch - 1) * dataset.BatchesPerEpoch(size, DropsLast) + FirstBatch;
        for (var epoch = FirstEpoch; epoch < FirstEpoch + Epochs; epoch++)
        {
            var number = epoch;   // the closure below keeps this one
            var order = Shuffles ? new Lazy<int[]>(() => orders.Split(number).Permutation(dataset.Count)) : null;
            var first = epoch == FirstEpoch ? FirstBatch : 0;
            for (var start = first * size; start < dataset.Count; start += size)
            {
                var count = Math.Min(size, dataset.Count - start);
                if (count == size || !DropsLast) yield return new Plan(step++, epoch, order, start, count);
            }
        }
    }

    // In the background.
    private void Fill(Plan plan, Slot slot)
    {
        slot.Labels = new int[plan.Count];
        for (var i = 0; i < plan.Count; i++)
        {
            var position = plan.Start + i;
            var image = plan.Order?.Value[position] ?? position;
            slot.Labels[i] = dataset.Labels[image];
            Augment.Apply(dataset.Image(image), dataset.Levels, (dataset.Height, dataset.Width, dataset.Channels),
                augmentations.Split(plan.Epoch).Split(position), IsTurn(image, plan.Epoch),
                slot.Pixels.AsSpan(i * dataset.PixelsPerImage, dataset.PixelsPerImage));
        }
    }

    // In every second epoch, from the first or the second on.
    private bool IsTurn(int image, int epoch) => Augment.Alternates && (turns.Below(2, image) + epoch) % 2 == 1;

    private Tensor Images(Slot slot, int count, Scope owner)
    {
        // Made inside a scope, so that the memory comes out of the pool; handed on to the scope that gives it back at
        // the next batch.
        using var _ = new Scope();
        var shape = new Shape(count, dataset.Height, dataset.Width, dataset.Channels);
        var images = Tensor.From(slot.Pixels.AsSpan(0, shape.Count), shape);
        owner.Adopt(images);
        return images;
    }
}
