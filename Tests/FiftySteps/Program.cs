using System.Globalization;
using System.Runtime.Intrinsics;
using Tapegrad.Devices;
using Tapegrad.FiftySteps;

// What the tests start as processes of their own, because what they measure belongs to a whole process: the instruction
// set that the runtime was allowed, and the collections of garbage.
//
//     fifty-steps weights SIZE BATCH NORMALIZATION...     the widest vectors that the processor computes with, in bits (0 for none), then a line
//                                                         each: the SHA-256 of the weights after fifty steps
//     fifty-steps garbage STEPS SIZE BATCH NORMALIZATION  after a warm-up: buffers made, bytes of garbage a step, collections of generation 2
//     fifty-steps verbs LENGTH TIMES                      a line for each verb of a step: bytes of garbage in so many calls, and its name
int Number(int index) => int.Parse(args[index], CultureInfo.InvariantCulture);
switch (args)
{
    case ["weights", _, _, ..]:
        Console.WriteLine(Vector512.IsHardwareAccelerated ? 512 : Vector256.IsHardwareAccelerated ? 256
            : Vector128.IsHardwareAccelerated ? 128 : 0);
        foreach (var normalization in args[3..])
        {
            var course = new Course(normalization, Number(1), Number(2));
            course.Take(50);
            Console.WriteLine(course.Hash());
        }
        return 0;
    case ["garbage", _, _, _, var normalization]:
        {
            var course = new Course(normalization, Number(2), Number(3));
            course.Take(20);
            var (made, bytes, collections) = (Device.Cpu.Pool.Created, GC.GetTotalAllocatedBytes(precise: true),
                GC.CollectionCount(2));
            course.Take(Number(1));
            Console.WriteLine(Device.Cpu.Pool.Created - made);
            Console.WriteLine((GC.GetTotalAllocatedBytes(precise: true) - bytes) / Number(1));
            Console.WriteLine(GC.CollectionCount(2) - collections);
            return 0;
        }
    case ["verbs", _, _]:
        foreach (var (name, bytes) in new Verbs(Number(1)).Garbage(Number(2))) Console.WriteLine($"{bytes} {name}");
        return 0;
    default:
        Console.Error.WriteLine("usage: weights SIZE BATCH NORMALIZATION... or garbage STEPS SIZE BATCH NORMALIZATION "
            + "or verbs LENGTH TIMES");
        return 1;
}
