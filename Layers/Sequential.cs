namespace Tapegrad.Layers;

/// <summary>y = last(.. second(first(x))): layers one after the other, named "0", "1", ... or as given.</summary>
public sealed class Sequential : Module
{
    /// <summary>Layers named by their position.</summary>
    public Sequential(params IEnumerable<Module> layers) : this(layers.Select((layer, i) => ($"{i}", layer))) { }

    /// <summary>Layers with names of their own.</summary>
    public Sequential(params IEnumerable<(string Name, Module Layer)> layers)
    {
        foreach (var (name, layer) in layers) Child(name, layer);
    }

    /// <inheritdoc/>
    protected override Tensor Forward(Tensor x)
    {
        for (var i = 0; i < Children.Count; i++) x = Children[i].Apply(x);
        return x;
    }
}
