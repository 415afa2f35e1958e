using Tapegrad.Devices;
using Tapegrad.Laws;
using Tapegrad.Tests.Devices;
using Xunit;

namespace Tapegrad.Tests.Kit;

/// <summary>
/// Both devices obey the laws of devices, and a device that is wrong in one verb, in one way, is found out.
/// </summary>
public sealed class DeviceLawsTests
{
    public static TheoryData<string> Verbs => [.. DeviceLaws.Verbs];

    [Theory]
    [MemberData(nameof(Verbs))]
    public void The_cpu_device_obeys_them(string verb) => DeviceLaws.Check(Device.Cpu, verb);

    [Theory]
    [MemberData(nameof(Verbs))]
    public void Vectors_of_any_width_obey_them(string verb)
    {
        foreach (var device in KernelTesting.Widths()) DeviceLaws.Check(device, verb);
    }

    [Theory]
    [MemberData(nameof(Verbs))]
    public void The_direct_convolutions_obey_them(string verb)
    {
        if (!verb.StartsWith("Convolve")) return;
        foreach (var device in KernelTesting.Widths())
        {
            device.UsesWinograd = false;
            DeviceLaws.Check(device, verb);
        }
    }

    [Theory]
    [MemberData(nameof(Verbs))]
    public void The_reference_device_obeys_them(string verb) => DeviceLaws.Check(Device.Reference, verb);

    [Fact]
    public void A_device_that_does_nothing_wrong_passes_behind_a_wrapper() =>
        DeviceLaws.Check(new Offender(Device.Cpu, "", Offence.None));

    [Fact]
    public void A_name_that_is_no_verb_is_refused() =>
        Assert.Contains("'Multiply'",
            Assert.Throws<ArgumentException>(() => DeviceLaws.Check(Device.Cpu, "Multiply")).Message);

    public static TheoryData<string, Offence> Offences()
    {
        var all = new TheoryData<string, Offence>();
        foreach (var verb in DeviceLaws.Verbs)
            foreach (var offence in Enum.GetValues<Offence>())
                if (offence != Offence.None
                    && !(verb is "Write and Read" or "Fill" or "FillUniform" or "FillNormal" or "ReadMoments"
                        && offence == Offence.ChangesItsInput)
                    && !(verb == "FirstNonFinite" && offence is Offence.SlightlyOff or Offence.Infinite
                        or Offence.NotWritten)
                    && !(verb == "CheckUpdate" && offence is Offence.SlightlyOff)
                    && !(verb == "Fill" && offence == Offence.NotWritten)) all.Add(verb, offence);
        return all;
    }

    [Theory]
    [MemberData(nameof(Offences))]
    public void A_wrong_verb_is_found_out_by_name(string verb, Offence offence) =>
        Assert.Equal(verb, Assert.Throws<DeviceLawException>(() =>
            DeviceLaws.Check(new Offender(Device.Cpu, verb, offence), verb)).Verb);
}
