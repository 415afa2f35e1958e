using System.Diagnostics;
using System.Globalization;
using Tapegrad;
using Tapegrad.Layers;

// A model that answers many requests at once: the pattern of a server, without one. Examples/Guide/serving.md explains
// it.
//
//     dotnet run -c Release --project Examples/Serving -- model.safetensors 32
//
// answers 8 x 300 requests about images of 32 x 32 pixels, on all cores, and says how long each took.

if (args is not [var weights, var sideText]
    || !int.TryParse(sideText, NumberStyles.None, CultureInfo.InvariantCulture, out var side) || side < 1)
{
    Console.Error.WriteLine("usage: serving WEIGHTS SIDE, where WEIGHTS is a model.safetensors, and SIDE the pixels of "
        + "an image's side");
    return 2;
}

Module model;
Shape shape;
double[][] alone;
try
{
    model = ModelSpec.Rebuild(weights);   // once; from here on it is only read, so any number of threads may
    shape = new Shape(1, side, side, ModelSpec.Of(model).Inputs);
    alone = [.. Enumerable.Range(0, 300).Select(request => Predict(Image(request)))];
}
// no such file, a damaged one, images too small for the network
catch (Exception e) when (e is IOException or InvalidDataException or ShapeException)
{
    Console.Error.WriteLine($"error: {e.Message}");
    return 1;
}

var clock = Stopwatch.StartNew();
await Parallel.ForEachAsync(Enumerable.Range(0, 8 * alone.Length), async (request, _) =>
{
    var image = await Receive(request % alone.Length);     // awaits stand outside of the scope
    if (!Predict(image).SequenceEqual(alone[request % alone.Length]))
        throw new InvalidOperationException("two threads disagree.");
});
var each = clock.Elapsed.TotalMilliseconds / (8 * alone.Length);
Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"the first answer: {string.Join(" ", alone[0])}"));
Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
    $"{8 * alone.Length} answers, {each:F3} ms each, equal to those of one thread"));
return 0;

// One request from its numbers to its answer, on one thread: what is computed belongs to the scope, and the answer is
// an array of your own.
double[] Predict(float[] pixels)
{
    using var scope = new Scope();
    return model.Apply(Tensor.From(pixels, shape)).Softmax().ToDoubles();
}

// Stands for whatever a server waits for.
async Task<float[]> Receive(int request)
{
    await Task.Yield();
    return Image(request);
}

float[] Image(int request) => Tensor.Normal(shape, new RandomSource(request)).ToFloats();
