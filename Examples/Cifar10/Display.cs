using Spectre.Console;
using Tapegrad.Optimizers;
using Tapegrad.Training;
using static System.FormattableString;

namespace Tapegrad.Examples.Cifar10;

/// <summary>
/// Shows how training goes: on a terminal a live bar per epoch; elsewhere, and on a terminal that cannot move its
/// cursor, one plain line per epoch.
/// </summary>
/// <param name="epochs">Epochs in all.</param>
/// <param name="heldApart">What the images are called that an epoch is measured by.</param>
internal sealed class Display(int epochs, string heldApart)
{
    private ProgressContext? context;
    private ProgressTask? bar;
    private int barEpoch;

    /// <summary>How many there are of something: "1 thread", "2 threads".</summary>
    public static string Count(int number, string what) => Invariant($"{number} {what}{(number == 1 ? "" : "s")}");

    /// <summary>Runs the training with the display open.</summary>
    public T Show<T>(Func<T> training)
    {
        if (Console.IsOutputRedirected || AnsiConsole.Profile.Capabilities is not { Interactive: true, Ansi: true })
            return training();
        return AnsiConsole.Progress().AutoClear(false).HideCompleted(false)
            .Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(),
                new PercentageColumn(),
                new RemainingTimeColumn())
            .Start(progress =>
            {
                context = progress;
                return training();
            });
    }

    public void AfterStep(TrainingProgress now)
    {
        if (context is null) return;
        if (barEpoch != now.Epoch) bar = context.AddTask($"epoch {now.Epoch}/{epochs}", maxValue: now.Steps);
        barEpoch = now.Epoch;
        bar!.Value = now.Step;
        bar.Description =
            Invariant($"epoch {now.Epoch}/{epochs}  loss {now.Loss:F3}  right {now.Accuracy:P1}  {now.ImagesPerSecond:F0} images/s");
    }

    public void AfterEpoch(Epoch epoch)
    {
        var (trained, seen) = (epoch.Training, epoch.Validation!);
        var (number, rate) = ($"epoch {trained.Epoch}/{epochs}", trained.ImagesPerSecond);
        // Beside the bar there is room for a few words only, in a window of 80 columns.
        if (bar is not null)
            bar.Description =
                Invariant($"{number}  loss {trained.Loss:F3}  {heldApart} {seen.Accuracy:P1}  {rate:F0} images/s");
        else
            Console.WriteLine(Invariant($"{number}  loss {trained.Loss:F4}  accuracy {trained.Accuracy:F4}  ")
                + Invariant($"{heldApart} loss {seen.Loss:F4}  {heldApart} accuracy {seen.Accuracy:F4}  {rate:F0} images/s  {epoch.Seconds:F0} s"));
    }
}
