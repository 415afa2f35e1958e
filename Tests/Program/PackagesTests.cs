using System.Diagnostics;
using System.Globalization;
using Xunit;

namespace Tapegrad.Tests.Program;

/// <summary>
/// The packages, from a folder as their source, as a stranger gets them: one named in a new project in an empty folder,
/// where the guide's program trains and goes on; and the program as a tool.
/// </summary>
public sealed class PackagesTests : IClassFixture<PackagesTests.Packed>
{
    private readonly string folder, packages;

    public PackagesTests(Packed packed) => (folder, packages) = (packed.Folder, packed.Packages);

    // Never one that a cache knows.
    private static readonly string Version = $"0.1.0-test.{Environment.ProcessId}";

    /// <summary>All packages in a folder.</summary>
    public sealed class Packed : IDisposable
    {
        public Packed() => PackagesTests.Run(Folder, Repository(), "dotnet",
            $"pack Framework.sln -c Release --no-build -o {Packages} -p:Version={Version} --nologo");

        public string Folder { get; } = Directory.CreateTempSubdirectory("tapegrad-packages").FullName;

        public string Packages => Path.Combine(Folder, "packages");

        public void Dispose() => Directory.Delete(Folder, recursive: true);
    }

    [Fact]
    public void Each_library_is_one_and_so_is_the_program() => Assert.Equal(
        ((string[])["Tapegrad", "Tapegrad.Datasets", "Tapegrad.Laws", "Tapegrad.Layers", "Tapegrad.Onnx",
            "Tapegrad.Optimizers", "Tapegrad.Tool",
            "Tapegrad.Training"]).Select(name => $"{name}.{Version}.nupkg").Order(),
        Directory.GetFiles(packages, "*.nupkg").Select(path => Path.GetFileName(path)).Order());

    [Fact]
    public void The_program_is_a_tool()
    {
        var work = Directory.CreateDirectory(Path.Combine(folder, "work")).FullName;
        Run(work, $"tool install Tapegrad.Tool --tool-path tools --add-source {packages} --version {Version}");
        var tapegrad = Path.Combine(work, "tools", OperatingSystem.IsWindows() ? "tapegrad.exe" : "tapegrad");
        Assert.Contains("train", Run(folder, work, tapegrad, "--help"));
        var lines = Run(folder, work, tapegrad,
            "train --model resnet8 --epochs 1 --batch 32 --train-limit 128 --test-limit 8 --out run").Trim()
            .Split('\n');
        Assert.Matches(@"^test accuracy: [01]\.[0-9]{4}$", lines[^1]);
        Assert.Equal(lines[^1], Run(folder, work, tapegrad, "evaluate --weights run/model.safetensors --test-limit 8")
            .Trim().Split('\n')[^1]);
    }

    [Fact]
    public void A_new_project_in_an_empty_folder_trains_with_them()
    {
        var project = Directory.CreateDirectory(Path.Combine(folder, "mine")).FullName;
        Run(project, "new console --no-restore");
        Run(project, "new nugetconfig");
        Run(project, $"nuget add source {packages} --name tapegrad");
        Run(project,
            $"add package Tapegrad.Training --version {Version} --package-directory {Path.Combine(folder, "cache")}");
        File.WriteAllText(Path.Combine(project, "Program.cs"), GuideProgram());
        // Five epochs, or fewer where one of them gets 99 % right, with which the program ends early.
        var lines = Run(project, "run -c Release").Trim().Split('\n');
        var (epochs, last) = AssertNumbered(lines, first: 1);
        Assert.True(epochs == 5 || last >= 99, string.Join('\n', lines));
        Assert.Matches("^test: (9[0-9]|100)", lines[^1]);
        // Goes on from its end: an early one is followed by the next epoch.
        var again = Run(project, "run -c Release --no-build").Trim().Split('\n');
        var (more, _) = AssertNumbered(again, first: epochs + 1);
        if (epochs == 5) Assert.Equal(lines[^1], Assert.Single(again));
        else Assert.InRange(more, 1, 5 - epochs);
    }

    // The lines of the epochs, from a first one on; how many there are, and the accuracy of the last in percent.
    private static (int Count, double Last) AssertNumbered(string[] lines, int first)
    {
        var epochs = lines.Where(line => line.StartsWith("epoch ")).ToArray();
        for (var i = 0; i < epochs.Length; i++) Assert.StartsWith($"epoch {first + i}: ", epochs[i]);
        return (epochs.Length, epochs.Length == 0 ? 0
            : double.Parse(epochs[^1].Split(' ')[2].TrimEnd('%'), CultureInfo.InvariantCulture));
    }

    // The first program of the page on checkpoints.
    private static string GuideProgram()
    {
        var text = File.ReadAllText(Path.Combine(Repository(), "Examples", "Guide", "checkpoints.md"));
        return text.Split("```csharp\n")[1].Split("```")[0];
    }

    private static string Repository()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder!.FullName, "Framework.sln"))) folder = folder.Parent;
        return folder.FullName;
    }

    private string Run(string directory, string arguments) => Run(folder, directory, "dotnet", arguments);

    private static string Run(string folder, string directory, string program, string arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        { WorkingDirectory = directory, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["NUGET_PACKAGES"] = directory == Repository() ? null : Path.Combine(folder, "cache");
        start.Environment["DOTNET_CLI_USE_MSBUILD_SERVER"] = "0";
        // where the tool finds the runtime
        start.Environment["DOTNET_ROOT"] = Path.GetDirectoryName(Environment.ProcessPath);
        start.Environment["XDG_CACHE_HOME"] = folder;
        start.Environment.Remove("TAPEGRAD_DATA");
        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, $"{program} {arguments}: {output}{error.Result}");
        return output;
    }
}
