using System.Reflection;

namespace Tapegrad.Laws;

/// <summary>
/// One thing that the kit compares, and the law that it is part of. Whatever is thrown names its comparison, so that a
/// test can go through all of them: each has an offender that it alone finds, and none can fall silent unnoticed.
/// </summary>
internal sealed class Comparison
{
    // ---- operations and normalizations ----
    public static readonly Comparison Computing = new(Law.Computes, "the case");
    public static readonly Comparison Repeating = new(Law.Computes, "the case, tried again");
    public static readonly Comparison FirstDerivative = new(Law.Derivatives, "the first derivative");
    public static readonly Comparison HigherDerivatives = new(Law.Derivatives, "a derivative of the square");
    public static readonly Comparison RecordedGradient =
        new(Law.RecordedGradient, "the gradient from a recorded sweep");
    public static readonly Comparison DevicesShape = new(Law.DevicesAgree, "the shape");
    public static readonly Comparison DevicesValue = new(Law.DevicesAgree, "the value");
    public static readonly Comparison DevicesGradient = new(Law.DevicesAgree, "the gradient");
    public static readonly Comparison DevicesSecondDerivative = new(Law.DevicesAgree, "the second derivative");
    public static readonly Comparison ThreadsValue = new(Law.ThreadsAgree, "the value");
    public static readonly Comparison ThreadsGradient = new(Law.ThreadsAgree, "the gradient");

    // ---- normalizations ----
    public static readonly Comparison Shifted = new(Law.ShiftInvariance, "the output of a shifted input");
    public static readonly Comparison Scaled = new(Law.ScaleInvariance, "the output of a scaled input");
    public static readonly Comparison EqualNumbers = new(Law.ConstantInput, "the value of equal numbers");
    public static readonly Comparison EqualNumbersGradient = new(Law.ConstantInput, "the gradient at equal numbers");
    public static readonly Comparison MagnitudesValue = new(Law.Magnitudes, "the value");
    public static readonly Comparison MagnitudesGradient = new(Law.Magnitudes, "the gradient");
    public static readonly Comparison SampleAlone = new(Law.BatchIndependence, "the output of a sample alone");
    public static readonly Comparison SampleAloneGradient =
        new(Law.BatchIndependence, "the gradient of a sample alone");
    public static readonly Comparison BatchReversed =
        new(Law.BatchPermutation, "the output of the batch in reverse order");
    public static readonly Comparison ChannelsTurned =
        new(Law.ChannelPermutation, "the output of channels turned inside their groups");

    // ---- evaluation, and what is committed ----
    public static readonly Comparison Limit =
        new(Law.EvaluationLimit, "the output in evaluation after many equal batches");
    public static readonly Comparison EvaluatedAlone =
        new(Law.EvaluationIndependence, "the output of a sample evaluated alone");
    public static readonly Comparison EvaluatedAloneGradient =
        new(Law.EvaluationIndependence, "the gradient of a sample evaluated alone");
    public static readonly Comparison StateAfterTraining =
        new(Law.Commits, "the state after training whose gradients nobody committed");
    public static readonly Comparison StateAfterEvaluation = new(Law.Commits, "the state after an evaluation");
    public static readonly Comparison Pooled =
        new(Law.Pooling, "the state after the pooled statistics of two parts of a batch");

    // ---- mean and variance ----
    public static readonly Comparison SetMean = new(Law.ZeroMean, "the mean of a set's outputs");
    public static readonly Comparison SetMeanSquare = new(Law.MeanSquare, "the mean square of a set's outputs");
    public static readonly Comparison SetGradientSum = new(Law.GradientSums, "the sum of a set's gradients");
    public static readonly Comparison SetGradientProduct =
        new(Law.GradientSums, "the sum of a set's gradients times outputs");
    public static readonly Comparison SetGradientLength =
        new(Law.GradientSums, "the length of a set's gradient beyond r times that of g");
    public static readonly Comparison Jacobian = new(Law.SymmetricJacobian, "the gradient of u weighed with w");

    private Comparison(Law law, string what) => (Law, What) = (law, what);

    public Law Law { get; }

    /// <summary>What is compared, as reports begin with it.</summary>
    public string What { get; }

    /// <summary>All there are, by name.</summary>
    public static IReadOnlyDictionary<string, Comparison> All { get; } =
        typeof(Comparison).GetFields(BindingFlags.Static | BindingFlags.Public)
            .ToDictionary(field => field.Name, field => (Comparison)field.GetValue(null)!);
}
