using System.Net;
using System.Text.RegularExpressions;
using FsCheck.Xunit;
using Tapegrad.Datasets;
using Tapegrad.Datasets.Images;
using Tapegrad.Examples.Cifar10;
using Xunit;

namespace Tapegrad.Tests.Program;

/// <summary>The page and the table of a network's mistakes.</summary>
public sealed class GalleryTests
{
    private const int Count = 80;

    // Images of one pixel, each of another grey; all are of class 0. Every fourth is classified right.
    private static (ImageDataset Dataset, Mistakes Mistakes, int[] Expected) Greys(params string[] names)
    {
        var dataset = new ImageDataset("greys", [.. Enumerable.Range(0, Count).Select(i => (byte)(3 * i))],
            new int[Count], (1, 1, 1), names)
        { Sources = [.. Enumerable.Range(0, Count).Select(i => $"{names[0]}/{i}.png")] };
        var order = new RandomSource(1).Permutation(Count);
        var scores = Enumerable.Range(0, Count).Select(i => i % 4 == 0 ? -1f : 1 + order[i] / 20f).ToArray();
        var mistakes = new Mistakes(dataset);
        foreach (var batch in scores.Chunk(10))   // as batches of an evaluation come
            mistakes.Watch(Tensor.From([.. batch.SelectMany(score => new[] { 0, score })], new Shape(batch.Length, 2)));
        return (dataset, mistakes,
            [.. Enumerable.Range(0, Count).Where(i => scores[i] > 0).OrderByDescending(i => scores[i])]);
    }

    [Fact]
    public void The_most_confident_mistakes_come_first()
    {
        var (dataset, mistakes, expected) = Greys("no", "yes");
        Assert.Equal(Count, mistakes.Seen);
        Assert.Equal(expected, mistakes.All.Select(mistake => mistake.Image));
        var page = Gallery.Of(dataset, mistakes);
        Assert.Contains("60 of 60 mistakes among 80 images", page);
        var pictures = Regex.Matches(page, "base64,([^\"]*)\"")
            .Select(match => ImageFile.Decode(Convert.FromBase64String(match.Groups[1].Value)));
        Assert.Equal(expected.Select(i => (byte)(3 * i)), pictures.Select(picture => picture.Pixels[0]));
        Assert.Equal(expected.Select(i => $"no/{i}.png"),
            Regex.Matches(page, "class=\"file\"><bdi dir=\"ltr\">(.*?)</bdi>").Select(match => match.Groups[1].Value));
    }

    // Where two classes have all but the same score, a float has the same probability for both.
    [Fact]
    public void A_mistake_is_what_the_table_of_confusions_counts_as_one()
    {
        var dataset = new ImageDataset("greys", new byte[Count], [.. Enumerable.Range(0, Count).Select(i => i % 3)],
            (1, 1, 1), ["a", "b", "c"]);
        var (mistakes, random) = (new Mistakes(dataset), new Random(1));
        float[] scores = [.. Enumerable.Range(0, 3 * Count).Select(_ => random.Next(3) * 1e-9f)];
        var result = dataset.Evaluate(images => mistakes.Watch(Tensor.From(
            scores.AsSpan(3 * mistakes.Seen, 3 * images.Shape[0]), new Shape(images.Shape[0], 3))));
        Assert.InRange(mistakes.All.Count(), 20, Count - 20);
        Assert.Equal(result.Confusion.Mistakes.OrderBy(pair => pair),
            mistakes.All.CountBy(mistake => (dataset.Labels[mistake.Image], mistake.Taken))
                .Select(pair => (pair.Key.Item1, pair.Key.Taken, pair.Value)).Order());
    }

    // Letters of all scripts, and what would be read as a page's own signs, or turn what stands beside it.
    [Fact]
    public void Names_appear_as_they_are_and_cannot_change_the_page()
    {
        string[] names = ["Äpfel & <script>alert(1)</script>", "猫 \"قط\" 'x'\u202E"];
        var (dataset, mistakes, _) = Greys(names);
        var page = Gallery.Of(dataset, mistakes);
        Assert.DoesNotContain("<script", page);
        Assert.DoesNotContain('\u202E', page);
        Assert.Contains("default-src 'none'", page);
        var captions = Regex.Matches(page, "<bdi dir=\"[a-z]+\">(.*?)</bdi>")
            .Select(match => WebUtility.HtmlDecode(match.Groups[1].Value)).ToArray();
        Assert.Equal([names[1].Replace('\u202E', '?'), names[0]], captions[..2]);
        Assert.StartsWith(names[0], captions[2]);
    }

    // Read by the rules of RFC 4180, the fields are what they were.
    private static List<string[]> ReadCsv(string text)
    {
        var (rows, row, field, quoted) = (new List<string[]>(), new List<string>(),
            new System.Text.StringBuilder(), false);
        for (var i = 0; i < text.Length; i++)
            if (quoted && text[i] == '"' && i + 1 < text.Length && text[i + 1] == '"') field.Append(text[++i]);
            else if (text[i] == '"') quoted = !quoted;
            else if (quoted) field.Append(text[i]);
            else if (text[i] == ',') EndField();
            else if (text[i] == '\r' && text[i + 1] == '\n')
            {
                i++;
                EndField();
                rows.Add([.. row]);
                row.Clear();
            }
            else field.Append(text[i]);
        return rows;

        void EndField()
        {
            row.Add(field.ToString());
            field.Clear();
        }
    }

    [Property]
    public void Tables_are_read_as_they_were_written(string[][] rows)
    {
        string[][] cells = [.. rows.Select(row => (string[])["first", .. row.Select(field => field ?? "")])];
        Assert.Equal([["head"], .. cells], ReadCsv(Csv.Of(["head"], cells)));
    }

    [Fact]
    public void All_mistakes_stand_in_the_table()
    {
        var (_, mistakes, expected) = Greys("a, \"b\"\nc", "ä");
        var rows = ReadCsv(mistakes.ToCsv());
        Assert.Equal(["image", "class", "taken for", "probability"], rows[0]);
        Assert.Equal(expected.Select(i => (string[])[$"a, \"b\"\nc/{i}.png", "a, \"b\"\nc", "ä"]),
            rows[1..].Select(row => row[..3]));
        Assert.All(rows[1..], row =>
            Assert.InRange(double.Parse(row[3], System.Globalization.CultureInfo.InvariantCulture), 0.5, 1));
    }
}
