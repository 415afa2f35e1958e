using Tapegrad.Devices;
using Xunit;

namespace Tapegrad.Tests.Engine;

/// <summary>Each test of these classes runs on the reference device, in double.</summary>
public abstract class EngineTest : IDisposable
{
    private readonly IDisposable device = Device.Use(Device.Reference);

    public void Dispose()
    {
        device.Dispose();
        GC.SuppressFinalize(this);
    }

    internal static readonly RandomSource Random = new(1);

    internal static Tensor Vector(params double[] values) => Tensor.From(values, new Shape(values.Length));

    /// <summary>
    /// The sum of the products with fixed random numbers: a loss that tells every element from every other.
    /// </summary>
    internal static Tensor Weigh(Tensor x) => (x * Tensor.Normal(x.Shape, new RandomSource(99))).Sum();

    internal static void Near(double expected, double actual, double tolerance = 1e-12) =>
        Assert.True(Math.Abs(expected - actual) <= tolerance * Math.Max(1, Math.Abs(expected)),
            $"expected {expected:G17}, got {actual:G17}");

    internal static void Near(double[] expected, Tensor actual, double tolerance = 1e-12)
    {
        var numbers = actual.ToDoubles();
        Assert.Equal(expected.Length, numbers.Length);
        for (var i = 0; i < expected.Length; i++) Near(expected[i], numbers[i], tolerance);
    }

    /// <summary>The message of the error, which must contain each of the parts.</summary>
    internal static string Throws<TException>(Action action, params string[] parts) where TException : Exception
    {
        var message = Assert.ThrowsAny<TException>(action).Message;
        foreach (var part in parts) Assert.Contains(part, message);
        return message;
    }

    /// <summary>Runs on a thread of its own and brings its exception here.</summary>
    internal static void OnAnotherThread(Action action, int stackBytes = 0)
    {
        Exception? error = null;
        var thread = new Thread(() => error = Xunit.Record.Exception(action), stackBytes);
        thread.Start();
        thread.Join();
        if (error is not null) System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(error);
    }
}
