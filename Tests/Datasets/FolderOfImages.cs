using Tapegrad.Datasets;
using Tapegrad.Datasets.Images;

namespace Tapegrad.Tests.Datasets;

/// <summary>A folder of images that a test writes, what is loaded from it, and the notices that this raises.</summary>
public abstract class FolderOfImages : IDisposable
{
    protected const int Side = 4;

    /// <summary>What is written and loaded lies below it.</summary>
    protected readonly string folder = Directory.CreateTempSubdirectory("tapegrad-folder").FullName;

    protected readonly List<string> notices = [];

    protected FolderOfImages() => Notices.Raised += Note;

    public void Dispose()
    {
        Notices.Raised -= Note;
        Directory.Delete(folder, recursive: true);
    }

    // Those of this test: others run at the same time.
    private void Note(string notice)
    {
        lock (notices)
            if (notice.Contains(folder, StringComparison.Ordinal)) notices.Add(notice);
    }

    protected string Images => Path.Combine(folder, "images");

    protected string Cache => Path.Combine(folder, "cache");

    // A picture of one level all over, by which it is known again.
    protected void Write(string name, byte level, int height = Side, int width = Side, int channels = 3) =>
        WriteBytes(name,
            ImageFile.Encode(new Picture(height, width, channels,
                [.. Enumerable.Repeat(level, height * width * channels)])));

    protected void WriteBytes(string name, byte[] bytes)
    {
        var path = Path.Combine(Images, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, bytes);
    }

    protected (ImageDataset Train, ImageDataset Test) Load(bool cached = false) =>
        ImageFolder.Load(Images, Side, cached ? Cache : null);

    protected static IEnumerable<(byte Level, int Label)> Contents(ImageDataset dataset) =>
        Enumerable.Range(0, dataset.Count).Select(i => (dataset.Image(i)[0], dataset.Labels[i]));

    // Ten cats of levels 0 to 9, five dogs of levels 100 to 104.
    protected void WriteCatsAndDogs()
    {
        for (byte i = 0; i < 10; i++)
            Write($"cats/{(i % 2 == 0 ? "" : "more/")}{i}.png", i, height: 3 + i, width: 5, channels: 1 + i % 2 * 2);
        for (byte i = 0; i < 5; i++) Write($"dogs/{i}.png", (byte)(100 + i), channels: 3);
    }
}
