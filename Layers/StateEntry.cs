using Tapegrad.Devices;

namespace Tapegrad.Layers;

/// <summary>A parameter of a module, and how it stands in a file: in PyTorch's order of axes.</summary>
/// <param name="Name">Its name in the module that was asked for it.</param>
/// <param name="Parameter">Its own name is the path in the outermost module.</param>
/// <param name="FileAxes">Axis i of the array in a file is axis FileAxes[i] of the parameter; null where both have the
/// same order.</param>
internal sealed record StateEntry(string Name, Parameter Parameter, int[]? FileAxes)
{
    public Shape FileShape => FileAxes is null ? Parameter.Shape : Parameter.Shape.Permute(FileAxes);

    public Tensor ToFile() => FileAxes is null ? Parameter.Value : Parameter.Value.Permute(FileAxes);

    /// <summary>Puts the numbers of a file back, as values of the parameter's device.</summary>
    /// <param name="numbers">As many as it has, in the file's order.</param>
    /// <param name="reorder">What is done first to an array whose order is another one still.</param>
    public void Restore(double[] numbers, Func<Tensor, Tensor>? reorder = null)
    {
        using var scope = new Scope();
        using var pause = Tape.Current?.Pause();
        using var device = Device.Use(Parameter.Device);
        var value = Tensor.From(numbers, FileShape);
        if (reorder is not null) value = reorder(value);
        Parameter.Value = FileAxes is null ? value
            : value.Permute([.. Enumerable.Range(0, FileAxes.Length).Select(axis => Array.IndexOf(FileAxes, axis))]);
    }
}
