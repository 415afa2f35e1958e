namespace Tapegrad;

/// <summary>
/// How a gradient passes back through an operation to one of its inputs: (value, gradient of the value) -> gradient of the input.
/// </summary>
public delegate Tensor Pull(Tensor value, Tensor gradient);

/// <summary>Like <see cref="Pull"/>, for all inputs at once, where they share work. What is not wanted may be null.</summary>
public delegate Tensor?[] PullAll(Tensor value, Tensor gradient, ReadOnlySpan<bool> wanted);
