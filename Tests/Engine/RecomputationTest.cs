using Tapegrad.Devices;

namespace Tapegrad.Tests.Engine;

/// <summary>A value that can be computed again, and who has its memory meanwhile.</summary>
public abstract class RecomputationTest : EngineTest
{
    private readonly ReferenceDevice device = new();   // with a pool of its own, whose buffers no other test gets

    // until the base class chooses for the thread what was there before
    protected RecomputationTest() => Device.Use(device);

    internal Device OwnDevice => device;

    /// <summary>How often a value was computed again.</summary>
    internal int Computed { get; private set; }

    internal long BytesWaiting => device.Pool.BytesWaiting;

    /// <summary>
    /// x + 1, which counts. The numbers of the second time are the true ones, so one sees which were read.
    /// </summary>
    internal Tensor PlusOne(Tensor x) =>
        Tape.RecordKernel("plus one", x.Map(new AddingOne()), [x], inputs => inputs[0] + 1, (_, g, _) => [g], () =>
    {
        Computed++;
        return x + 1;
    });

    private readonly struct AddingOne : IMap
    {
        public T Apply<T>(T x) where T : struct, IReal<T> => x + T.One;
    }

    /// <summary>Memory of two numbers that was given back has other ones from now on.</summary>
    internal static void OverwriteWhatIsFree()
    {
        for (var i = 0; i < 9; i++) Vector(7, 7);
    }
}
