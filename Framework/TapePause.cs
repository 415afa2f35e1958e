namespace Tapegrad;

/// <summary>While it is not disposed, its tape records nothing.</summary>
public sealed class TapePause : IDisposable
{
    private Tape? tape;

    internal TapePause(Tape tape)
    {
        this.tape = tape;
        tape.Pauses++;
    }

    /// <summary>
    /// Pauses this thread's tape for what takes layers to behave as in evaluation; null where none is open.
    /// </summary>
    /// <param name="work">What is done, which begins the message: 'classify'.</param>
    /// <exception cref="InvalidOperationException">A training tape is open.</exception>
    public static TapePause? ForEvaluation(string work) => Tape.Current is not { } tape ? null
        : tape.IsTraining ? throw TapeErrors.Trains(work) : new TapePause(tape);

    /// <summary>Goes on recording.</summary>
    public void Dispose()
    {
        if (tape is not null) tape.Pauses--;
        tape = null;
    }
}
