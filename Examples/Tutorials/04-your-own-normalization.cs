#:project ../../Framework/Framework.csproj
#:project ../../Layers/Layers.csproj
#:project ../../Tests/Laws/Laws.csproj

// 4. A normalization of your own
// ------------------------------
// A normalization is a choice of who shares a mean. Here is one that nobody ships: centre by the mean, then divide by
// the mean absolute deviation instead of the standard deviation, which a few outliers pull less.
//
//     x^ = (x - mean) / (mean of |x - mean| + eps)
//
//     dotnet run Examples/Tutorials/04-your-own-normalization.cs

using Tapegrad;
using Tapegrad.Laws;
using Tapegrad.Layers;

// The class at the bottom of this page is all of it. The base class brings gamma and beta, the checks of shapes, names
// in files and in errors.
var groups = new DeviationNorm(4, new Sharing(Batch: false, Positions: true, Groups: 2));
Console.WriteLine(groups.Apply(Tensor.From([1.0, 2, 3, 4, 5, 6, 7, 8], new Shape(1, 2, 4))));
Console.WriteLine();

// The same class is a family: who shares is an argument. Layer, group, instance or batch normalization by deviation are
// one line each.
foreach (var (name, sharing) in new (string, Func<int, Sharing>)[]
{
    ("one group", _ => new Sharing(Batch: false, Positions: true, Groups: 1)),
    ("groups of one channel", channels => new Sharing(Batch: false, Positions: true, Groups: channels)),
    ("the whole batch", channels => new Sharing(Batch: true, Positions: true, Groups: channels)),
})
{
    // Gradients of order 1 to 3 against difference quotients, for x, gamma and beta; shifting the input changes
    // nothing; scaling it neither; a constant input is finite; a sample's bits do not depend on its neighbours where
    // the batch does not share; one pixel, one channel, no sample at all.
    // What shares the batch does not obey two of these laws, and says so; an exception without need would be reported.
    string[] except = sharing(1).Batch ? ["BatchIndependence", "EvaluationIndependence"] : [];
    NormalizationLaws.Check(channels => new DeviationNorm(channels, sharing(channels)), except: except);
    Console.WriteLine($"deviation over {name}: obeys the laws");
}

internal sealed class DeviationNorm(int channels, Sharing sharing) : Normalization(channels, sharing)
{
    protected override Tensor Normalize(Tensor x)
    {
        var centered = S.Center(x);
        return centered / (S.Mean(centered.Abs()) + Eps);
    }
}
