using System.CommandLine;
using Tapegrad;
using Tapegrad.Devices;
using Tapegrad.Examples.Cifar10;

// Every command returns 0 when it did what was asked, 1 when the person can mend what stood in the way, 130 when Ctrl-C ended it.
var root = new RootCommand("Trains a small convolutional network on CIFAR-10, or, where that is not at hand, on shapes made by "
    + "a formula. Without a command: train with the defaults.");
TrainCommand.AddTo(root);
EvaluateCommand.AddTo(root);
PredictCommand.AddTo(root);
ExportCommand.AddTo(root);
ConvertCommand.AddTo(root);
ProfileCommand.AddTo(root);
Notices.Raised += Console.Error.WriteLine;

try
{
    CheckEnvironment();
    var parsed = root.Parse(args);
    if (parsed.Errors.Count > 0) throw new UserError($"{parsed.Errors[0].Message} Try --help.");
    return parsed.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
}
catch (Exception e) when (e is UserError or IOException or UnauthorizedAccessException or InvalidDataException or NonFiniteException)
{
    Console.Error.WriteLine($"error: {e.Message.ReplaceLineEndings(" ")}");
    return 1;
}

static void CheckEnvironment()
{
    try
    {
        _ = Workers.Threads;
    }
    catch (InvalidOperationException e)   // TAPEGRAD_THREADS is no number
    {
        throw new UserError(e.Message);
    }
}
