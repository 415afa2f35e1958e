namespace Tapegrad;

/// <summary>Does something once, when it is disposed.</summary>
internal sealed class Disposing(Action end) : IDisposable
{
    private Action? end = end;

    public void Dispose()
    {
        end?.Invoke();
        end = null;
    }
}
