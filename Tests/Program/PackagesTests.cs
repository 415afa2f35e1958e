using System.Diagnostics;
using Xunit;

namespace Tapegrad.Tests.Program;

/// <summary>
/// The packages as a stranger uses them: made by one command, named in a new project in an empty folder; there the guide's program trains, and
/// goes on.
/// </summary>
public sealed class PackagesTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("tapegrad-packages").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Fact]
    public void A_new_project_in_an_empty_folder_trains_with_them()
    {
        var (packages, project) = (Path.Combine(folder, "packages"), Directory.CreateDirectory(Path.Combine(folder, "mine")).FullName);
        var version = $"0.1.0-test.{Environment.ProcessId}";   // never one that a cache knows
        Run(Repository(), $"pack Framework.sln -c Release --no-build -o {packages} -p:Version={version} --nologo");
        Assert.Equal(7, Directory.GetFiles(packages, "*.nupkg").Length);

        Run(project, "new console --no-restore");
        Run(project, "new nugetconfig");
        Run(project, $"nuget add source {packages} --name tapegrad");
        Run(project, $"add package Tapegrad.Training --version {version} --package-directory {Path.Combine(folder, "cache")}");
        File.WriteAllText(Path.Combine(project, "Program.cs"), GuideProgram());
        var lines = Run(project, "run -c Release").Trim().Split('\n');
        Assert.Equal(5, lines.Count(line => line.StartsWith("epoch ")));
        Assert.Matches("^test: 9[0-9]", lines[^1]);
        Assert.Equal(lines[^1], Run(project, "run -c Release --no-build").Trim());   // goes on from its end
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

    private string Run(string directory, string arguments)
    {
        var start = new ProcessStartInfo("dotnet", arguments)
        { WorkingDirectory = directory, RedirectStandardOutput = true, RedirectStandardError = true };
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
