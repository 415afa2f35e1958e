using System.CommandLine;
using System.Globalization;
using Tapegrad.Examples.Cifar10;
using Tapegrad.Training;
using Xunit;

namespace Tapegrad.Tests.Program;

/// <summary>
/// The settings of a recipe, in code, in JSON and as options: what each can be, and that none is forgotten.
/// </summary>
public sealed class RecipeSettingsTests
{
    public static TheoryData<string> Numbers => [.. Recipe.Ranges.Keys];

    [Fact]
    public void Every_setting_that_is_a_number_has_a_range() => Assert.Equal(
        from property in typeof(Recipe).GetProperties()
        where (Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType) is var type
            && (type == typeof(int) || type == typeof(double))
        orderby property.Name
        select property.Name,
        Recipe.Ranges.Keys.Order());

    // In code, in JSON and on the command line: the ends of a range are taken, what lies just beyond them is refused.
    [Theory]
    [MemberData(nameof(Numbers))]
    public void The_ends_of_a_range_are_taken_and_no_more(string setting)
    {
        var (least, most) = Recipe.Ranges[setting];
        var property = typeof(Recipe).GetProperty(setting)!;
        var type = Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType;
        var isWhole = type == typeof(int);
        foreach (var (value, isTaken) in ((double, bool)[])[(least, true), (most, true),
            (isWhole ? least - 1 : Math.BitDecrement(least), false),
            (isWhole ? most + 1 : Math.BitIncrement(most), false), (double.NaN, false),
            (double.PositiveInfinity, false)])
        {
            var text = value.ToString("R", CultureInfo.InvariantCulture);
            Assert.Equal(isTaken,
                new RootCommand { Options = { TrainOptions.Settings[setting] } }.Parse(
                    [TrainOptions.Settings[setting].Name, text])
                .Errors.Count == 0);
            if (isWhole && (value != Math.Clamp(value, int.MinValue, int.MaxValue) || double.IsNaN(value))) continue;
            var recipe = new Recipe();
            property.SetValue(recipe, Convert.ChangeType(value, type, CultureInfo.InvariantCulture));
            if (isTaken) recipe.Check();
            else Assert.Equal(setting, Assert.Throws<RecipeException>(recipe.Check).Setting);
        }
    }

    // As typed, so that none is forgotten between the command line and what is computed.
    [Fact]
    public void Every_setting_of_a_recipe_has_an_option_that_sets_it()
    {
        Assert.Equal(typeof(Recipe).GetProperties().Where(property => property.CanWrite)
            .Select(property => property.Name).Order(),
            TrainOptions.Settings.Keys.Order());
        foreach (var (setting, option) in TrainOptions.Settings)
        {
            var property = typeof(Recipe).GetProperty(setting)!;
            var typed = option.Name switch
            {
                "--model" => "vgg",
                "--norm" => "batch",
                "--optimizer" => "adamw",
                "--schedule" => "constant",
                "--decay" => "weights",
                "--zero-gamma" or "--no-flip" or "--strict" or "--nesterov" or "--lookahead" => "true",
                "--flip" => "alternate",
                "--tta" => "shift",
                _ => property.PropertyType == typeof(double) || property.PropertyType == typeof(double?) ? "0.25" : "7",
            };
            var given = RecipeOf($"train {option.Name} {typed}");
            Assert.Equal(typed, Convert.ToString(property.GetValue(given), CultureInfo.InvariantCulture),
                ignoreCase: true);
            Assert.Equal(given, Recipe.FromJson(given.ToJson()));
            property.SetValue(given, property.GetValue(new Recipe()));
            Assert.Equal(new Recipe(), given);   // and nothing else
        }
    }

    internal static Recipe RecipeOf(string command)
    {
        var root = new RootCommand();
        TrainCommand.AddTo(root);
        return TrainOptions.RecipeOf(root.Parse(command));
    }
}
