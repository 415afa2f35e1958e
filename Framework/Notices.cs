namespace Tapegrad;

/// <summary>
/// What a library wants to say without stopping: a notice is one line for the person training. Libraries do not write
/// to the console; a program that wants to show notices does <c>Notices.Raised += Console.Error.WriteLine</c>.
/// </summary>
/// <remarks>Raised on the thread that computes.</remarks>
public static class Notices
{
    /// <summary>Receives each notice.</summary>
    public static event Action<string>? Raised;

    /// <summary>Says something to whoever listens.</summary>
    public static void Raise(string notice) => Raised?.Invoke(notice);
}
