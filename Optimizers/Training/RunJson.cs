using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;

namespace Tapegrad.Training;

/// <summary>
/// How recipes and runs stand in files: nothing is left out, and nothing is there that is not understood.
/// </summary>
internal static class RunJson
{
    public static JsonSerializerOptions Options { get; } = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
        // 'group:8+ws' and folders are read by people; this is no page
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        // What is left out would be taken for its default, and later versions may have others.
        TypeInfoResolver = new DefaultJsonTypeInfoResolver
        {
            Modifiers =
            {
                type =>
                {
                    if (type.Kind != JsonTypeInfoKind.Object) return;
                    foreach (var property in type.Properties) property.IsRequired = property.Set is not null;
                },
            },
        },
    };

    /// <summary>The same, for people.</summary>
    public static JsonSerializerOptions Indented { get; } = new(Options) { WriteIndented = true };
}
