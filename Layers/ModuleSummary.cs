using System.Globalization;
using System.Text;

namespace Tapegrad.Layers;

/// <summary>The printed table of a module: one line for each layer, the totals below.</summary>
internal static class ModuleSummary
{
    public static string Of(Module model)
    {
        var rows = new List<string[]> { (string[])["path", "layer", "parameters", "count"] };
        foreach (var module in model.Modules)
        {
            if (module.IsPart && module != model) continue;   // it stands in its parent's line
            var parts = module.Children.Where(child => child.IsPart).SelectMany(part => part.Registered);
            var parameters = parts.Concat(module.Registered).Select(entry => entry.Parameter).ToArray();
            var layer = module.Settings == "" ? module.GetType().Name : $"{module.GetType().Name}({module.Settings})";
            var shapes = parameters.Select(parameter =>
                $"{parameter.Name[(parameter.Name.LastIndexOf('.') + 1)..]} {parameter.Shape}");
            rows.Add([module.Path, layer, string.Join(", ", shapes), parameters.Length == 0 ? "" : Count(parameters)]);
        }
        var widths = Enumerable.Range(0, 3).Select(column => rows.Max(row => row[column].Length)).ToArray();
        var countWidth = rows.Max(row => row[3].Length);
        var text = new StringBuilder();
        foreach (var row in rows)
        {
            var cells = row[..3].Zip(widths, (cell, width) => cell.PadRight(width)).Append(row[3].PadLeft(countWidth));
            text.AppendLine(string.Join("  ", cells).TrimEnd());
        }
        var remembered = model.State.Where(parameter => !parameter.IsTrainable).ToArray();
        text.Append($"{Count(model.Parameters)} trainable parameters");
        if (remembered.Length > 0) text.Append($", {Count(remembered)} numbers that are kept but not trained");
        return text.AppendLine().ToString();
    }

    private static string Count(IEnumerable<Parameter> parameters) =>
        parameters.Sum(parameter => (long)parameter.Count).ToString("N0", CultureInfo.InvariantCulture);
}
