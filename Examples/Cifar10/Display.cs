using Spectre.Console;
using static System.FormattableString;

namespace Tapegrad.Examples.Cifar10;

/// <summary>
/// Shows how training goes: on a terminal a live bar per epoch, then and elsewhere one plain line per epoch. Passes each epoch
/// on.
/// </summary>
internal sealed class Display(int epochs, Action<Epoch> afterEpoch) : IObserver
{
    private ProgressContext? context;
    private ProgressTask? bar;

    /// <summary>Runs the training with the display open.</summary>
    public bool Show(Func<bool> training)
    {
        if (Console.IsOutputRedirected || !AnsiConsole.Profile.Capabilities.Interactive) return training();
        return AnsiConsole.Progress().AutoClear(false).HideCompleted(false)
            .Columns(new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
            .Start(progress =>
            {
                context = progress;
                return training();
            });
    }

    public void AfterStep(int epoch, int step, int steps, double loss, double accuracy, double imagesPerSecond)
    {
        if (context is null) return;
        if (step == 1) bar = context.AddTask($"epoch {epoch}/{epochs}", maxValue: steps);
        bar!.Value = step;
        bar.Description = Invariant($"epoch {epoch}/{epochs}  loss {loss:F3}  right {accuracy:P1}  {imagesPerSecond:F0} images/s");
    }

    public void AfterEpoch(Epoch epoch)
    {
        afterEpoch(epoch);
        var (number, rate) = ($"epoch {epoch.Number}/{epochs}", epoch.ImagesPerSecond);
        // Beside the bar there is room for a few words only, in a window of 80 columns.
        if (bar is not null) bar.Description = Invariant($"{number}  loss {epoch.TrainLoss:F3}  test {epoch.TestAccuracy:P1}  {rate:F0} images/s");
        else
            Console.WriteLine(Invariant($"{number}  loss {epoch.TrainLoss:F4}  accuracy {epoch.TrainAccuracy:F4}  ")
                + Invariant($"test loss {epoch.TestLoss:F4}  test accuracy {epoch.TestAccuracy:F4}  {rate:F0} images/s  {epoch.Seconds:F0} s"));
    }
}
