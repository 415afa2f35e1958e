using Tapegrad.Devices;
using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad.FiftySteps;

/// <summary>
/// The verbs that a training step calls hundreds of times, and the sharing of work beneath them: none may make garbage.
/// </summary>
/// <param name="count">Elements in a row; each tensor has two.</param>
public sealed class Verbs(int count)
{
    private static readonly Device Device = Device.Cpu;

    private readonly Buffer x = Random(2 * count), row = Random(count), y = Random(2 * count), column = Random(2);
    private readonly (Shape Both, Shape One) shape = (new Shape(2, count), new Shape(count));
    private readonly (Walk Wide, Walk Narrow) walk = (new(0, [count, 1]), new(0, [0, 1]));

    private static Buffer Random(int count)
    {
        var buffer = Device.Pool.Rent(count);
        Device.FillNormal(buffer, new RandomSource(count));
        return buffer;
    }

    private IEnumerable<(string Name, Action Verb)> All()
    {
        yield return ("map", () => Device.Map(new Exponential(), x, y));
        yield return ("zip", () => Device.Zip(new Sum(), x, shape.Both, x, shape.Both, y, shape.Both));
        yield return ("zip with a row", () => Device.Zip(new Sum(), x, shape.Both, row, shape.One, y, shape.Both));
        yield return ("fold of rows", () => Device.Fold(new Sum(), x, shape.Both, [0], row));
        yield return ("fold of columns", () => Device.Fold(new Sum(), x, shape.Both, [1], column));
        yield return ("copy", () => Device.Copy(shape.Both, row, walk.Narrow, y, walk.Wide));
        yield return ("fill", () => Device.Fill(y, 1));
        yield return ("update", () => Device.Update(new Step(), y, x, x, null));
        Action<int> nothing = _ => { };
        yield return ("sharing work", () => Workers.Run(10, nothing));
    }

    /// <summary>
    /// Calls each verb so many times, after as many to warm up, and says how many bytes of garbage the whole process
    /// made.
    /// </summary>
    public IEnumerable<(string Name, long Bytes)> Garbage(int times)
    {
        foreach (var (name, verb) in All())
        {
            for (var time = 0; time < times; time++) verb();
            var before = GC.GetTotalAllocatedBytes(precise: true);
            for (var time = 0; time < times; time++) verb();
            yield return (name, GC.GetTotalAllocatedBytes(precise: true) - before);
        }
    }

    private readonly struct Exponential : IMap
    {
        public T Apply<T>(T x) where T : struct, IReal<T> => T.Exp(x);
    }

    private readonly struct Sum : IFold
    {
        public double Neutral => 0;

        public T Apply<T>(T a, T b) where T : struct, IReal<T> => a + b;
    }

    private readonly struct Step : IUpdate
    {
        public void Apply<T>(ref T x, T gradient, ref T first, ref T second) where T : struct, IReal<T> =>
            x -= T.Of(0.125) * gradient;
    }
}
