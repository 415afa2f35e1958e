using Xunit;

namespace Tapegrad.Tests.Devices;

/// <summary>
/// The number of threads is one for the whole process, and so are the pools: tests that set the one or count in the
/// others run alone.
/// </summary>
[CollectionDefinition(Name, DisableParallelization = true)]
public class ThreadCount
{
    public const string Name = "number of threads";
}
