using System.Runtime.InteropServices;

namespace Tapegrad.Examples.Cifar10;

/// <summary>
/// Ctrl-C, a closed window (SIGHUP), or the system's request to end (SIGTERM), as a request to come to an end in order.
/// A second Ctrl-C ends the program at once; the others come twice where nobody insists, a closed window from its shell
/// and from the system.
/// </summary>
internal sealed class Interrupt : IDisposable
{
    // By their numbers, which are the same on every system that has them.
    private static readonly (PosixSignal Signal, int Number)[] Signals =
        [(PosixSignal.SIGHUP, 1), (PosixSignal.SIGINT, 2), (PosixSignal.SIGTERM, 15)];

    private readonly CancellationTokenSource source = new();
    private readonly PosixSignalRegistration[] registrations;

    public Interrupt() =>
        registrations = Array.ConvertAll(Signals, signal => PosixSignalRegistration.Create(signal.Signal, Stop));

    public CancellationToken Token => source.Token;

    /// <summary>What a program returns that a signal has ended: 128 and the signal's number.</summary>
    public int ExitCode { get; private set; }

    public void Dispose()
    {
        foreach (var registration in registrations) registration.Dispose();
    }

    private void Stop(PosixSignalContext context)
    {
        context.Cancel = context.Signal != PosixSignal.SIGINT || !source.IsCancellationRequested;
        ExitCode = 128 + Signals.Single(signal => signal.Signal == context.Signal).Number;
        source.Cancel();
    }
}
