namespace Tapegrad;

/// <summary>What <see cref="Tape.Observer"/> is told.</summary>
/// <param name="Operation">The name under which it was recorded.</param>
/// <param name="Layer">The layer that it belongs to.</param>
/// <param name="Value">What came of it. In a sweep that releases, its numbers may be gone.</param>
/// <param name="Inputs">What went into it.</param>
/// <param name="Backward">Whether a sweep has passed back through it; else it has just been recorded.</param>
public readonly record struct TapeEvent(string Operation, LayerContext? Layer, Tensor Value,
    IReadOnlyList<Tensor> Inputs, bool Backward);
