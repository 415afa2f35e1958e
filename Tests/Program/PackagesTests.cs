using System.Diagnostics;
using System.Globalization;
using Xunit;

namespace Tapegrad.Tests.Program;

/// <summary>
/// The packages as a stranger uses them: made by one command, named in a new project in an empty folder, trained with there.
/// </summary>
public sealed class PackagesTests : IDisposable
{
    private const string Program = """
        using Tapegrad.Datasets;
        using Tapegrad.Layers;
        using Tapegrad.Optimizers;

        var (train, test) = Shapes10.Load(640, 200);
        var model = ResNet.Cifar(depth: 8, channels => new GroupNorm(channels, GroupSpec.Size(8)), train.Classes, seed: 1);
        var fit = new Fit(model.Apply, new Sgd(model.Parameters, momentum: 0.9), LearningRate.Cosine(0.1, steps: 60))
        {
            AfterEpoch = epoch =>
            {
                Console.WriteLine($"epoch {epoch.Training.Epoch}: {epoch.Validation!.Accuracy:P0} right, loss {epoch.Training.Loss:F3}");
                return true;
            },
        };
        fit.Run(train, test, epochs: 3, batchSize: 32, seed: 1);
        model.Save("model.safetensors");
        """;

    private readonly string folder = Directory.CreateTempSubdirectory("tapegrad-packages").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void A_new_project_in_an_empty_folder_trains_with_them()
    {
        var (packages, project) = (Path.Combine(folder, "packages"), Directory.CreateDirectory(Path.Combine(folder, "mine")).FullName);
        var version = $"0.1.0-test.{Environment.ProcessId}";   // never one that a cache knows
        Run(Repository(), $"pack Framework.sln -c Release --no-build -o {packages} -p:Version={version} --nologo");
        Assert.Equal(6, Directory.GetFiles(packages, "*.nupkg").Length);

        Run(project, "new console --no-restore");
        Run(project, "new nugetconfig");
        Run(project, $"nuget add source {packages} --name tapegrad");
        foreach (var package in (string[])["Tapegrad.Layers", "Tapegrad.Optimizers"])
            Run(project, $"add package {package} --version {version} --package-directory {Path.Combine(folder, "cache")}");
        File.WriteAllText(Path.Combine(project, "Program.cs"), Program);
        var lines = Run(project, "run -c Release").Trim().Split('\n');
        Assert.Equal(3, lines.Count(line => line.StartsWith("epoch ")));
        double Loss(string line) => double.Parse(line.Split(' ')[^1], CultureInfo.InvariantCulture);
        Assert.True(Loss(lines[^1]) < Loss(lines[^3]), string.Join('\n', lines));
        Assert.True(new FileInfo(Path.Combine(project, "model.safetensors")).Length > 100_000);
    }

    private static string Repository()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder!.FullName, "Framework.sln"))) folder = folder.Parent;
        return folder.FullName;
    }

    private string Run(string directory, string arguments)
    {
        var start = new ProcessStartInfo("dotnet", arguments) { WorkingDirectory = directory, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["NUGET_PACKAGES"] = directory == Repository() ? null : Path.Combine(folder, "cache");
        start.Environment["DOTNET_CLI_USE_MSBUILD_SERVER"] = "0";
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"dotnet {arguments}: {output}{error.Result}");
        return output;
    }
}
