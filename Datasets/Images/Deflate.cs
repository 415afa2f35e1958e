namespace Tapegrad.Datasets.Images;

/// <summary>What is known of any stream that Deflate (RFC 1951) compressed, before it is expanded.</summary>
internal static class Deflate
{
    /// <summary>
    /// How many bytes one byte can stand for: a match of 258 bytes, the longest, takes a code for its length and one for its distance, each of one
    /// bit at least; so one byte holds four.
    /// </summary>
    public const long MostExpansion = 4 * 258;
}
