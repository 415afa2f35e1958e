using System.Globalization;
using System.Net;
using Tapegrad.Datasets;
using Tapegrad.Datasets.Images;

namespace Tapegrad.Examples.Cifar10;

/// <summary>
/// The mistakes that a network was most confident about, as a page: each image, enlarged, with what it was taken for,
/// how surely, what it is, and its file. One file that needs nothing else; a browser has the letters of all scripts,
/// which a picture would need a font for.
/// </summary>
internal static class Gallery
{
    private const int Most = 60, Side = 192;

    private const string Style = """
        body { font: 15px/1.4 system-ui, sans-serif; margin: 2rem; color: #222; background: #fafaf7 }
        h1 { font-size: 1.2rem; font-weight: 600 }
        main { display: grid; grid-template-columns: repeat(auto-fill, 192px); gap: 1.5rem }
        figure { margin: 0; overflow-wrap: anywhere }
        img { display: block; image-rendering: pixelated; background: #fff; border-radius: 4px }
        figcaption { margin-top: .4rem }
        .taken { color: #b22222; display: flex; justify-content: space-between; gap: .5rem }
        .file { color: #777; font-size: .8rem }
        @media (prefers-color-scheme: dark) { body { color: #ddd; background: #1c1c1c } .taken { color: #ff8a80 } .file { color: #999 } }
        """;

    /// <summary>The page.</summary>
    /// <param name="dataset">Whose images they are.</param>
    /// <param name="mistakes">At least one.</param>
    public static string Of(ImageDataset dataset, Mistakes mistakes)
    {
        Mistake[] all = [.. mistakes.All], shown = all[..Math.Min(Most, all.Length)];
        var title = $"{shown.Length} of {all.Length} mistakes among {mistakes.Seen} images, the most confident first";
        // Nothing of the page runs, and nothing is fetched, whatever stands in a name.
        return $"""
            <!DOCTYPE html>
            <html lang="en">
            <meta charset="utf-8">
            <meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
            <meta name="viewport" content="width=device-width">
            <title>{title}</title>
            <style>
            {Style}
            </style>
            <h1>{title}</h1>
            <main>
            {string.Join('\n', shown.Select(mistake => Figure(dataset, mistake)))}
            </main>
            </html>

            """;
    }

    private static string Figure(ImageDataset dataset, Mistake mistake)
    {
        var (height, width) = (dataset.Height, dataset.Width);
        var picture =
            ImageFile.Encode(new Picture(height, width, dataset.Channels, dataset.Image(mistake.Image).ToArray())
                .WithChannels(3));
        var scale = (double)Side / Math.Max(height, width);
        var (taken, truth) = (dataset.ClassNames[mistake.Taken], dataset.ClassNames[dataset.Labels[mistake.Image]]);
        return string.Create(CultureInfo.InvariantCulture, $"""
            <figure>
            <img width="{scale * width:F0}" height="{scale * height:F0}" alt="" src="data:image/png;base64,{Convert.ToBase64String(picture)}">
            <figcaption><div class="taken">{Name(taken)} <span>{100 * mistake.Probability:F0} %</span></div>
            <div>is {Name(truth)}</div>
            <div class="file">{Name(dataset.Source(mistake.Image), "ltr")}</div></figcaption>
            </figure>
            """);
    }

    // In a direction of its own, so that a name from right to left does not turn what stands beside it; a path goes
    // from left to right, whatever the script of its first folder.
    private static string Name(string name, string direction = "auto") =>
        $"<bdi dir=\"{direction}\">{WebUtility.HtmlEncode(Line.Of(name))}</bdi>";
}
