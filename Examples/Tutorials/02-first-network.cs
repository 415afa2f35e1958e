#:project ../../Framework/Framework.csproj
#:project ../../Layers/Layers.csproj
#:project ../../Optimizers/Optimizers.csproj

// 2. A first network
// ------------------
// Two spirals of points, one wound inside the other. No straight line separates them; a network with two hidden layers
// does.
//
//     dotnet run Examples/Tutorials/02-first-network.cs

using Tapegrad;
using Tapegrad.Layers;
using Tapegrad.Optimizers;

// The data: 200 points on each spiral, a little noise, and the spiral's number as the label.
var random = new RandomSource(seed: 1);
var (points, labels) = (new double[800], new int[400]);
for (var i = 0; i < 400; i++)
{
    var (spiral, along) = (i % 2, i / 400.0);
    var angle = 9 * along + Math.PI * spiral;
    points[2 * i] = (0.2 + along) * Math.Cos(angle) + 0.03 * random.Normal(2 * i);
    points[2 * i + 1] = (0.2 + along) * Math.Sin(angle) + 0.03 * random.Normal(2 * i + 1);
    labels[i] = spiral;
}
var data = Tensor.From(points, new Shape(400, 2));

// The network: a linear map, a bend, another linear map, another bend, and one number for each class. Without the
// bends, the three maps would be one.
var model = new Sequential(
    new Linear(2, 32, random.Split(1)), new Relu(),
    new Linear(32, 32, random.Split(2)), new Relu(),
    new Linear(32, 2, random.Split(3)));
Console.WriteLine(model.Summary());

// Learning: compute the loss on a tape, read the gradients from it, let the optimizer take a step against them. Nothing
// has to be set to zero, and the tape's end gives all memory of the step back.
var adam = new Adam(model.Parameters);
for (var step = 0; step <= 300; step++)
{
    using var tape = Tape.Training(random.Split(100 + step));
    var logits = model.Apply(data);
    var loss = logits.CrossEntropy(labels);
    if (step % 50 == 0)
    {
        var scores = logits.ToDoubles();
        var right = Enumerable.Range(0, 400).Count(i => scores[2 * i + 1] > scores[2 * i] == (labels[i] == 1));
        Console.WriteLine($"step {step,3}   loss {loss.ToDouble():F4}   right {right / 400.0:P1}");
    }
    adam.Step(tape.Gradients(loss), rate: 0.01);
}

// Seeing it: what the network answers on a grid, '.' for one spiral and '#' for the other. There is no tape here, so
// nothing is recorded.
Console.WriteLine();
for (var row = 0; row < 21; row++)
{
    var places = Enumerable.Range(0, 42).SelectMany(column => new[] { (column - 20.5) / 16, (10 - row) / 8.0 })
        .ToArray();
    var grid = Tensor.From(places, new Shape(42, 2));
    var answer = model.Apply(grid).ToDoubles();
    Console.WriteLine(string.Concat(Enumerable.Range(0, 42)
        .Select(column => answer[2 * column + 1] > answer[2 * column] ? '#' : '.')));
}
