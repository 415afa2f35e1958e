#:project ../../Framework/Framework.csproj
#:project ../../Tests/Laws/Laws.csproj

// 3. An operation of your own
// ---------------------------
// Swish, or SiLU, is x sigmoid(x) (Ramachandran, Zoph and Le, 2017). This page adds it in five lines, then proves it
// right.
//
//     dotnet run Examples/Tutorials/03-your-own-operation.cs

using Tapegrad;
using Tapegrad.Devices;
using Tapegrad.Laws;

// How it looks to a user: like any other operation.
Console.WriteLine(Tensor.From([-2.0, -1, 0, 1, 2], new Shape(5)).Swish());
Console.WriteLine();

// Is the derivative right? Its law says so: on random shapes (ones, primes, empty ones), in double, the tape's gradient
// equals the difference quotient; so do the second and the third derivative, since the pull below is itself written in
// recorded operations. The float device agrees with the double one.
OperationLaws.Check(x => x.Swish(), Input.Any);
Console.WriteLine("swish obeys the laws: gradients of order 1 to 3, both devices, any shape");

// And a wrong one? Somebody forgot a factor; the law says which order, which shape and which seed show it.
try
{
    OperationLaws.Check(x => x.CarelessSwish(), Input.Any);
}
catch (LawException e)
{
    Console.WriteLine($"careless swish does not:\n{e.Message}");
}

internal static class SwishOperation
{
    // The value is a formula for each element, and the pull says how a gradient g of the value y passes back to x. With
    // s = sigmoid(x):
    //
    //     y = x s        dy/dx = s + x s (1 - s) = s + y (1 - s)
    public static Tensor Swish(this Tensor x) => Tape.Record("swish", x.Map(new SwishMap()),
        (x, (y, g) =>
        {
            var s = x.Sigmoid();
            return g * (s + y * (1 - s));
        }));

    public static Tensor CarelessSwish(this Tensor x) => Tape.Record("careless swish", x.Map(new SwishMap()),
        (x, (y, g) => g * (x.Sigmoid() + y)));

    // Written once, for a double on the reference device and for eight floats at a time on the CPU.
    internal readonly struct SwishMap : IMap
    {
        public T Apply<T>(T x) where T : struct, IReal<T> => x / (T.One + T.Exp(-x));
    }
}
