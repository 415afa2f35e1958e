namespace Tapegrad.Onnx;

/// <summary>
/// A layer of one's own that says itself which nodes it is; where <see cref="OnnxExporter.Define"/> says something of
/// its kind, that counts.
/// </summary>
public interface IOnnxLayer
{
    /// <summary>Writes the layer: see <see cref="OnnxExporter.Define"/>. A subclass that computes something else
    /// overrides it.</summary>
    /// <param name="graph">Takes its nodes and constants, in ONNX's order of axes.</param>
    /// <param name="x">Its input.</param>
    /// <returns>Its output.</returns>
    OnnxValue Write(OnnxGraph graph, OnnxValue x);
}
