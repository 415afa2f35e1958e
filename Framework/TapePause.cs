namespace Tapegrad;

/// <summary>While it is not disposed, its tape records nothing.</summary>
internal sealed class TapePause : IDisposable
{
    private Tape? tape;

    public TapePause(Tape tape)
    {
        this.tape = tape;
        tape.Pauses++;
    }

    public void Dispose()
    {
        if (tape is not null) tape.Pauses--;
        tape = null;
    }
}
