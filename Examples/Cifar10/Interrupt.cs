using System.Runtime.InteropServices;

namespace Tapegrad.Examples.Cifar10;

/// <summary>
/// Ctrl-C, or the system's request to end (SIGTERM), as a request to come to an end in order; a second one ends the program at once.
/// </summary>
internal sealed class Interrupt : IDisposable
{
    private readonly CancellationTokenSource source = new();
    private readonly PosixSignalRegistration[] registrations;

    public Interrupt() =>
        registrations = [PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop), PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop)];

    public CancellationToken Token => source.Token;

    /// <summary>What a program returns that a signal has ended: 128 and the signal's number.</summary>
    public int ExitCode { get; private set; }

    public void Dispose()
    {
        foreach (var registration in registrations) registration.Dispose();
    }

    private void Stop(PosixSignalContext context)
    {
        context.Cancel = !source.IsCancellationRequested;
        ExitCode = context.Signal == PosixSignal.SIGINT ? 130 : 143;
        source.Cancel();
    }
}
