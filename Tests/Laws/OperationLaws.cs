using Tapegrad.Devices;

namespace Tapegrad.Laws;

/// <summary>
/// The laws of every operation, checked on drawn inputs of awkward shapes:
/// <code>
/// OperationLaws.Check(x => x.Swish(), Input.Any);
/// OperationLaws.Check((a, b) => a / b, Input.Any, Input.Any.AwayFrom(0));
/// OperationLaws.Check((x, w) => x.Conv2d(w, padding: 1), Input.Of("n H+1 W C"), Input.Of("3 2 C O"));
/// </code>
/// Derivatives are compared with difference quotients in double (<see cref="GradientCheck"/>), for each choice of
/// variables and each order; then the CPU device
/// is compared with the reference device, recorded sweeps with plain ones, and threads with each other. See
/// <see cref="Law"/>.
/// </summary>
/// <remarks>Needs no test runner and prints nothing: a broken law is a <see cref="LawException"/>.</remarks>
public static class OperationLaws
{
    private const int LargeCases = 2;

    /// <summary>Checks an operation of one tensor.</summary>
    /// <exception cref="LawException">A law does not hold.</exception>
    public static void Check(Func<Tensor, Tensor> operation, Input input, LawOptions? options = null) =>
        Check(x => operation(x[0]), [input], options);

    /// <summary>Checks an operation of two tensors.</summary>
    /// <exception cref="LawException">A law does not hold.</exception>
    public static void Check(Func<Tensor, Tensor, Tensor> operation, Input first, Input second,
        LawOptions? options = null) =>
        Check(x => operation(x[0], x[1]), [first, second], options);

    /// <summary>Checks an operation of three tensors.</summary>
    /// <exception cref="LawException">A law does not hold.</exception>
    public static void Check(Func<Tensor, Tensor, Tensor, Tensor> operation, Input first, Input second, Input third,
        LawOptions? options = null) =>
        Check(x => operation(x[0], x[1], x[2]), [first, second, third], options);

    /// <summary>Checks an operation of any number of tensors.</summary>
    /// <param name="operation">Written with recorded operations; a function of its inputs and the tape's random
    /// numbers.</param>
    /// <param name="inputs">What to feed it.</param>
    /// <param name="options">The highest order, exceptions, how many cases.</param>
    /// <exception cref="LawException">A law does not hold.</exception>
    public static void Check(Func<Tensor[], Tensor> operation, Input[] inputs, LawOptions? options = null)
    {
        (options ?? new LawOptions()).Run("the operation", options => CheckAll(operation, inputs, options));
    }

    private static void CheckAll(Func<Tensor[], Tensor> operation, Input[] inputs, LawOptions options)
    {
        Cases.Run("the operation", seed => Case.Draw(inputs, seed), drawn => CheckSmall(operation, drawn, options),
            options, options.Cases);
        if (options.Checks(Law.ThreadsAgree) && options.Replay is null)
            Cases.Run("the operation", seed => Case.DrawLarge(inputs, seed),
                drawn => Compare.Threads(() => Sweep(Device.Cpu, operation, drawn, options with { Order = 1 })),
                options, LargeCases);
    }

    private static void CheckSmall(Func<Tensor[], Tensor> operation, Case drawn, LawOptions options)
    {
        var reference = Sweep(Device.Reference, operation, drawn, options);
        Compare.Alone(reference, Device.Reference, options);
        if (options.Checks(Law.Derivatives)) CheckDerivatives(operation, drawn, options);
        var cpu = Sweep(Device.Cpu, operation, drawn, options);
        Compare.Alone(cpu, Device.Cpu, options);
        Compare.Agree(reference, cpu, options);
    }

    private static Sweeps Sweep(Device device, Func<Tensor[], Tensor> operation, Case drawn, LawOptions options) =>
        Sweeps.Run(device, tape =>
    {
        Tensor[] inputs = [.. drawn.Tensors().Select((x, i) => drawn.MayVary[i] ? tape.Watch(x) : x)];
        return (operation(inputs), [.. inputs.Where((_, i) => drawn.MayVary[i])]);
    }, drawn.Random, options.Training, options.Order);

    // Every choice of which inputs vary, the others being constants.
    private static void CheckDerivatives(Func<Tensor[], Tensor> operation, Case drawn, LawOptions options)
    {
        var mayVary = drawn.MayVary;
        for (var choice = 1; choice < 1 << mayVary.Length; choice++)
        {
            var variables = mayVary.Select((_, i) => (choice >> i & 1) == 1).ToArray();
            if (variables.Where((varies, i) => varies && !mayVary[i]).Any()) continue;
            var names = string.Join(", ", Enumerable.Range(0, variables.Length).Where(i => variables[i]));
            using (Device.Use(Device.Reference))
                Derivatives.Check($"with respect to input {names}", operation, drawn.Tensors(), options, drawn.Seed,
                    variables: variables);
        }
    }
}
