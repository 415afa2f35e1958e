#:project ../../Framework/Framework.csproj
#:project ../../Layers/Layers.csproj
#:project ../../Optimizers/Optimizers.csproj
#:project ../../Datasets/Datasets.csproj

// 5. A residual network that learns pictures
// ------------------------------------------
// This is the whole of what the program in Examples/Cifar10 does, on one page: ResNet-20 with GroupNorm, random crops
// and flips, momentum, a cosine. To be done in a minute it takes few steps, and pictures of shapes that need no
// download; with a folder of CIFAR-10 as its argument it takes those.
//
//     dotnet run Examples/Tutorials/05-cifar10.cs [FOLDER]

using Tapegrad;
using Tapegrad.Datasets;
using Tapegrad.Layers;
using Tapegrad.Optimizers;

const int batchSize = 32, epochs = 1;

var (train, test) = args.Length > 0 ? Cifar10.Load(args[0]) : Shapes10.Load(trainCount: 6400, testCount: 500);
(train, test) = (train.Take(6400), test.Take(500));
Console.WriteLine($"{train.Count} images of {train.Name}: {string.Join(", ", train.ClassNames)}");

// Who normalizes how is a function of the number of channels. Try BatchNorm, LayerNorm, InstanceNorm, or the one you
// wrote on page 4. GroupNorm alone learns slowly here; with it go weights that are standardized too, each output
// channel's for itself.
var model = ResNet.Cifar(depth: 20, channels => new GroupNorm(channels, GroupSpec.Count(8)), train.Classes, seed: 1);
model.StandardizeWeights();
var sgd = new Sgd(model.Parameters, momentum: 0.9, weightDecay: 5e-4);
var rate = LearningRate.Cosine(0.05, steps: epochs * train.BatchesPerEpoch(batchSize), warmup: 0.05);

foreach (var batch in train.Batches(batchSize, epochs, seed: 1, Augment.CropAndFlip))
{
    using var tape = Tape.Training(batch.Random);               // records; layers behave as in training
    var loss = model.Apply(batch.Images).CrossEntropy(batch.Labels);
    sgd.Step(tape.Gradients(loss), rate[batch.Step]);           // nothing to set to zero
    if (batch.Step % 20 == 0) Console.WriteLine($"step {batch.Step,3}   loss {loss.ToDouble():F3}");
}

// No tape: layers evaluate, nothing is recorded, nothing is kept.
Console.WriteLine($"test accuracy {test.Accuracy(model.Apply):P1} (guessing: {1.0 / test.Classes:P0})");

// The real program adds what a long run wants: progress, metrics, saved weights, an answer to a loss that is not a
// number. Its loop is one file that reads like this page: Optimizers/Training/Fit.cs.
