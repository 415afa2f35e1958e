using FsCheck;
using FsCheck.Fluent;
using Microsoft.FSharp.Collections;
using Microsoft.FSharp.Core;

namespace Tapegrad.Laws;

/// <summary>
/// Draws cases and makes those that fail small, with FsCheck; the report is our own. Nothing is printed.
/// </summary>
internal static class Cases
{
    /// <summary>Runs a check on drawn cases.</summary>
    /// <param name="subject">What is checked, for the report.</param>
    /// <param name="draw">A case, as a function of its seed.</param>
    /// <param name="check">Throws a <see cref="LawViolation"/>; any other exception breaks
    /// <see cref="Law.Computes"/>.</param>
    /// <param name="options">How many, and which.</param>
    /// <param name="count">How many cases.</param>
    /// <exception cref="LawException">A case failed.</exception>
    public static void Run<TCase>(string subject, Func<long, TCase> draw, Action<TCase> check, LawOptions options,
        int count)
        where TCase : class, ICase<TCase>
    {
        // FsCheck's size counts the cases from 1; it becomes the last two digits of the case's seed.
        var seeds = options.Replay is { } replay ? Gen.Constant(replay)
            : Gen.Sized(number => Gen.Choose(0, 1 << 24).Select(high => high * 100L + number - 1));
        var arbitrary = Arb.From(seeds.Select(draw), small => small.Smaller());
        var outcome = new Outcome();
        Prop.ForAll(arbitrary, check)
            .Check(Config.Quick.WithRunner(outcome).WithMaxTest(options.Replay is null ? count : 1)
            .WithStartSize(0).WithEndSize(Math.Min(count, 100))
            .WithReplay(new Replay(new Rnd((ulong)options.Seed), null)));
        if (outcome.Failure is not { } failure) return;
        // FsCheck names them nowhere: item 2 is what was drawn, item 3 what it became.
        var (drawn, small) = ((TCase)failure.Item2.Head, (TCase)failure.Item3.Head);
        throw Report(subject, drawn, small, Violation(check, small) ?? new LawViolation(Comparison.Repeating,
            "a case failed, and did not when it was tried again: something in it is not a function of its inputs."));
    }

    private static LawException Report<TCase>(string subject, TCase drawn, TCase small, LawViolation violation)
        where TCase : ICase<TCase>
    {
        var shapes = string.Join(", ", drawn.Shapes);
        var law = violation.Comparison.Law;
        return new LawException(law, $"{subject} breaks the law {law}: {violation.Message}{Environment.NewLine}"
            + $"  smallest case found: {small.Describe()}{Environment.NewLine}"
            + $"  drawn as:            {shapes}{Environment.NewLine}"
            + $"  to see it again:     new LawOptions {{ Replay = {drawn.Seed} }}", small.Shapes, drawn.Seed,
            violation.InnerException)
        {
            Comparison = violation.Comparison,
        };
    }

    private static LawViolation? Violation<TCase>(Action<TCase> check, TCase small)
    {
        try
        {
            check(small);
            return null;
        }
        catch (LawViolation violation)
        {
            return violation;
        }
        catch (Exception error)
        {
            return new LawViolation(Comparison.Computing, $"{error.GetType().Name}: {error.Message}", error);
        }
    }

    private sealed class Outcome : IRunner
    {
        public TestResult.Failed? Failure { get; private set; }

        public void OnFinished(string name, TestResult result) => Failure = result as TestResult.Failed;

        public void OnStartFixture(Type fixture) { }

        public void OnArguments(int number, FSharpList<object> arguments,
            FSharpFunc<int, FSharpFunc<FSharpList<object>, string>> every)
        { }

        public void OnShrink(FSharpList<object> arguments, FSharpFunc<FSharpList<object>, string> everyShrink) { }
    }
}
