namespace Tapegrad.Examples.Cifar10;

/// <summary>Something that the person at the keyboard can mend, in one line: what, where, what to do.</summary>
internal sealed class UserError(string message) : Exception(message);
