using Tapegrad.Laws;
using Xunit;
using static Tapegrad.Tests.Worked;

namespace Tapegrad.Tests.Ops;

public class MatrixProductOperationTests
{
    [Theory]
    [InlineData(false, false, ".. m k", ".. k n")]
    [InlineData(true, false, ".. k m", ".. k n")]
    [InlineData(false, true, ".. m k", ".. n k")]
    [InlineData(true, true, ".. k m", ".. n k")]
    public void ObeysTheLaws(bool transposeA, bool transposeB, string a, string b) =>
        OperationLaws.Check((x, y) => x.MatrixProduct(y, transposeA, transposeB), Input.Of(a), Input.Of(b));

    // (1 2 3; 4 5 6) (1 0; 0 1; 1 1) = (1+3 2+3; 4+6 5+6).
    [Fact]
    public void MultipliesRowsByColumns() => OnBothDevices(() =>
    {
        var (a, b) = (Of([2, 3], 1, 2, 3, 4, 5, 6), Of([3, 2], 1, 0, 0, 1, 1, 1));
        Gives(a.MatrixProduct(b), new Shape(2, 2), 4, 5, 10, 11);
        Gives(a.Permute(1, 0).MatrixProduct(b, transposeA: true), new Shape(2, 2), 4, 5, 10, 11);
        Gives(a.MatrixProduct(b.Permute(1, 0), transposeB: true), new Shape(2, 2), 4, 5, 10, 11);
    });

    [Fact]
    public void BatchesBroadcast() => OnBothDevices(() =>
        Gives(Of([2, 1, 1, 2], 1, 2, 3, 4).MatrixProduct(Of([3, 2, 1], 1, 0, 0, 1, 1, 1)), new Shape(2, 3, 1, 1), 1, 2,
            3, 3, 4, 7));

    [Fact]
    public void ASumOfNothingIs0() =>
        OnBothDevices(() => Gives(Of([2, 0]).MatrixProduct(Of([0, 1])), new Shape(2, 1), 0, 0));

    // dA = G B^T and dB = A^T G. With A = (1 2), B = (3; 4), G = 5: dA = (15 20), dB = (5; 10).
    [Fact]
    public void GradientsByHand() => OnBothDevices(() =>
    {
        var gradients = Gradients(x => x[0].MatrixProduct(x[1]), [Of([1, 2], 1, 2), Of([2, 1], 3, 4)], 5);
        Gives(gradients[0], new Shape(1, 2), 15, 20);
        Gives(gradients[1], new Shape(2, 1), 5, 10);
    });

    [Fact]
    public void RefusesShapesThatDoNotFit()
    {
        Refuses<ShapeException>(() => Counting(2, 3).MatrixProduct(Counting(2, 3)), "matrix product", "[2, 3]",
            "rows of 3", "columns of 2");
        Refuses<ShapeException>(() => Counting(2, 3).MatrixProduct(Counting(2, 3), transposeA: true, transposeB: true),
            "(transposed)", "rows of 2", "columns of 3");
        Refuses<ShapeException>(() => Counting(3).MatrixProduct(Counting(3, 1)), "matrix product", "[3]", "[3, 1]",
            "two axes");
        Refuses<ShapeException>(() => Counting(2, 1, 3).MatrixProduct(Counting(4, 3, 1)), "matrix product",
            "[2]", "[4]");
    }
}
