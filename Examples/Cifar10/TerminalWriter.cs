using System.Text;

namespace Tapegrad.Examples.Cifar10;

/// <summary>
/// Prints to a terminal as long as there is one. When its window has been closed, writing fails; there is nobody left to tell, and the work that has
/// to be brought to an end must not fail with it. Files and pipes need no such patience: there a failure is one.
/// </summary>
internal sealed class TerminalWriter(TextWriter terminal) : TextWriter
{
    /// <summary>Prints so from now on, where the output is a terminal.</summary>
    public static void Install()
    {
        if (!Console.IsOutputRedirected) Console.SetOut(new TerminalWriter(Console.Out));
        if (!Console.IsErrorRedirected) Console.SetError(new TerminalWriter(Console.Error));
    }

    public override Encoding Encoding => terminal.Encoding;

    public override void Write(char value) => Try(() => terminal.Write(value));

    public override void Write(string? value) => Try(() => terminal.Write(value));

    public override void Write(char[] buffer, int index, int count) => Try(() => terminal.Write(buffer, index, count));

    public override void Flush() => Try(terminal.Flush);

    private static void Try(Action print)
    {
        try
        {
            print();
        }
        catch (IOException)
        {
        }
    }
}
