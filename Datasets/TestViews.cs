namespace Tapegrad.Datasets;

/// <summary>
/// Several views of each image, classified together: the logits of an image are the mean of those of its views.
/// <code>
/// test.Accuracy(TestViews.All.Over(model.Apply))
/// flips    the image, and the image from right to left
/// shifts   the image, and it moved by a pixel, down and right, up and left, each with half of its weight; what comes
///          in at an edge is the reflection
/// </code>
/// With both these are six views, of the weights 1/4, 1/8, 1/8 and the same for their mirror images (Jordan, 2024,
/// arXiv:2404.00498).
/// </summary>
/// <param name="Flips">Whether mirror images are views.</param>
/// <param name="Shifts">Whether images moved by a pixel are.</param>
public sealed record TestViews(bool Flips, bool Shifts)
{
    /// <summary>The image as it is.</summary>
    public static TestViews None { get; } = new(false, false);

    /// <summary>All six.</summary>
    public static TestViews All { get; } = new(true, true);

    /// <summary>How many there are.</summary>
    public int Count => (Flips ? 2 : 1) * (Shifts ? 3 : 1);

    /// <summary>
    /// Those of a name: <c>none</c>, <c>flip</c>, <c>shift</c>, <c>flip+shift</c>; null for another name.
    /// </summary>
    public static TestViews? Named(string name) => name switch
    {
        "none" => None,
        "flip" => new(true, false),
        "shift" => new(false, true),
        "flip+shift" => All,
        _ => null,
    };

    /// <summary>The name.</summary>
    public override string ToString() => (Flips, Shifts) switch
    {
        (false, false) => "none",
        (true, false) => "flip",
        (false, true) => "shift",
        _ => "flip+shift",
    };

    /// <summary>A classifier of the views.</summary>
    /// <param name="classify">From images [N, H, W, C] to logits [N, classes]: <c>model.Apply</c>.</param>
    /// <returns>From images to the mean of their views' logits. Nothing is recorded.</returns>
    public Func<Tensor, Tensor> Over(Func<Tensor, Tensor> classify) => this == None ? classify : images =>
    {
        using var _ = Tape.Current?.Pause();
        Tensor? sum = null;
        foreach (var (view, weight) in Of(images))
        {
            using var scope = new Scope();   // what one view takes on its way is free for the next
            var logits = classify(view()) * weight;
            sum = (sum is null ? logits : sum + logits).Keep();
        }
        return sum!;
    };

    // The views and their weights.
    private IEnumerable<(Func<Tensor> View, double Weight)> Of(Tensor images)
    {
        var (rows, columns) = (images.Shape[1], images.Shape[2]);
        foreach (var flip in Flips ? (bool[])[false, true] : [false])
            foreach (var shift in Shifts ? (int[])[0, -1, 1] : [0])
                yield return (() => flip || shift != 0
                    ? images.Gather(1, Places(rows, shift, false)).Gather(2, Places(columns, shift, flip)) : images,
                    (Flips ? 0.5 : 1) * (!Shifts ? 1 : shift == 0 ? 0.5 : 0.25));
    }

    // Which row or column stands at each place.
    private static int[] Places(int length, int shift, bool flip)
    {
        int[] places = [.. Enumerable.Range(shift, length).Select(place => Augment.Reflected(place, length))];
        if (flip) Array.Reverse(places);
        return places;
    }
}
