using System.Globalization;

namespace Tapegrad.Training;

/// <summary>A recipe that cannot be, or that says something without effect.</summary>
/// <param name="setting">The property of <see cref="Recipe"/>.</param>
/// <param name="value">Its value; null where the value does not matter.</param>
/// <param name="why">The rest of the sentence.</param>
public sealed class RecipeException(string setting, object? value, string why)
    : Exception(string.Create(CultureInfo.InvariantCulture, $"{setting}{(value is null ? "" : " ")}{value}: {why}"))
{
    /// <summary>The property of <see cref="Recipe"/>.</summary>
    public string Setting => setting;

    /// <summary>Its value; null where the value does not matter.</summary>
    public object? Value => value;

    /// <summary>What is wrong with it, and what to do.</summary>
    public string Why => why;
}
