using System.CommandLine;
using Tapegrad.Benchmarks;
using Tapegrad.Examples.Cifar10;

// What training and its kernels cost. Every command returns 0 when it did what was asked, 1 with one line when it
// cannot. README.md says what is measured.
var root = new RootCommand("Measures what a training step and its kernels cost.");
PeerCommand.AddTo(root);
OnnxCommand.AddTo(root);
CompareCommand.AddTo(root);
ErrorsCommand.AddTo(root);
ScalingCommand.AddTo(root);
ThreadsCommand.AddTo(root);
KernelsCommand.AddTo(root);
try
{
    var parsed = root.Parse(args);
    if (parsed.Errors.Count > 0) throw new UserError($"{parsed.Errors[^1].Message} Try --help.");
    return parsed.Invoke(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
}
catch (Exception e) when (e is UserError or IOException or UnauthorizedAccessException)
{
    Console.Error.WriteLine($"error: {e.Message.ReplaceLineEndings(" ")}");
    return 1;
}
