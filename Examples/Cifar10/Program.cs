using System.CommandLine;
using Tapegrad;
using Tapegrad.Devices;
using Tapegrad.Examples.Cifar10;

// Every command returns 0 when it did what was asked, 1 when the person can mend what stood in the way, and 128 and a signal's number when one ended
// it: 129 for a closed window, 130 for Ctrl-C, 143 for the system's request.
var root = new RootCommand("Trains a small convolutional network on CIFAR-10, or, where that is not at hand, on shapes made by "
    + "a formula. Without a command: train with the defaults.");
TrainCommand.AddTo(root);
EvaluateCommand.AddTo(root);
PredictCommand.AddTo(root);
ExportCommand.AddTo(root);
ConvertCommand.AddTo(root);
ProfileCommand.AddTo(root);
TerminalWriter.Install();
Notices.Raised += notice => Console.Error.WriteLine(Line.Of(notice));

try
{
    CheckEnvironment();
    // A file may be called '@name': it is not read for options.
    var parsed = root.Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
    if (parsed.Errors.Count > 0) throw new UserError($"{parsed.Errors[0].Message} Try --help.");
    return parsed.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
}
catch (Exception e) when (e is UserError or IOException or UnauthorizedAccessException or InvalidDataException or NonFiniteException or ShapeException)
{
    Console.Error.WriteLine(Line.Of($"error: {e.Message}"));
    return e is UserError error ? error.ExitCode : 1;
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
