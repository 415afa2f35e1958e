using Tapegrad.Devices;
using Xunit;

namespace Tapegrad.Tests.Devices;

/// <summary>
/// Strided copies on the CPU against the reference, exactly; and the numbers' way in and out of buffers.
/// </summary>
public class CopyTests
{
    private static double[] Copy(Device device, Shape extent, double[] source, Walk from, int targetLength, Walk to)
    {
        var y = device.MakeUnwritten(targetLength);
        device.Copy(extent, device.Make(source), from, y, to);
        return device.Read(y);
    }

    private static void Compare(Shape extent, int sourceLength, Walk from, int targetLength, Walk to, string what) =>
        Numbers.Compare(device => Copy(device, extent, Numbers.Random(sourceLength, 1), from, targetLength, to),
            0, what);

    private static void ComparePermutation(int[] dimensions, int[] order)
    {
        var shape = new Shape(dimensions);
        var (result, strides) = (shape.Permute(order), shape.Strides());
        Compare(result, shape.Count, new Walk(0, [.. order.Select(axis => strides[axis])]), shape.Count,
            new Walk(0, result.Strides()),
            $"{shape} permuted by ({string.Join(", ", order)})");
    }

    [Fact]
    public void EveryPermutation()
    {
        foreach (var dimensions in (int[][])[[2, 3, 4, 5], [1, 7, 1, 3], [3, 0, 2, 2], [8, 8, 1, 8]])
            for (var number = 0; number < 24; number++)
                ComparePermutation(dimensions, Permutation(4, number));
        ComparePermutation([7, 9, 16, 40], [0, 3, 1, 2]);
        ComparePermutation([7, 40, 9, 16], [0, 2, 3, 1]);
        ComparePermutation([2, 1, 3, 2, 1, 2], [5, 3, 1, 0, 4, 2]);
        ComparePermutation([], []);
    }

    private static int[] Permutation(int count, int number)
    {
        var rest = Enumerable.Range(0, count).ToList();
        var order = new int[count];
        for (var i = 0; i < count; i++)
        {
            order[i] = rest[number % rest.Count];
            rest.RemoveAt(number % rest.Count);
            number /= rest.Count + 1;
        }
        return order;
    }

    [Fact]
    public void RowsOfEveryLength()
    {
        for (var length = 0; length <= 257; length++)
        {
            Compare(new Shape(length), length, new Walk(0, [1]), length, new Walk(0, [1]), $"{length} elements");
            Compare(new Shape(length), 1, new Walk(0, [0]), length, new Walk(0, [1]),
                $"one element repeated {length} times");
            Compare(new Shape(length), 1, new Walk(0, [0]), 2 * length, new Walk(0, [2]),
                $"one element to every second of {2 * length}");
            Compare(new Shape(length), 3 * length, new Walk(0, [3]), length, new Walk(0, [1]),
                $"every third of {3 * length}");
            Compare(new Shape(length), length, new Walk(0, [1]), 2 * length, new Walk(0, [2]),
                $"{length} to every second");
            Compare(new Shape(length), length, new Walk(length - 1, [-1]), length, new Walk(0, [1]),
                $"{length} backwards");
        }
    }

    [Fact]
    public void SlicesPadsAndRepeats()
    {
        Compare(new Shape(3, 4, 5), 6 * 8 * 7, new Walk(1 * 56 + 2 * 7 + 1, [56, 7, 1]), 60, new Walk(0, [20, 5, 1]),
            "a box cut out");
        Compare(new Shape(3, 4, 5), 60, new Walk(0, [20, 5, 1]), 5 * 6 * 7, new Walk(1 * 42 + 1 * 7 + 1, [42, 7, 1]),
            "a box put in");
        Compare(new Shape(4, 3, 2), 6, new Walk(0, [0, 2, 1]), 24, new Walk(0, [6, 2, 1]),
            "repeated along the first axis");
        Compare(new Shape(4, 3, 2), 4, new Walk(0, [1, 0, 0]), 24, new Walk(0, [6, 2, 1]),
            "repeated along the last axes");
        Compare(new Shape(3, 2), 12, new Walk(11, [-4, -2]), 6, new Walk(0, [2, 1]), "backwards, every second");
        Compare(new Shape(300, 200), 60000, new Walk(0, [200, 1]), 80000, new Walk(10, [260, 1]),
            "large enough for threads");
        Compare(new Shape(60000), 60000, new Walk(0, [1]), 60000, new Walk(0, [1]), "large and in one piece");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(9)]
    [InlineData(40000)]
    public void NumbersComeBackAsTheyWereWritten(int length)
    {
        var values = Numbers.Random(length, 7);
        var floats = Array.ConvertAll(values, x => (float)x);
        foreach (var device in (Device[])[Device.Cpu, Device.Reference])
        {
            var buffer = device.Make(values);
            Assert.Equal(values, device.Read(buffer));
            var read = new float[length];
            device.Read(buffer, read);
            Assert.Equal(floats, read);
            device.Fill(buffer, 0.5);
            Assert.All(device.Read(buffer), x => Assert.Equal(0.5, x));
            device.Write(floats, buffer);
            Assert.Equal(values, device.Read(buffer));
        }
    }

    [Fact]
    public void TheCpuRoundsToTheNearestFloat()
    {
        double[] values = [0.1, 1e300, -1e300, 1e-300, 1 + 1e-8, 1 - 1e-9, double.NaN, -0.0, 1.00000006, 16777217];
        Assert.Equal(values.Select(x => (double)(float)x), Device.Cpu.Read(Device.Cpu.Make(values)));
        var one = Device.Cpu.MakeUnwritten(1);
        Device.Cpu.Fill(one, 0.1);
        Assert.Equal([(double)0.1f], Device.Cpu.Read(one));
    }

    [Fact]
    public void TheFirstNumberThatIsNotFiniteIsFoundAnywhere()
    {
        foreach (var length in (int[])[1, 7, 8, 9, 257, 4096, 4097, 10000])
        {
            var values = Numbers.Random(length, 1);
            Assert.Equal(-1, Device.Cpu.FirstNonFinite(Device.Cpu.Make(values)));
            foreach (var place in (int[])[0, length / 2, length - 1])
                foreach (var bad in (double[])[double.NaN, double.PositiveInfinity, double.NegativeInfinity])
                {
                    double[] spoiled = [.. values];
                    spoiled[length - 1] = double.NaN;
                    spoiled[place] = bad;
                    Assert.Equal(place, Device.Cpu.FirstNonFinite(Device.Cpu.Make(spoiled)));
                }
        }
        Assert.Equal(-1, Device.Cpu.FirstNonFinite(Device.Cpu.Make([])));
        Assert.Equal(-1, Device.Cpu.FirstNonFinite(Device.Cpu.Make([float.MaxValue, float.MaxValue, -float.MaxValue])));
    }
}
