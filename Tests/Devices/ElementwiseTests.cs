using Tapegrad.Devices;
using Xunit;
using static Tapegrad.Laws.Formulas;
using Buffer = Tapegrad.Memory.Buffer;

namespace Tapegrad.Tests.Devices;

/// <summary>
/// Map, zip and update on the CPU against the reference: every length up to 257, every kind of broadcast, special
/// values.
/// </summary>
public class ElementwiseTests
{
    // Two roundings at most in each formula, of results up to about 30.
    private const double Tolerance = 32 * Numbers.Eps;

    private static double[] Map<TMap>(Device device, TMap map, double[] values) where TMap : struct, IMap
    {
        var (x, y) = (device.Make(values), device.MakeUnwritten(values.Length));
        device.Map(map, x, y);
        Assert.Equal(values, device.Read(x));
        return device.Read(y);
    }

    private static double[] Zip<TZip>(Device device, TZip zip, double[] a, Shape shapeA, double[] b, Shape shapeB,
        Shape shape)
        where TZip : struct, IZip
    {
        var y = device.MakeUnwritten(shape.Count);
        device.Zip(zip, device.Make(a), shapeA, device.Make(b), shapeB, y, shape);
        return device.Read(y);
    }

    private static void CompareZip(Shape shapeA, Shape shapeB, long seed)
    {
        var shape = Shape.Broadcast("test", shapeA, shapeB);
        var (a, b) = (Numbers.Random(shapeA.Count, seed), Numbers.Random(shapeB.Count, seed + 1));
        Numbers.Compare(device => Zip(device, new Difference(), a, shapeA, b, shapeB, shape), Tolerance,
            $"{shapeA} - {shapeB}");
    }

    [Fact]
    public void MapsOfEveryLength()
    {
        for (var length = 0; length <= 257; length++)
        {
            var values = Numbers.Random(length, length);
            Numbers.Compare(device => Map(device, new Line(3, 1), values), Tolerance, $"3 x + 1, length {length}");
            Numbers.Compare(device => Map(device, new Tangent(), values), Tolerance, $"tanh, length {length}");
        }
    }

    [Theory]
    [InlineData(32767)]
    [InlineData(32768)]
    [InlineData(32769)]
    [InlineData(100003)]
    public void MapsAndZipsAcrossThreads(int length)
    {
        var values = Numbers.Random(length, 3);
        Numbers.Compare(device => Map(device, new Line(3, 1), values), Tolerance, $"length {length}");
        CompareZip(new Shape(length), new Shape(length), 4);
        CompareZip(new Shape(length), new Shape(1), 5);
        CompareZip(new Shape(7, 1), new Shape(length / 7), 6);
    }

    [Fact]
    public void ZipsOfEveryLength()
    {
        for (var length = 0; length <= 257; length++)
        {
            CompareZip(new Shape(length), new Shape(length), 1);
            CompareZip(new Shape(length), Shape.Scalar, 2);
            CompareZip(new Shape(1), new Shape(length), 3);
            CompareZip(new Shape(3, length), new Shape(length), 4);   // rows with an end between two vectors
            CompareZip(new Shape(2, length), new Shape(2, 1), 5);
        }
    }

    public static TheoryData<int[], int[]> Broadcasts => new()
    {
        { [], [] },
        { [2, 4, 4, 16], [16] },                             // a channel's bias
        { [2, 4, 4, 3], [2, 1, 1, 3] },                      // a sample's channel
        { [2, 1, 1, 16], [2, 4, 4, 16] },
        { [2, 4, 4, 1], [2, 4, 4, 5] },                      // a pixel's mean
        { [5, 1], [1, 7] },                                  // an outer product
        { [1, 3, 1, 5], [2, 1, 4, 1] },
        { [2, 3, 1, 1, 2, 3], [1, 3, 2, 2, 1, 3] },
        { [1, 2, 1, 3, 1, 2, 1, 2], [2, 1, 3, 1, 2, 1, 2, 1] },   // eight axes, none of which merge
        { [0, 3], [3] },
        { [4, 0], [1] },
        { [1, 1, 1], [1] },
    };

    [Theory]
    [MemberData(nameof(Broadcasts))]
    public void ZipsWithBroadcasting(int[] a, int[] b)
    {
        CompareZip(new Shape(a), new Shape(b), 1);
        CompareZip(new Shape(b), new Shape(a), 2);
    }

    [Fact]
    public void ZipsOfRandomBroadcasts()
    {
        var random = new RandomSource(6);
        int[] lengths = [1, 1, 2, 3, 5, 8, 9];
        for (var trial = 0; trial < 300; trial++)
        {
            var draw = random.Split(trial);
            var rank = draw.Below(7, 0);
            var shape = new int[rank];
            for (var axis = 0; axis < rank; axis++)
                shape[axis] = lengths[draw.Below(axis < 4 ? lengths.Length : 3, 10 + axis)];
            int[] Thinned(int salt) =>
                [.. shape.Select((length, axis) => draw.Below(3, salt + axis) == 0 ? 1 : length)
                    .Skip(draw.Below(rank + 1, salt + 9))];
            CompareZip(new Shape(Thinned(20)), new Shape(shape), trial);
            CompareZip(new Shape(Thinned(40)), new Shape(Thinned(60)), trial);
        }
    }

    [Fact]
    public void AnOperandOfOneElementMeetsEveryShapeOfAllItsAxes()
    {
        // Both operands are repeated along an axis that the result has: the verb allows it, though no operation asks
        // for it.
        Numbers.Compare(device => Zip(device, new Difference(), [3], new Shape(1), [1], new Shape(1), new Shape(13)), 0,
            "[1] - [1] over [13]");
        Numbers.Compare(device =>
            Zip(device, new Difference(), [3, 4], new Shape(2, 1), [1], new Shape(1), new Shape(2, 13)), 0,
            "[2, 1] - [1] over [2, 13]");
    }

    [Fact]
    public void SpecialValuesPassThroughEveryVerb()
    {
        var values = Array.ConvertAll(Numbers.Special, x => (double)x);
        var shape = new Shape(values.Length, values.Length);
        // Max and comparisons are exact; so is the sign of a zero.
        Assert.Equal(Map(Device.Reference, new Negated(), values), Map(Device.Cpu, new Negated(), values));
        Assert.Equal(Map(Device.Reference, new Magnitude(), values), Map(Device.Cpu, new Magnitude(), values));
        double[] Pairs<TZip>(Device device, TZip zip) where TZip : struct, IZip =>
            Zip(device, zip, values, new Shape(values.Length, 1), values, new Shape(values.Length), shape);
        Assert.Equal(Pairs(Device.Reference, new Larger()), Pairs(Device.Cpu, new Larger()));
        Assert.Equal(Pairs(Device.Reference, new IsGreater()), Pairs(Device.Cpu, new IsGreater()));
        Assert.Equal(Pairs(Device.Reference, new IsEqual()), Pairs(Device.Cpu, new IsEqual()));
        Assert.Equal(Pairs(Device.Reference, new Choice()), Pairs(Device.Cpu, new Choice()));
    }

    [Fact]
    public void AnElementsBitsDoNotDependOnItsPlace()
    {
        // The same 29 numbers at every distance from a vector's border, in one row and as a row of many.
        var values = Numbers.Random(29, 8);
        var alone = Map(Device.Cpu, new Exponential(), values);
        for (var shift = 0; shift < 9; shift++)
        {
            double[] shifted = [.. new double[shift], .. values];
            Assert.Equal(alone, Map(Device.Cpu, new Exponential(), shifted)[shift..]);
            var length = shifted.Length;
            var powers = Zip(Device.Cpu, new Power(), [.. shifted.Select(Math.Abs)], new Shape(length),
                [1.5, 1.5], new Shape(2, 1), new Shape(2, length));
            Assert.Equal(powers[..length], powers[length..]);
        }
    }

    [Fact]
    public void UpdatesOfEveryLength()
    {
        foreach (var length in (int[])[.. Enumerable.Range(0, 258), 40001])
            foreach (var states in (int[])[0, 1, 2])
            {
                var (p, g, m, v) = (Numbers.Random(length, 1), Numbers.Random(length, 2), Numbers.Random(length, 3),
                    Numbers.Random(length, 4));
                double[] Run(Device device)
                {
                    var (parameter, gradient) = (device.Make(p), device.Make(g));
                    var first = states > 0 ? device.Make(m) : null;
                    var second = states > 1 ? device.Make(v) : null;
                    device.Update(new Step(), parameter, gradient, first, second);
                    Assert.Equal(g, device.Read(gradient));
                    return [.. device.Read(parameter), .. first is null ? [] : device.Read(first),
                        .. second is null ? [] : device.Read(second)];
                }
                Numbers.Compare(Run, Tolerance, $"update of length {length} with {states} states");
            }
    }

    // What one element of any buffer does to the verdict, whatever surrounds it; the padding, which is NaN here, does
    // nothing.
    [Fact]
    public void An_update_that_would_not_stay_finite_is_foreseen()
    {
        foreach (var length in (int[])[0, 1, 7, 8, 9, 15, 16, 17, 255, 40001])
            foreach (var states in (int[])[0, 1, 2])
                for (var spoiled = -1; spoiled < 2 + states && (length > 0 || spoiled < 0); spoiled++)
                    foreach (var (value, place) in (IEnumerable<(float, int)>)[(float.NaN, 0),
                        (float.PositiveInfinity, length - 1), (1e30f, length / 2)])
                    {
                        float[][] numbers =
                            [.. Enumerable.Range(1, 2 + states).Select(seed => KernelTesting.Normal(length, seed))];
                        if (spoiled >= 0) numbers[spoiled][place] = value;
                        float Verdict(Device device, Func<float[], Buffer> make)
                        {
                            Buffer[] buffers = [.. numbers.Select(make)];
                            var verdict = make([0]);
                            device.CheckUpdate(new Step(), buffers[0], buffers[1], buffers.ElementAtOrDefault(2),
                                buffers.ElementAtOrDefault(3), verdict);
                            for (var i = 0; i < buffers.Length; i++)
                                Assert.Equal(numbers[i], Array.ConvertAll(device.Read(buffers[i]), x => (float)x));
                            return (float)device.Read(verdict)[0];
                        }
                        // The step squares the gradient alone, which no float holds where it is 1e30.
                        var isFinite = spoiled < 0 || value == 1e30f && spoiled != 1;
                        var what = $"{value} at {place} of {length} in buffer {spoiled} of {2 + states}";
                        Assert.True(isFinite == (Verdict(Device.Cpu, KernelTesting.Filled) == 0), what);
                        Assert.True((isFinite || value == 1e30f) == (Verdict(Device.Reference, x =>
                            Device.Reference.Make(Array.ConvertAll(x, v => (double)v))) == 0), what);
                    }
    }
}
