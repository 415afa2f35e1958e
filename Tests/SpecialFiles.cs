using System.Diagnostics;
using Xunit;

namespace Tapegrad.Tests;

/// <summary>
/// What is called a file and has no length: whoever opens a pipe waits for a writer, and a device may never end. No
/// reader may touch them.
/// </summary>
internal static class SpecialFiles
{
    /// <summary>A pipe that nobody writes to, a device without an end, and a link to each; none on Windows.</summary>
    public static string[] In(string folder)
    {
        if (OperatingSystem.IsWindows()) return [];
        var pipe = Path.Combine(folder, "pipe");
        using (var process = Process.Start("mkfifo", pipe)) process.WaitForExit();
        string[] targets = [pipe, "/dev/zero"];
        return [.. targets, .. targets.Select((target, i) =>
            File.CreateSymbolicLink(Path.Combine(folder, $"link{i}"), target).FullName)];
    }

    /// <summary>The message with which a reader refuses a file.</summary>
    public static async Task<string> RefusalBy(Action read)
    {
        // A reader that waits for ever must fail its test, not stop all tests.
        var error = await Record.ExceptionAsync(() => Task.Run(read).WaitAsync(Waiting.Long));
        Assert.True(error is InvalidDataException or IOException, $"{error}");
        return error.Message;
    }
}
