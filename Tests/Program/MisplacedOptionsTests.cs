using Xunit;

namespace Tapegrad.Tests.Program;

/// <summary>
/// What stands before a command is the program's without one, which is 'train': the command would not see it, and
/// nobody would know.
/// </summary>
public sealed class MisplacedOptionsTests : IDisposable
{
    private readonly Cifar10Program program = new();

    public void Dispose() => program.Dispose();

    [Theory]
    [InlineData("--tta flip+shift evaluate --weights run/model.safetensors", "--tta stands before 'evaluate'")]
    [InlineData("--batch 128 profile", "--batch stands before 'profile'")]
    [InlineData("--threads 1 evaluate --weights run/model.safetensors", "--threads stands before 'evaluate'")]
    [InlineData("--data photos predict --weights run/model.safetensors a.png", "--data stands before 'predict'")]
    [InlineData("--out a.onnx export --weights run/model.safetensors --out b.onnx", "--out stands before 'export'")]
    [InlineData("--model resnet8 convert --from a.npz --to b.safetensors", "--model stands before 'convert'")]
    [InlineData("--seed 5 train --epochs 1 --train-limit 64 --test-limit 8", "--seed stands before 'train'")]
    [InlineData("--no-flip train --epochs 1 --train-limit 64 --test-limit 8", "--no-flip stands before 'train'")]
    public void An_option_before_a_command_is_refused(string arguments, string words) =>
        program.AssertRefused(arguments, $"error: {words}; give it behind.");

    [Theory]
    [InlineData("--help evaluate")]
    [InlineData("evaluate --help")]
    public void Help_is_given_wherever_it_is_asked_for(string arguments) =>
        Assert.Contains("--weights", program.Succeed(arguments).Output);
}
