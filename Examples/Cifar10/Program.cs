using System.CommandLine;
using System.CommandLine.Parsing;
using Tapegrad;
using Tapegrad.Devices;
using Tapegrad.Examples.Cifar10;

// Every command returns 0 when it did what was asked, 1 when the person can mend what stood in the way, and 128 and a
// signal's number when one ended it: 129 for a closed window, 130 for Ctrl-C, 143 for the system's request.
var root = new RootCommand("Trains a small convolutional network on CIFAR-10, or, where that is not at hand, on shapes "
    + "made by a formula. Without a command: train with the defaults.");
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
    // A file may be called '@name': it is not read for options.
    var parsed = root.Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
    if (parsed.Errors.Count > 0) throw new UserError($"{parsed.Errors[0].Message} Try --help.");
    foreach (var option in parsed.CommandResult.Children.OfType<OptionResult>())
        if (option.Option.Arity.MinimumNumberOfValues > 0 && option.IdentifierTokenCount > option.Tokens.Count)
            throw new UserError($"{option.Option.Name}: it is given {option.IdentifierTokenCount} times, and not each "
                + "time with a value. Give it once.");
    // What stands there is the root's, which the command does not look at.
    if (parsed.CommandResult != parsed.RootCommandResult
        && parsed.RootCommandResult.Children.OfType<OptionResult>()
            .FirstOrDefault(before => before is { Implicit: false, Option.Recursive: false }) is { } misplaced)
        throw new UserError($"{misplaced.Option.Name} stands before '{parsed.CommandResult.Command.Name}'; give it "
            + "behind.");
    if (!TrainOptions.IsGiven(parsed, TrainOptions.Threads)) CheckEnvironment();
    return parsed.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
}
catch (Exception e) when (e is UserError or IOException or UnauthorizedAccessException or InvalidDataException
    or NonFiniteException or ShapeException)
{
    Console.Error.WriteLine(Line.Of($"error: {e.Message}"));
    return e is UserError error ? error.ExitCode : 1;
}

static void CheckEnvironment()
{
    try
    {
        if (Workers.Threads > TrainOptions.MostThreads)
            throw new UserError($"{Workers.Variable} is {Workers.Threads}: it must be a whole number from 1 to "
                + $"{TrainOptions.MostThreads}.");
    }
    catch (InvalidOperationException e)   // TAPEGRAD_THREADS is no number
    {
        throw new UserError(e.Message);
    }
}
