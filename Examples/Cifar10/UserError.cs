namespace Tapegrad.Examples.Cifar10;

/// <summary>Something that the person at the keyboard can mend, in one line: what, where, what to do.</summary>
/// <param name="message">The line.</param>
/// <param name="exitCode">What the program returns.</param>
public sealed class UserError(string message, int exitCode = 1) : Exception(message)
{
    /// <summary>What the program returns.</summary>
    public int ExitCode => exitCode;
}
