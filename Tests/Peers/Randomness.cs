using Tapegrad.Layers;

namespace Tapegrad.Peers;

/// <summary>Numbers by chance, where a network's first ones would hide mistakes.</summary>
public static class Randomness
{
    /// <summary>No gamma is 1 any more, no beta 0, and no statistic what it was at the start.</summary>
    public static void AsAfterTraining(Module model, RandomSource random)
    {
        foreach (var (index, parameter) in model.State.Index())
        {
            var values = Tensor.Uniform(parameter.Shape, random.Split(index));
            if (parameter.Name.EndsWith("running_var")) parameter.Value = values + 0.5;
            else if (parameter.Shape.Rank == 1)
                parameter.Value = values + (parameter.Name.EndsWith("weight") ? 0.5 : -0.5);
        }
    }
}
