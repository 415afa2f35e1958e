namespace Tapegrad.Layers;

/// <summary>A parameter of a module, and how it stands in a file: in PyTorch's order of axes.</summary>
/// <param name="Name">Its name in its module.</param>
/// <param name="Parameter">Its own name is the whole path.</param>
/// <param name="FileAxes">Axis i of the array in a file is axis FileAxes[i] of the parameter; null where both have the same
/// order.</param>
internal sealed record StateEntry(string Name, Parameter Parameter, int[]? FileAxes)
{
    public Shape FileShape => FileAxes is null ? Parameter.Shape : Parameter.Shape.Permute(FileAxes);

    public Tensor ToFile() => FileAxes is null ? Parameter.Value : Parameter.Value.Permute(FileAxes);

    public void FromFile(Tensor value) => Parameter.Value = FileAxes is null ? value
        : value.Permute([.. Enumerable.Range(0, FileAxes.Length).Select(axis => Array.IndexOf(FileAxes, axis))]);
}
