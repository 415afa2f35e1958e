using Tapegrad.Devices;

namespace Tapegrad.Laws;

/// <summary>The verbs that compute element by element, or move numbers.</summary>
internal static class DeviceLawsOfVerbs
{
    // Around vectors of 4, 8, 16 and 32, and what is shared among threads.
    private static readonly int[] Lengths = [0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 257, 1031, 70_001];

    private static readonly double[] Special =
    [
        0, -0.0, 1, -1, 0.5, -2, 3, double.PositiveInfinity, double.NegativeInfinity, double.NaN, float.Epsilon,
        -float.Epsilon, 1e-38f, float.MaxValue, float.MinValue, 88, 89, -104, 20, 1e-5f, -1e-5f, 1e19f, -1e19f,
    ];

    public static IEnumerable<DeviceCase> All(string? verb) =>
        new (string Verb, Func<IEnumerable<DeviceCase>> Cases)[]
        {
            ("Write and Read", Transfers), ("Fill", Fills), ("Copy", Copies), ("Map", Maps), ("Zip", Zips),
                ("Update", Updates), ("CheckUpdate", CheckedUpdates),
            ("Gather", Gathers),
            ("FillUniform", () => Randoms("FillUniform")), ("FillNormal", () => Randoms("FillNormal")),
            ("FirstNonFinite", Searches),
        }.Where(one => verb is null || one.Verb == verb).SelectMany(one => one.Cases());

    private static IEnumerable<DeviceCase> Transfers()
    {
        foreach (var values in Lengths.Select(length => DeviceCase.Normal(length, length)).Append(Special))
            foreach (var isFloat in (bool[])[false, true])
                yield return new("Write and Read", $"{values.Length} numbers as {(isFloat ? "float" : "double")}",
                    [values], values.Length,
                    (device, x, y) =>
                    {
                        var (floats, doubles) = (new float[values.Length], new double[values.Length]);
                        device.Read(x[0], floats);
                        device.Read(x[0], doubles);
                        if (isFloat) device.Write(floats, y);
                        else device.Write(doubles, y);
                    })
                { Definition = () => values };
    }

    private static IEnumerable<DeviceCase> Fills()
    {
        foreach (var length in Lengths)
            foreach (var value in (double[])[0, -3.5, double.NegativeInfinity])
                yield return new("Fill", $"{length} elements with {value}", [], length, (device, _, y) =>
                    device.Fill(y, value));
    }

    private static IEnumerable<DeviceCase> Copies()
    {
        foreach (var (dimensions, order) in ((int[], int[])[])[
            ([2, 3, 4, 5], [3, 1, 0, 2]), ([1, 7, 1, 3], [3, 2, 1, 0]), ([3, 0, 2], [2, 0, 1]),
            ([7, 9, 16, 40], [0, 3, 1, 2]), ([257, 31], [1, 0]),
            ([2, 1, 3, 2, 1, 2, 2, 3], [7, 5, 3, 1, 0, 4, 2, 6]), ([], []), ([61, 67, 17], [2, 1, 0])])
        {
            var (shape, result) = (new Shape(dimensions), new Shape(dimensions).Permute(order));
            var strides = shape.Strides();
            yield return Copy($"{shape} permuted by ({string.Join(", ", order)})", result, shape.Count,
                new Walk(0, [.. order.Select(axis => strides[axis])]),
                new Walk(0, result.Strides()), result.Count);
        }
        foreach (var length in Lengths)
        {
            yield return Copy($"{length} backwards", new Shape(length), length, new Walk(Math.Max(0, length - 1), [-1]),
                new Walk(0, [1]), length);
            yield return Copy($"one element {length} times", new Shape(length), 1, new Walk(0, [0]), new Walk(0, [1]),
                length);
            yield return Copy($"every third of {3 * length}", new Shape(length), 3 * length, new Walk(0, [3]),
                new Walk(0, [1]), length);
        }
        yield return Copy("a box cut out", new Shape(3, 4, 5), 6 * 8 * 7, new Walk(1 * 56 + 2 * 7 + 1, [56, 7, 1]),
            new Walk(0, [20, 5, 1]), 60);
        yield return Copy("a box put in", new Shape(3, 4, 5), 60, new Walk(0, [20, 5, 1]),
            new Walk(1 * 42 + 7 + 1, [42, 7, 1]), 5 * 6 * 7);
        yield return Copy("repeated along the first axis", new Shape(400, 13, 17), 221, new Walk(0, [0, 17, 1]),
            new Walk(0, [221, 17, 1]), 400 * 221);
    }

    private static DeviceCase Copy(string what, Shape extent, int length, Walk from, Walk to, int target) =>
        new("Copy", what, [DeviceCase.Normal(length, length)], target, (device, x, y) =>
            device.Copy(extent, x[0], from, y, to));

    // Of the elementary functions a few units in the last place; of what is made of one exactly rounded operation, one.
    private static IEnumerable<DeviceCase> Maps() => [
        .. Map("-x", new Formulas.Negated(), 0), .. Map("|x|", new Formulas.Magnitude(), 0),
        .. Map("sqrt", new Formulas.Root(), 1),
        .. Map("exp", new Formulas.Exponential(), 4), .. Map("log", new Formulas.Logarithm(), 4),
        .. Map("tanh", new Formulas.Tangent(), 6),
        .. Map("erf", new Formulas.Error(), 6), .. Map("3 x + 1 by fields", new Formulas.Line(3, 1), 1)];

    private static IEnumerable<DeviceCase> Map<TMap>(string name, TMap map, double roundings)
        where TMap : struct, IMap =>
        Lengths.Select(length => DeviceCase.Normal(length, length)).Append(Special).Select(values =>
            new DeviceCase("Map", $"{name} of {values.Length}", [values], values.Length, (device, x, y) =>
                device.Map(map, x[0], y))
            { Roundings = roundings });

    private static IEnumerable<DeviceCase> Zips()
    {
        foreach (var one in (IEnumerable<DeviceCase>[])[
            Pairs("a - b", new Formulas.Difference(), 1), Pairs("a b", new Formulas.Product(), 1),
            Pairs("a / b", new Formulas.Quotient(), 1), Pairs("a^b", new Formulas.Power(), 8),
            Pairs("max", new Formulas.Larger(), 0), Pairs("a > b", new Formulas.IsGreater(), 0),
            Pairs("a >= b", new Formulas.IsGreaterOrEqual(), 0), Pairs("a = b", new Formulas.IsEqual(), 0),
            Pairs("a ? b : 7", new Formulas.Choice(), 0), Pairs("a b + a, rounded once", new Formulas.Fused(), 1)])
            foreach (var pair in one) yield return pair;
        int[][][] shapes =
        [
            [[], []], [[2, 4, 4, 16], [16]], [[2, 4, 4, 3], [2, 1, 1, 3]], [[2, 4, 4, 1], [2, 4, 4, 5]],
            [[5, 1], [1, 7]], [[1, 3, 1, 5], [2, 1, 4, 1]],
            [[2, 3, 1, 1, 2, 3], [1, 3, 2, 2, 1, 3]], [[1, 2, 1, 3, 1, 2, 1, 2], [2, 1, 3, 1, 2, 1, 2, 1]],
            [[0, 3], [3]], [[4, 0], [1]], [[1, 1, 1], [1]],
            [[257, 1], [263]], [[70_001], [1]], [[7001, 1], [7001, 11]], [[3, 9], [3, 9]],
        ];
        foreach (var pair in shapes)
            foreach (var (a, b) in ((int[], int[])[])[(pair[0], pair[1]), (pair[1], pair[0])])
                yield return Zip($"{new Shape(a)} - {new Shape(b)}", new Formulas.Difference(), new Shape(a),
                    DeviceCase.Normal(new Shape(a).Count, 1),
                    new Shape(b), DeviceCase.Normal(new Shape(b).Count, 2), 1);
    }

    // Every special value with every other.
    private static IEnumerable<DeviceCase> Pairs<TZip>(string name, TZip zip, double roundings)
        where TZip : struct, IZip
    {
        var n = Special.Length;
        yield return Zip($"{name} of special values", zip, new Shape(n, 1), Special, new Shape(n), Special, roundings);
        yield return Zip($"{name} of 1031", zip, new Shape(1031), DeviceCase.Normal(1031, 1), new Shape(1031),
            DeviceCase.Normal(1031, 2), roundings);
    }

    private static DeviceCase Zip<TZip>(string what, TZip zip, Shape shapeA, double[] a, Shape shapeB, double[] b,
        double roundings)
        where TZip : struct, IZip
    {
        var shape = Shape.Broadcast("zip", shapeA, shapeB);
        return new("Zip", what, [a, b], shape.Count, (device, x, y) =>
            device.Zip(zip, x[0], shapeA, x[1], shapeB, y, shape))
        { Roundings = roundings };
    }

    // Four numbers of different roles; the parameter, or a state, is what is looked at.
    private static IEnumerable<DeviceCase> Updates()
    {
        foreach (var length in Lengths)
            foreach (var states in (int[])[0, 1, 2])
                for (var part = 0; part <= states; part++)
                {
                    var seen = part;
                    double[][] numbers = [.. Enumerable.Range(0, 4).Select(i => DeviceCase.Normal(length, i + 1))];
                    yield return new("Update",
                        $"{length} elements, {states} states, {(part == 0 ? "the parameter" : $"state {part}")}",
                        numbers, length,
                        (device, x, y) =>
                        {
                            var places = Enumerable.Range(0, states + 1)
                                .Select(i => i == seen ? y : device.Pool.Rent(length)).ToArray();
                            for (var i = 0; i <= states; i++)
                                device.Copy(new Shape(length), x[i == 0 ? 0 : i + 1], new Walk(0, [1]), places[i],
                                    new Walk(0, [1]));
                            device.Update(new Formulas.Step(), places[0], x[1], states > 0 ? places[1] : null,
                                states > 1 ? places[2] : null);
                            foreach (var place in places)
                                if (place != y) device.Pool.Return(place);
                        })
                    { Roundings = 4, Absolute = eps => 32 * eps };
                }
    }

    // One number that is not finite, in any of the four or only in what the update would leave.
    private static IEnumerable<DeviceCase> CheckedUpdates()
    {
        foreach (var length in Lengths)
            foreach (var states in (int[])[0, 1, 2])
                for (var role = -1; role < states + 2 && (length > 0 || role < 0); role++)
                    foreach (var bad in role < 0 ? [0] : (double[])[double.NaN, double.PositiveInfinity])
                        yield return CheckedUpdate(length, states, role, bad,
                            (length * 2 + role + 2) % Math.Max(1, length));
        yield return CheckedUpdate(257, 1, 1, 7, 256);
        yield return CheckedUpdate(70_001, 2, 1, 7, 70_000);
    }

    private static DeviceCase CheckedUpdate(int length, int states, int role, double bad, int element)
    {
        double[][] numbers = [.. Enumerable.Range(0, 4).Select(i => DeviceCase.Normal(length, i + 1))];
        if (role >= 0) numbers[role][element] = bad;
        return new("CheckUpdate",
            $"{length} elements, {states} states{(role < 0 ? "" : $", {bad} at element {element} of number {role}")}",
            numbers, 1,
            (device, x, y) =>
            {
                device.Fill(y, 0);   // what is finite leaves it as it is
                device.CheckUpdate(new Formulas.Dividing(), x[0], x[1], states > 0 ? x[2] : null,
                    states > 1 ? x[3] : null, y);
            })
        { Definition = () => [role < 0 ? 0 : double.NaN] };
    }

    private static IEnumerable<DeviceCase> Gathers()
    {
        foreach (var geometry in DeviceLawsOfSums.Gathers)
            yield return new("Gather", DeviceLawsOfSums.Describe(geometry),
                [DeviceCase.Normal(geometry.Outer * geometry.Length * geometry.Inner, 1)], geometry.Outer
                * geometry.Indices.Length * geometry.Inner, (device, x, y) => device.Gather(geometry, x[0], y));
    }

    private static IEnumerable<DeviceCase> Randoms(string verb)
    {
        foreach (var length in Lengths)
        {
            var random = new RandomSource(length);
            yield return verb == "FillUniform"
                ? new(verb, $"{length} elements", [], length, (device, _, y) => device.FillUniform(y, random))
                : new(verb, $"{length} elements", [], length, (device, _, y) =>
                    device.FillNormal(y, random))
                { Roundings = 4, Absolute = eps => 4 * eps };
        }
    }

    // What is found: the buffer, the element, or -1 twice.
    private static IEnumerable<DeviceCase> Searches()
    {
        int[] lengths = [0, 5, 9000, 1, 70_001];
        foreach (var (buffer, element) in ((int, int)[])[(-1, -1), (1, 0), (1, 4), (2, 4095), (2, 4096), (2, 8999),
            (3, 0), (4, 70_000)])
            foreach (var bad in buffer < 0 ? [0]
                : (double[])[double.NaN, double.PositiveInfinity, double.NegativeInfinity])
            {
                double[][] inputs = [.. lengths.Select((length, i) => DeviceCase.Normal(length, i))];
                if (buffer >= 0) inputs[buffer][element] = bad;
                if (buffer >= 0 && buffer < 4) inputs[4][3] = bad;   // a later one
                yield return new("FirstNonFinite", buffer < 0 ? "all are finite"
                    : $"{bad} at element {element} of buffer {buffer}", inputs, 2,
                    (device, x, y) =>
                    {
                        var (which, where) = device.FirstNonFinite(x) ?? (-1, -1);
                        device.Write([which, (double)where], y);
                    })
                { Definition = () => [buffer, element] };
            }
    }
}
