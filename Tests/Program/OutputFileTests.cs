using Tapegrad.Datasets.Images;
using Tapegrad.Layers;
using Xunit;

namespace Tapegrad.Tests.Program;

/// <summary>
/// A file that a command is asked to write is refused before the work begins where it cannot be, or would harm
/// something else: for every command and option in the same way.
/// </summary>
public sealed class OutputFileTests : IDisposable
{
    private readonly Cifar10Program program = new();

    public OutputFileTests()
    {
        for (var i = 0; i < 4; i++)
            foreach (var name in (string[])["cats", "dogs"])
                program.WritePicture($"photos/{name}/{i}.png", new Picture(8, 8, 3, new byte[192]));
        // whoever reads the images says so
        File.WriteAllBytes(program.PathOf("photos", "cats", "broken.png"), [1, 2, 3]);
        var model = new ModelSpec("resnet8", "layer", Classes: 2).Build(seed: 1);
        model.Save(program.PathOf("new.safetensors"));
        StateDict.Save(model, program.PathOf("own.npz"));
        File.WriteAllText(program.PathOf("occupied"), "");
    }

    public void Dispose() => program.Dispose();

    public static TheoryData<string, string, string> Outputs => new()
    {
        { "evaluate --weights new.safetensors --data photos", "--mistakes", ".csv" },
        { "evaluate --weights new.safetensors --data photos", "--confusion", ".csv" },
        { "evaluate --weights new.safetensors --data photos", "--gallery", ".html" },
        { "export --weights new.safetensors --size 8", "--out", ".onnx" },
        { "convert --from own.npz", "--to", ".safetensors" },
        { "convert --from own.npz --model resnet8 --norm layer --data photos", "--to", ".safetensors" },
    };

    [Theory]
    [MemberData(nameof(Outputs))]
    public void What_cannot_be_written_is_refused_before_the_work_begins(string command, string option, string ending)
    {
        AssertRefused($"nowhere/a{ending}", "there is no folder", "nowhere");
        AssertRefused($"occupied/a{ending}", "occupied' is a file");
        AssertRefused("a.txt", $"must end with {ending}");
        Directory.CreateDirectory(program.PathOf($"folder{ending}"));
        AssertRefused($"folder{ending}", "it is a folder");
        if (OperatingSystem.IsLinux()) AssertRefused($"/proc/a{ending}", "'/proc' cannot be written");
        if (command.Contains("--data")) AssertRefused($"photos/cats/a{ending}", "it lies in the folder of the data");
        Assert.Equal(5, Directory.GetFiles(program.PathOf("photos", "cats")).Length);
        program.Succeed($"{command} {option} a{ending}");

        void AssertRefused(string path, params string[] words)
        {
            var outcome = program.Run($"{command} {option} {path}");
            outcome.AssertRefused([$"{option} {path}: ", .. words]);
            Assert.Empty(outcome.Output);
        }
    }
}
