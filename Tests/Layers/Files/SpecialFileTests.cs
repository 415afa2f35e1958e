using Tapegrad.Layers.Files;
using Xunit;

namespace Tapegrad.Tests.Layers.Files;

/// <summary>Pipes and devices in the place of files.</summary>
public sealed class SpecialFileTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("tapegrad-special").FullName;

    public void Dispose() => Directory.Delete(folder, recursive: true);

    public static TheoryData<string> Kinds => new("safetensors", "npy", "npz");

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task WhatHasNoLengthIsRefusedAndNotOpened(string kind)
    {
        var empty = Path.Combine(folder, "empty");
        File.WriteAllBytes(empty, []);
        foreach (var path in (string[])[empty, .. SpecialFiles.In(folder)])
            Assert.StartsWith($"{path}: the file is empty, or it is a pipe or a device",
                await SpecialFiles.RefusalBy(() =>
            {
                if (kind == "npy") NumpyFile.Read(path);
                else if (kind == "npz") NumpyFile.ReadArchive(path);
                else SafetensorsFile.Open(path).Dispose();
            }));
    }
}
