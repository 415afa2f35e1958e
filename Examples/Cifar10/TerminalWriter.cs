using System.Text;

namespace Tapegrad.Examples.Cifar10;

/// <summary>
/// Prints to a terminal as long as there is one. When its window has been closed, writing fails; there is nobody left
/// to tell, and the work that has to be brought to an end must not fail with it. Files and pipes need no such patience:
/// there a failure is one, of what is printed.
/// </summary>
internal sealed class TerminalWriter(TextWriter terminal, bool isTerminal) : TextWriter
{
    /// <summary>Prints so from now on.</summary>
    public static void Install()
    {
        Console.SetOut(new TerminalWriter(Console.Out, !Console.IsOutputRedirected));
        if (!Console.IsErrorRedirected) Console.SetError(new TerminalWriter(Console.Error, isTerminal: true));
    }

    public override Encoding Encoding => terminal.Encoding;

    public override void Write(char value) => Try(() => terminal.Write(value));

    public override void Write(string? value) => Try(() => terminal.Write(value));

    public override void Write(char[] buffer, int index, int count) => Try(() => terminal.Write(buffer, index, count));

    public override void WriteLine(string? value) => Try(() => terminal.WriteLine(value));

    public override void Flush() => Try(terminal.Flush);

    private void Try(Action print)
    {
        try
        {
            print();
        }
        catch (IOException e)
        {
            if (!isTerminal) throw new IOException($"what is printed cannot be written: {e.Message}", e);
        }
    }
}
