using Tapegrad.Devices;

namespace Tapegrad;

/// <summary>
/// What looking ahead at a step comes to: one number on each device, 0 until something is not finite or would not stay
/// so. However much is judged, a device that works while the program goes on is waited for once.
/// </summary>
/// <remarks>The numbers belong to the innermost scope. Not thread-safe.</remarks>
public sealed class Verdicts
{
    private readonly List<Tensor> verdicts = [];

    /// <summary>The number of a device, for <see cref="Parameter.CheckUpdate"/>.</summary>
    public Tensor Of(Device device)
    {
        foreach (var verdict in verdicts)
            if (verdict.Device == device) return verdict;
        using var _ = Device.Use(device);
        verdicts.Add(Tensor.Scalar(0));
        return verdicts[^1];
    }

    /// <summary>Judges the numbers of a tensor as they are.</summary>
    public void Judge(Tensor x) =>
        x.Device.CheckUpdate(new Nothing(), x.Buffer, x.Buffer, null, null, Of(x.Device).Buffer);

    /// <summary>Whether everything is finite, and would stay so. Waits for the devices.</summary>
    public bool AreGood() => verdicts.TrueForAll(verdict => verdict.ToDouble() == 0);

    internal readonly struct Nothing : IUpdate
    {
        public void Apply<T>(ref T parameter, T gradient, ref T first, ref T second) where T : struct, IReal<T> { }
    }
}
