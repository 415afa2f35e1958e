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
    protected override Tensor Forward(Tensor x) => Forward(x, new Following(null, false));

    // A layer is offered the ReLU behind it, and the last one what follows the whole.
    private protected override Tensor Forward(Tensor x, Following following)
    {
        for (var i = 0; i < Children.Count; i++)
        {
            if (i + 1 == Children.Count) return Children[i].Apply(x, following);
            if (Children[i + 1] is not Relu { IsWatched: false })
            {
                x = Children[i].Apply(x);
                continue;
            }
            var next = new Following(null, relu: true);
            x = Children[i].Apply(x, next);
            if (!next.Relu) i++;
        }
        return x;
    }
}
