using Tapegrad.Datasets.Images;

namespace Tapegrad.Examples.Cifar10;

/// <summary>Capital letters, digits and a few signs of 5 x 7 pixels, and a canvas in colour to write them on.</summary>
internal static class PixelFont
{
    /// <summary>Height of a sign, and from one to the next, in pixels of the font.</summary>
    public const int Height = 7, Advance = 6;

    // Signs of 5 x 7 side by side, as they look.
    private static readonly (string Signs, string[] Rows)[] Plates =
    [
        ("ABCDEFGHIJ", [
            " ###  ####   #### ####  ##### #####  #### #   #  ###    ###",
            "#   # #   # #     #   # #     #     #     #   #   #      # ",
            "#   # #   # #     #   # #     #     #     #   #   #      # ",
            "##### ####  #     #   # ####  ####  #  ## #####   #      # ",
            "#   # #   # #     #   # #     #     #   # #   #   #      # ",
            "#   # #   # #     #   # #     #     #   # #   #   #   #  # ",
            "#   # ####   #### ####  ##### #      #### #   #  ###   ##  "]),
        ("KLMNOPQRST", [
            "#   # #     #   # #   #  ###  ####   ###  ####   #### #####",
            "#  #  #     ## ## ##  # #   # #   # #   # #   # #       #  ",
            "# #   #     # # # ##  # #   # #   # #   # #   # #       #  ",
            "##    #     # # # # # # #   # ####  #   # ####   ###    #  ",
            "# #   #     #   # #  ## #   # #     # # # # #       #   #  ",
            "#  #  #     #   # #  ## #   # #     #  #  #  #      #   #  ",
            "#   # ##### #   # #   #  ###  #      ## # #   # ####    #  "]),
        ("UVWXYZ-_.,", [
            "#   # #   # #   # #   # #   # #####                        ",
            "#   # #   # #   #  # #  #   #     #                        ",
            "#   # #   # #   #  # #   # #     #                         ",
            "#   # #   # # # #   #     #     #    ###                   ",
            "#   #  # #  # # #  # #    #    #                           ",
            "#   #  # #  ## ##  # #    #   #                  ##     ## ",
            " ###    #   #   # #   #   #   #####       #####  ##     #  "]),
        ("0123456789", [
            " ###    #    ###  #####    #  #####   ##  #####  ###   ### ",
            "#   #  ##   #   #    #    ##  #      #        # #   # #   #",
            "#  ##   #       #   #    # #  ####  #        #  #   # #   #",
            "# # #   #      #     #  #  #      # ####     #   ###   ####",
            "##  #   #     #       # #####     # #   #   #   #   #     #",
            "#   #   #    #    #   #    #  #   # #   #   #   #   #    # ",
            " ###   ###  #####  ###     #   ###   ###    #    ###   ##  "]),
        ("%:/()'+&!?", [
            "##          ##      #   #      ##         ##    #    ###  ",
            "##  #  ##    #     #     #     ##         #  #   #   #   # ",
            "   #   ##   #     #       #     #    #    #  #   #       # ",
            "  #         #     #       #        ###    ##     #      #  ",
            " #     ##   #     #       #         #   # # #    #     #   ",
            "#  ##  ##  #       #     #              #  #             ",
            "   ##      #        #   #                ## #    #     #   "]),
    ];

    private static readonly Dictionary<char, bool[]> Signs = Plates.SelectMany(plate => plate.Signs.Select((sign, place) =>
        (sign, Pixels: Enumerable.Range(0, Height * 5).Select(i => At(plate.Rows[i / 5], Advance * place + i % 5)).ToArray()))).ToDictionary();

    private static bool At(string row, int column) => column < row.Length && row[column] == '#';

    /// <summary>Writes in capitals; a sign that there is none for becomes a question mark.</summary>
    /// <param name="canvas">With three channels.</param>
    /// <param name="text">A line; what does not fit into the canvas is cut off.</param>
    /// <param name="top">The first row.</param>
    /// <param name="left">The first column.</param>
    /// <param name="scale">Pixels of the canvas for one of the font, on each side.</param>
    /// <param name="colour">Red, green, blue.</param>
    public static void Write(Picture canvas, string text, int top, int left, int scale, (byte R, byte G, byte B) colour)
    {
        foreach (var (place, sign) in text.ToUpperInvariant().Index())
            for (var i = 0; sign != ' ' && i < Height * 5 * scale * scale; i++)
            {
                var (row, column) = (i / (5 * scale), i % (5 * scale));
                var (y, x) = (top + row, left + place * Advance * scale + column);
                if (Signs.GetValueOrDefault(sign, Signs['?'])[row / scale * 5 + column / scale] && y < canvas.Height && x < canvas.Width)
                    Set(canvas, y, x, colour);
            }
    }

    /// <summary>Sets one pixel.</summary>
    public static void Set(Picture canvas, int y, int x, (byte R, byte G, byte B) colour) =>
        (canvas.Pixels[3 * (y * canvas.Width + x)], canvas.Pixels[3 * (y * canvas.Width + x) + 1],
            canvas.Pixels[3 * (y * canvas.Width + x) + 2]) = colour;
}
