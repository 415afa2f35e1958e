#:project ../../Framework/Framework.csproj

// 1. The tape
// -----------
// A framework for learning does one thing that a calculator does not: after computing a number, it can say how that
// number would change if any of the numbers it was made from had been a little different. This page does so by hand
// once, and then reads the same answer from a tape.
//
//     dotnet run Examples/Tutorials/01-tape.cs

using Tapegrad;
using Tapegrad.Devices;

using var _ = Device.Use(Device.Reference);   // double precision, plain loops: the device to look at while learning

// Take two numbers and a small computation with a name for every intermediate result:
//
//     p = x y        q = p + x        z = q^2

const double x = 3, y = 2;
const double p = x * y, q = p + x, z = q * q;
Console.WriteLine($"by hand:  p = {p}, q = {q}, z = {z}");

// The chain rule, from the end to the beginning. Write dq for "how much z changes per change of q", and so on for every
// name.
//
//     z = q^2      dq = 2 q
//     q = p + x    dp = dq                     and x receives dq
//     p = x y      dy = dp x                   and x receives dp y
//
// x was used twice, so two gradients arrive at it, and they are added: along every path by which x reaches z, once.

const double dq = 2 * q;
const double dp = dq;
const double dx = dq + dp * y;
const double dy = dp * x;
Console.WriteLine($"by hand:  dz/dx = {dx}, dz/dy = {dy}");

// A tape does exactly this. While it is open, each operation writes down its value, its inputs, and how a gradient
// passes back through it. 'Watch' says which numbers are variables; what is computed from them is recorded, and nothing
// else.

using var tape = Tape.Evaluating();
var vx = tape.Watch(Tensor.Scalar(x));
var vy = tape.Watch(Tensor.Scalar(y));
var vz = (vx * vy + vx).Square();

Console.WriteLine();
Console.WriteLine("what the tape has written:");
Console.WriteLine(tape.Print());

// Reading it from the end: each record hands its gradient to the records in the last column. Every later use of a value
// stands later on the tape, so when the reading comes to a record, all gradients have arrived there. That is the whole
// of reverse-mode differentiation.

var gradients = tape.Gradients(vz, [vx, vy], createGraph: true);
Console.WriteLine($"the tape: dz/dx = {gradients[0].ToDouble()}, dz/dy = {gradients[1].ToDouble()}");

// With 'createGraph' the reading itself was recorded, in the same operations. So it can be read again: a second
// derivative.
//
//     z = (x y + x)^2 = x^2 (y + 1)^2      d2z/dx2 = 2 (y + 1)^2      d2z/dxdy = 4 x (y + 1)

var second = tape.Gradients(gradients[0], [vx, vy]);
Console.WriteLine($"the tape: d2z/dx2 = {second[0].ToDouble()}, d2z/dxdy = {second[1].ToDouble()}");
Console.WriteLine($"by hand:  d2z/dx2 = {2 * (y + 1) * (y + 1)}, d2z/dxdy = {4 * x * (y + 1)}");

// Where to look next: Framework/Tape.cs is the engine, Framework/Ops/Multiply.cs the smallest operation, and
// 02-first-network.cs puts both to work.
