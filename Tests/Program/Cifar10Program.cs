using System.Diagnostics;
using Tapegrad.Datasets.Images;
using Xunit;

namespace Tapegrad.Tests.Program;

/// <summary>What a run of the program printed, and how it ended.</summary>
internal sealed record Outcome(int ExitCode, string Output, string Error)
{
    public string[] Lines => Output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    /// <summary>It refused, in one line with these words.</summary>
    public void AssertRefused(params string[] words)
    {
        Assert.Equal(1, ExitCode);
        Assert.Single(Error.Trim().Split('\n'));
        Assert.StartsWith("error: ", Error);
        foreach (var word in words) Assert.Contains(word, Error);
    }
}

/// <summary>
/// Runs the program of Examples/Cifar10 as a user would: a process of its own, in an empty folder, with an empty home
/// and no terminal. Disposing removes the folder.
/// </summary>
internal sealed class Cifar10Program : IDisposable
{
    /// <summary>Training of a second: 4 steps an epoch on Shapes10.</summary>
    public const string Small = "train --batch 32 --train-limit 128 --test-limit 50 --model resnet8";

    /// <summary>One epoch of it.</summary>
    public const string Short = $"{Small} --epochs 1";

    public Cifar10Program() => Folder = Directory.CreateTempSubdirectory("tapegrad-test-").FullName;

    /// <summary>The working directory.</summary>
    public string Folder { get; }

    public string PathOf(params string[] names) => Path.Combine([Folder, .. names]);

    public void Dispose() => Directory.Delete(Folder, recursive: true);

    /// <summary>Runs to the end.</summary>
    public Outcome Run(string arguments, params (string Name, string Value)[] environment) =>
        Finish(Start(arguments, environment));

    /// <summary>Runs to success.</summary>
    public Outcome Succeed(string arguments)
    {
        var outcome = Run(arguments);
        Assert.True(outcome.ExitCode == 0, outcome.Error);
        return outcome;
    }

    /// <summary>Runs to a refusal in one line with these words.</summary>
    public void AssertRefused(string arguments, params string[] words) => Run(arguments).AssertRefused(words);

    /// <summary>Writes a PNG file, and the folders above it.</summary>
    public void WritePicture(string name, Picture picture)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(PathOf(name))!);
        File.WriteAllBytes(PathOf(name), ImageFile.Encode(picture));
    }

    /// <summary>Starts, for those who interrupt.</summary>
    public Process Start(string arguments, params (string Name, string Value)[] environment)
    {
        var (file, rest) = Command(arguments);
        return Start(new ProcessStartInfo(file, rest), environment);
    }

    /// <summary>
    /// Starts in a terminal of its own, which lasts as long as the process that is given back; what it shows is that
    /// one's output.
    /// </summary>
    public Process StartInTerminal(string arguments, string terminal)
    {
        var (file, rest) = Command(arguments);
        return Start(new ProcessStartInfo("script", ["--quiet", "--flush", "--command", $"{file} {rest}", "/dev/null"]),
            [("TERM", terminal)]);
    }

    /// <summary>Runs to the end, what it prints going to a file.</summary>
    public Outcome RunInto(string path, string arguments)
    {
        var (file, rest) = Command(arguments);
        return Finish(Start(new ProcessStartInfo("sh", ["-c", $"exec {file} {rest} > {path}"]), []));
    }

    /// <summary>
    /// The program and what it is told. A shell that runs the tests in the background, or one that outlives its
    /// terminal, has them and all that they start ignore Ctrl-C or the closing of the terminal: what they test must
    /// not.
    /// </summary>
    private static (string File, string Arguments) Command(string arguments)
    {
        var program = $"\"{Path.Combine(AppContext.BaseDirectory, "cifar10.dll")}\" {arguments}";
        var ignored = IgnoredSignals;
        var names = from signal in ((int Number, string Name)[])[(1, "HUP"), (2, "INT")]
                    where (ignored >> (signal.Number - 1) & 1) != 0
                    select signal.Name;
        return names.Any() ? ("env", $"--default-signal={string.Join(',', names)} dotnet {program}")
            : ("dotnet", program);
    }

    private Process Start(ProcessStartInfo start, (string Name, string Value)[] environment)
    {
        start.WorkingDirectory = Folder;
        start.RedirectStandardInput = start.RedirectStandardOutput = start.RedirectStandardError = true;
        start.Environment["HOME"] = Folder;
        start.Environment["XDG_CACHE_HOME"] = Path.Combine(Folder, "cache");
        start.Environment.Remove("TAPEGRAD_DATA");
        start.Environment.Remove("TAPEGRAD_THREADS");
        foreach (var (name, value) in environment) start.Environment[name] = value;
        var process = Process.Start(start)!;
        process.StandardInput.Close();
        return process;
    }

    /// <summary>A bit for each signal that this process and its children ignore, the lowest for number 1.</summary>
    private static ulong IgnoredSignals => OperatingSystem.IsLinux()
        ? Convert.ToUInt64(File.ReadLines("/proc/self/status").First(line => line.StartsWith("SigIgn:"))[7..]
            .Trim(), 16)
        : 0;

    public static Outcome Finish(Process process)
    {
        using (process)
        {
            var error = process.StandardError.ReadToEndAsync();
            var output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            return new Outcome(process.ExitCode, output, error.Result);
        }
    }

    /// <summary>
    /// A folder with the six files of CIFAR-10 in their right length: all zeros, which is ten thousand black airplanes
    /// a file. Costs no disk space.
    /// </summary>
    public string BlackCifar10()
    {
        var folder = PathOf("black");
        Directory.CreateDirectory(folder);
        foreach (var name in (string[])["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5",
            "test_batch"])
        {
            using var file = File.Create(Path.Combine(folder, $"{name}.bin"));
            file.SetLength(10_000 * 3073);
        }
        return folder;
    }
}
