namespace Tapegrad.Laws;

/// <summary>Derivatives against difference quotients, with a second look at what might be a kink.</summary>
internal static class Derivatives
{
    // A wrong derivative is wrong at any step. A quotient that reaches over a kink (of |x - mean|, say, whose place
    // nobody knows beforehand) is wrong at the first step, and almost never at the second, which is a hundred times
    // smaller.
    private static readonly double[] Steps = [1e-4, 1e-6];

    public static void Check(string subject, Func<Tensor[], Tensor> function, Tensor[] inputs, LawOptions options,
        long seed, bool[]? variables = null, IReadOnlyList<Parameter>? parameters = null)
    {
        CheckOrder(Comparison.FirstDerivative, "", function, 1);
        // The higher orders are those of the square: where the function is linear it has none of its own, and a pull
        // that was not recorded would not show.
        if (options.Order > 1)
            CheckOrder(Comparison.HigherDerivatives, " of the square", x =>
            {
                var y = function(x);
                return y * y;
            }, options.Order);

        void CheckOrder(Comparison comparison, string of, Func<Tensor[], Tensor> function, int order)
        {
            GradientCheckException? error = null;
            foreach (var step in Steps)
            {
                try
                {
                    GradientCheck.Run(function, inputs, order, seed, variables, parameters, options.Training,
                        options.Tolerance, step);
                    return;
                }
                catch (GradientCheckException found)
                {
                    error ??= found;
                }
            }
            throw new LawViolation(comparison, $"{subject}{of}: {error!.Message}", error);
        }
    }
}
