using System.Diagnostics;
using Tapegrad.Datasets;
using static System.FormattableString;

namespace Tapegrad.Training;

/// <summary>
/// As many epochs as fit into a time, on this machine as it is now. A few steps are taken on the side, with a network
/// of their own, and a few images classified; what that took is a part of the time. Once the number stands in a recipe,
/// the run depends on no clock any more.
/// </summary>
/// <param name="Epochs">At least 1, even where that takes longer.</param>
/// <param name="SecondsPerEpoch">What an epoch takes, and looking at the images that are held apart.</param>
/// <param name="IsEnough">Whether that fits, with the look at the test images in the end.</param>
public sealed record Budget(int Epochs, double SecondsPerEpoch, bool IsEnough)
{
    private const int WarmSteps = 2, LeastSteps = 3, Looked = 500;

    // Of the time, and not more than that many seconds: for warming up, and for measuring.
    private const double Share = 0.01, MostSeconds = 3;

    /// <summary>The least and the largest time, in minutes.</summary>
    public static (double Least, double Most) Range => (0.0001, 1e6);

    /// <summary>Measures.</summary>
    /// <param name="minutes">The time, from now until the accuracies are known, in <see cref="Range"/>.</param>
    /// <param name="recipe">Resolved, for any number of epochs.</param>
    /// <param name="images">Its images.</param>
    /// <exception cref="ArgumentOutOfRangeException">That is no time to train in.</exception>
    /// <exception cref="NonFiniteException">The first steps of the recipe end in numbers that are not
    /// finite.</exception>
    public static Budget Measure(double minutes, Recipe recipe, RunImages images)
    {
        if (!(minutes >= Range.Least && minutes <= Range.Most))
            throw new ArgumentOutOfRangeException(nameof(minutes), minutes,
                Invariant($"it must be a number from {Range.Least} to {Range.Most}."));
        var clock = Stopwatch.StartNew();
        var model = recipe.CreateModel(images.Train);
        var perStep = SecondsOfStep(recipe, recipe.CreateFit(model, images.Train), images.Train,
            Math.Min(MostSeconds, Share * 60 * minutes));
        var (seen, views) = (images.Validation ?? images.Test, TestViews.Named(recipe.TestViews!)!.Count);
        var perImage = SecondsOfImage(model.Apply, seen);
        var looks = (views > 1 ? views : 0) + (images.Validation is null ? 0 : 1);   // at the test images
        return Of(minutes, clock.Elapsed.TotalSeconds,
            new Work(images.Train.BatchesPerEpoch(recipe.BatchSize!.Value), perStep),
            new Work(seen.Count, perImage), new Work(looks * images.Test.Count, perImage));
    }

    /// <summary>So many times something that takes so many seconds.</summary>
    internal readonly record struct Work(int Count, double Seconds)
    {
        public double Total => Count * Seconds;
    }

    /// <summary>
    /// The most epochs that fit behind what has passed and before what is done in the end, and whose steps can be
    /// counted; 1 where none fits.
    /// </summary>
    internal static Budget Of(double minutes, double passed, Work steps, Work looks, Work end)
    {
        var (left, perEpoch) = (60 * minutes - passed - end.Total, steps.Total + looks.Total);
        var epochs = (int)Math.Clamp(Math.Floor(left / perEpoch), 1, int.MaxValue / steps.Count);
        return new Budget(epochs, perEpoch, left >= perEpoch);
    }

    private static double SecondsOfStep(Recipe recipe, Fit fit, ImageDataset train, double seconds)
    {
        var (clock, steps, warm) = (Stopwatch.StartNew(), 0, (Steps: 0, Seconds: 0.0));
        // Among so many batches the optimizer takes a step: it belongs to the time, and a network that has taken none
        // may not be able to classify.
        var least = Math.Max(LeastSteps, recipe.Accumulate);
        using var enough = new CancellationTokenSource();
        fit.AfterStep = _ =>
        {
            var now = clock.Elapsed.TotalSeconds;
            steps++;
            if (warm.Steps == 0 && steps >= WarmSteps && now >= seconds) warm = (steps, now);
            else if (warm.Steps > 0 && steps >= warm.Steps + least && now >= warm.Seconds + seconds)
                enough.Cancel();
        };
        fit.Run(train, null, recipe.Epochs!.Value, recipe.BatchSize!.Value, recipe.Seed, recipe.CreateAugment(train),
            enough.Token);
        if (warm.Steps == steps) warm = (0, 0);   // so few are all there are
        return (clock.Elapsed.TotalSeconds - warm.Seconds) / (steps - warm.Steps);
    }

    private static double SecondsOfImage(Func<Tensor, Tensor> classify, ImageDataset images)
    {
        var some = images.Take(Looked);
        some.Accuracy(classify);   // once to warm up
        var clock = Stopwatch.StartNew();
        some.Accuracy(classify);
        return clock.Elapsed.TotalSeconds / some.Count;
    }
}
