namespace Tapegrad;

/// <summary>What can go wrong with a tape, in words for the person who wrote the step.</summary>
internal static class TapeErrors
{
    public static void CheckOpen(Tape tape)
    {
        if (Tape.Current == tape) return;
        throw new InvalidOperationException(tape.IsDisposed ? "this tape has been disposed."
            : "this tape belongs to another thread: a tape "
            + "is used on the thread that opened it (after an await, the rest may run on another one).");
    }

    public static InvalidOperationException AlreadyOpen(Tape other) =>
        new($"a tape is already open on this thread (with {other.Count} "
        + "records). Dispose it first: 'using var tape = Tape.Training(...)' does so at the end of the block.");

    public static InvalidOperationException NotRecorded(Tensor x) =>
        new($"this tape did not record the tensor {x.Shape}, so it knows no "
        + "gradient of it. Usual reasons: it was made before the tape was opened (give it to tape.Watch and compute "
        + "with the result), it was computed on another thread, or after an await; or no variable went into it.");

    public static InvalidOperationException Paused() =>
        new("the tape is paused, so it cannot record the sweep that createGraph asks for.");

    public static InvalidOperationException Trains(string work) =>
        new($"{work}: a training tape is open, under which layers behave as in training, and the next step would take "
        + "the statistics of what they see. Do so before it is opened, or after it is disposed.");

    public static ShapeException NoScalar(Tensor loss) =>
        new($"Gradients: the loss has the shape {loss.Shape}; it must be one number. Take "
        + "its mean, or use the overload with a seed.");

    public static ShapeException WrongSeed(Tensor seed, Tensor y) =>
        new($"Gradients: the seed has the shape {seed.Shape}, but y has {y.Shape}.");

    public static ShapeException WrongShape(TapeEntry entry, int input, Tensor gradient) =>
        new($"the pull of '{entry.Name}' gave input "
        + $"{input} of the shape {entry.Inputs[input].Shape} a gradient of the shape {gradient.Shape}.");
}
