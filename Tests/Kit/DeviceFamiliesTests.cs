using Tapegrad.Devices;
using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Laws.Formulas;

namespace Tapegrad.Tests.Kit;

/// <summary>
/// A device that is wrong in one kind of calls alone is found out: none of the shapes, formulas and numbers that the
/// laws of devices go through can be left out unnoticed.
/// </summary>
public sealed class DeviceFamiliesTests
{
    private sealed record Family(string Verb, string What, Func<Called, bool> IsSuch,
        Offence Offence = Offence.LastElement);

    private static Family Of<TWhat>(string verb, string what, Func<TWhat, bool> isSuch) => new(verb, what,
        call => call.What is TWhat its && isSuch(its));

    // So many elements that the threads share them.
    private static bool IsLarge(Called call) => call.Inputs.Append(call.Result).Any(numbers => numbers.Length > 60_000);

    private static bool IsWhole(Called call) => call.Inputs[0].Concat(call.Inputs[^1]).All(float.IsInteger);

    private static bool HasSpecial(Called call) => call.Inputs.Any(input => input.Any(float.IsNaN));

    private static IEnumerable<Family> Moves()
    {
        yield return Of<Type>("Write and Read", "doubles", type => type == typeof(double[]));
        yield return Of<Type>("Write and Read", "floats", type => type == typeof(float[]));
        yield return new("Write and Read", "no numbers", call => call.Result.Any(float.IsNaN));
        foreach (var value in (double[])[0, -3.5, double.NegativeInfinity])
            yield return Of<double>("Fill", $"{value}", filled =>
                filled.Equals(value)) with
            { Offence = Offence.NotWritten };
        Family Copy(string what, Func<Shape, Walk, Walk, bool> isSuch) =>
            Of<(Shape, Walk, Walk)>("Copy", what, call => isSuch(call.Item1, call.Item2, call.Item3));
        yield return Copy("permuted", (extent, from, to) => extent.Rank > 1 && from.Offset == 0 && to.Offset == 0
            && from.Strides[^1] > 1);
        yield return Copy("backwards", (extent, from, to) => from.Strides is [-1]);
        yield return Copy("repeated", (extent, from, to) => from.Strides is [0]);
        yield return Copy("every third", (extent, from, to) => from.Strides is [3]);
        yield return Copy("cut out", (extent, from, to) => from.Offset > 0 && extent.Rank == 3);
        // the corners are not written
        yield return Copy("put in", (extent, from, to) => to.Offset > 0) with { Offence = Offence.SlightlyOff };
        yield return Copy("repeated rows", (extent, from, to) => extent.Rank == 3 && from.Strides[0] == 0);
        foreach (var verb in (string[])["Gather", "AddGathered"])
        {
            yield return Of<GatherGeometry>(verb, "one by one", gather => gather.Inner == 1);
            yield return Of<GatherGeometry>(verb, "many", gather => gather.Inner > 1000);
            yield return Of<GatherGeometry>(verb, "of several", gather => gather is { Outer: > 1, Inner: > 1 });
            yield return Of<GatherGeometry>(verb, "many times", gather => gather.Indices.Length > 100);
        }
        foreach (var value in (float[])[float.NaN, float.PositiveInfinity, float.NegativeInfinity])
            yield return new("FirstNonFinite", $"{value}", call => call.Result is [var found] && found.Equals(value));
    }

    private static IEnumerable<Family> Elementwise()
    {
        foreach (var formula in (Type[])[typeof(Negated), typeof(Magnitude), typeof(Root), typeof(Exponential),
            typeof(Logarithm), typeof(Tangent), typeof(Error), typeof(Line)])
            yield return Of<Type>("Map", formula.Name, type => type == formula);
        yield return new("Map", "no numbers", HasSpecial);
        // Within what rounding allows, so that nothing but the second time shows it.
        yield return new("Map", "few numbers, a second time", call =>
            call.Result.Length < 100 && (Type)call.What == typeof(Exponential),
            Offence.AnotherTime);
        yield return Of<Type>("Map", "what is rounded, by little", type =>
            type == typeof(Exponential)) with
        { Offence = Offence.SlightlyOff };
        Family Zip(string what, Func<Type, Shape, Shape, bool> isSuch) =>
            Of<(Type, Shape, Shape)>("Zip", what, call => isSuch(call.Item1, call.Item2, call.Item3));
        foreach (var formula in (Type[])[typeof(Difference), typeof(Product), typeof(Quotient), typeof(Power),
            typeof(Larger), typeof(IsGreater), typeof(IsGreaterOrEqual), typeof(IsEqual), typeof(Choice),
            typeof(Fused)])
            yield return Zip(formula.Name, (type, a, b) => type == formula);
        yield return new("Zip", "no numbers", HasSpecial);
        yield return Zip("what is rounded, by little", (type, a, b) =>
            type == typeof(Quotient)) with
        { Offence = Offence.SlightlyOff };
        yield return Zip("a row for all", (type, a, b) => b.Rank == 1 && a.Rank > 1);
        yield return Zip("all for a row", (type, a, b) => a.Rank == 1 && b.Rank > 1);
        yield return Zip("a column and a row", (type, a, b) => a.Count > 1 && b.Count > 1 && a[-1] == 1 && b[-1] > 1);
        yield return Zip("a row and a column", (type, a, b) => a.Count > 1 && b.Count > 1 && b[-1] == 1 && a[-1] > 1);
        yield return Zip("eight axes", (type, a, b) => a.Rank == 8);
        foreach (var states in (int[])[0, 1, 2])
        {
            for (var part = 0; part <= states; part++)
            {
                var one = (states, part);
                yield return Of<(int, int)>("Update", $"{states} states, number {part}", call => call == one);
            }
            // What must be seen of the gradient, the parameter and the states: the verdict stays 0.
            for (var number = 0; number < states + 2; number++)
                foreach (var odd in (float[])[float.NaN, float.PositiveInfinity])
                {
                    var (count, which) = (states, number);
                    yield return new("CheckUpdate", $"{states} states, {odd} in number {number}", call =>
                        (int)call.What == count
                        && call.Inputs[which].Any(value => value.Equals(odd)), Offence.NotWritten);
                }
        }
        yield return new("CheckUpdate", "only what it would leave", call =>
            call.Inputs.All(input => input.All(float.IsFinite)), Offence.NotWritten);
        yield return new("CheckUpdate", "only what it would leave, far behind", call => call.Inputs[0].Length > 60_000
            && call.Inputs.All(input => input.All(float.IsFinite)), Offence.NotWritten);
        foreach (var verb in (string[])["Map", "Zip", "Update", "FillUniform", "FillNormal", "Fold", "MatrixProduct",
            "Copy", "Fill",
            "Write and Read", "MaxPool", "MaxPoolGradient"])
            yield return new(verb, "large", IsLarge);
    }

    private static IEnumerable<Family> Sums()
    {
        Family Fold(string what, Func<Type, Shape, int[], bool> isSuch) =>
            Of<(Type, Shape, int[])>("Fold", what, call => isSuch(call.Item1, call.Item2, call.Item3));
        foreach (var formula in (Type[])[typeof(Sum), typeof(Larger), typeof(Product)])
            yield return Fold(formula.Name, (type, shape, axes) => type == formula);
        yield return Fold("rows", (type, shape, axes) => shape.Rank == 2 && axes is [1]);
        yield return Fold("columns", (type, shape, axes) => shape.Rank == 2 && axes is [0]);
        yield return Fold("all", (type, shape, axes) => shape.Rank == 1 && shape.Count > 1000);
        yield return Fold("two of four axes", (type, shape, axes) => shape.Rank == 4 && axes.Length == 2
            && axes[^1] < 3);
        yield return Fold("two of four axes, the last one too", (type, shape, axes) =>
            shape.Rank == 4 && axes.Length == 2 && axes[^1] == 3);
        yield return Fold("nothing", (type, shape, axes) => shape.Count == 0);
        foreach (var verb in (string[])["Fold", "MatrixProduct"])
        {
            static bool IsSum(Called call) => call.What is MatrixProductGeometry { OffsetsA.Length: 1 }
                || call.What is (Type type, Shape, int[]) && type == typeof(Sum);
            yield return new(verb, "sums of whole numbers", call => IsSum(call) && call.Inputs[0].Length > 1
                && IsWhole(call));
            yield return new(verb, "sums of other numbers, by little", call => IsSum(call) && !IsWhole(call),
                Offence.SlightlyOff);
        }
        foreach (var (a, b) in ((bool, bool)[])[(false, false), (false, true), (true, false), (true, true)])
            yield return Of<MatrixProductGeometry>("MatrixProduct", $"transposed {a}, {b}",
                product => product.TransposeA == a && product.TransposeB == b);
        yield return Of<MatrixProductGeometry>("MatrixProduct", "several", product => product.OffsetsA.Length == 3
            && product is { TransposeA: false, TransposeB: false });
        yield return Of<MatrixProductGeometry>("MatrixProduct", "one for all, first", product =>
            product.OffsetsA.Length == 3 && product.TransposeA);
        yield return Of<MatrixProductGeometry>("MatrixProduct", "one for all, second", product =>
            product.OffsetsA.Length == 3 && product.TransposeB);
        yield return Of<MatrixProductGeometry>("MatrixProduct", "a dozen", product => product.OffsetsA.Length == 12);
        yield return Of<MatrixProductGeometry>("MatrixProduct", "long sums", product => product.Inner > 512);
    }

    private static IEnumerable<Family> Windows()
    {
        var kinds = new (string, Func<WindowGeometry, bool>)[]
        {
            ("strides", window => window.Stride.Height > 1), ("dilation", window => window.Dilation.Height > 1),
            ("no padding", window => window.Padding == 0),
            ("a kernel that is no square", window => window.Kernel.Height != window.Kernel.Width),
            ("one pixel", window => window.Kernel == 1),
        };
        foreach (var (what, isSuch) in kinds)
        {
            foreach (var verb in (string[])["ExtractWindows", "AddWindows", "MaxPool", "MaxPoolGradient"])
                yield return Of(verb, what, isSuch);
            foreach (var verb in (string[])["Convolve", "ConvolveInputGradient", "ConvolveWeightGradient"])
                yield return Of<ConvolutionGeometry>(verb, what, convolution => isSuch(convolution.Windows));
        }
        foreach (var verb in (string[])["Convolve", "ConvolveInputGradient", "ConvolveWeightGradient"])
        {
            yield return Of<ConvolutionGeometry>(verb, "groups",
                convolution => convolution.Groups > 1 && convolution.Groups < convolution.Windows.Channels);
            yield return Of<ConvolutionGeometry>(verb, "depthwise",
                convolution => convolution.Groups > 1 && convolution.Groups == convolution.Windows.Channels);
            yield return Of<ConvolutionGeometry>(verb, "many channels", convolution =>
                convolution.Windows.Channels >= 320);
            yield return new(verb, "by little", _ => true, Offence.SlightlyOff);
        }
        yield return new("Convolve", "with a bias", call => call.Inputs.Length == 3);
        yield return new("Convolve", "without a bias", call => call.Inputs.Length == 2);
    }

    private static IEnumerable<Family> Normalizations()
    {
        foreach (var verb in (string[])["Normalize", "NormalizeGradient"])
        {
            Family Kind(string what, Func<NormalizationGeometry, bool> isSuch) => Of(verb, what, isSuch);
            yield return Kind("relu", normalization => normalization.Relu);
            yield return Kind("no relu", normalization => !normalization.Relu);
            yield return Kind("sub-batches", normalization => normalization.Sharing.SubBatch > 0);
            yield return Kind("not centered", normalization => !normalization.Sharing.IsCentered);
            foreach (var (batch, positions) in ((bool, bool)[])[(false, false), (false, true), (true, false),
                (true, true)])
                yield return Kind($"sharing batch {batch}, positions {positions}", normalization =>
                    normalization.Sharing.ShareBatch == batch
                    && normalization.Sharing.SharePositions == positions);
            yield return new(verb, "by little", _ => true, Offence.SlightlyOff);
        }
        foreach (var part in (string[])["gamma", "beta", "residual"])
            yield return Of<string>("NormalizeGradient", $"that of {part}", its => its == part);
        foreach (var part in (string[])["means", "variances"])
            yield return Of<string>("ReadMoments", part, its => its == part);
        yield return new("Normalize", "a residual", call => call.Inputs.Length == 2);
        yield return new("Normalize", "no residual", call => call.Inputs.Length == 1);
    }

    private static readonly Family[] families = [.. Moves(), .. Elementwise(), .. Sums(), .. Windows(),
        .. Normalizations()];

    public static TheoryData<int, string, string> Numbered()
    {
        var data = new TheoryData<int, string, string>();
        foreach (var (number, family) in families.Index()) data.Add(number, family.Verb, family.What);
        return data;
    }

    [Theory]
    [MemberData(nameof(Numbered))]
    public void A_verb_that_is_wrong_there_alone_is_found_out(int number, string verb, string what)
    {
        var family = families[number];
        Assert.NotEqual("", what);
        var device = new Offender(Device.Cpu, verb, family.Offence, family.IsSuch);
        Assert.Equal(verb, Assert.Throws<DeviceLawException>(() => DeviceLaws.Check(device, verb)).Verb);
    }
}
