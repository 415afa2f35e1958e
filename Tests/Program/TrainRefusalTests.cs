using Xunit;

namespace Tapegrad.Tests.Program;

/// <summary>What 'train' refuses: in one line that says what and where, before anything is written.</summary>
public sealed class TrainRefusalTests : IDisposable
{
    private readonly Cifar10Program program = new();

    public void Dispose() => program.Dispose();

    // Refused, and nothing of a run is there.
    private void AssertNothingBegins(string arguments, params string[] words)
    {
        program.AssertRefused(arguments, words);
        Assert.False(Directory.Exists(program.PathOf("run")));
    }

    [Theory]
    [InlineData("--validation 64", "--validation 64", "64 training images")]
    [InlineData("--validation 40 --batch 32", "--batch 32", "24 training images")]
    [InlineData("--accumulate 100 --batch 32", "--accumulate 100", "2 batches")]
    [InlineData("--cutout 32 --batch 32", "--cutout 32", "32x32")]
    [InlineData("--translate 32 --batch 32", "--translate 32", "no reflection as wide")]
    public void What_leaves_nothing_to_train_on_is_refused(string options, string what, string why) =>
        program.AssertRefused($"train --epochs 1 --train-limit 64 --test-limit 8 --out run {options}", what, why);

    [Theory]
    [InlineData("--lr 0,1", "--lr '0,1'")]
    [InlineData("--lr 1e400", "--lr '1e400'")]
    [InlineData("--lr nan", "--lr 'nan'")]
    [InlineData("--epochs 0", "--epochs '0'")]
    [InlineData("--epochs 1.5", "--epochs '1.5'")]
    [InlineData("--batch -4", "--batch '-4'")]
    [InlineData("--momentum 1", "--momentum '1'")]
    [InlineData("--warmup 2", "--warmup '2'")]
    [InlineData("--threads 0", "--threads '0'")]
    [InlineData("--model resnet21", "--model 'resnet21'")]
    [InlineData("--norm group:0", "--norm 'group:0'")]
    [InlineData("--norm grup:8", "--norm 'grup:8'")]
    [InlineData("--schedule multistep", "--schedule 'multistep'")]
    [InlineData("--optimizer rmsprop", "--optimizer 'rmsprop'")]
    [InlineData("--decay gamma", "--decay 'gamma'")]
    [InlineData("--flip none", "--flip 'none'")]
    [InlineData("--tta both", "--tta 'both'")]
    [InlineData("--beta-rate 0", "--beta-rate '0'")]
    [InlineData("--translate -1", "--translate '-1'")]
    [InlineData("--minutes 0", "--minutes '0': it must be a number from 0.0001 to 1000000")]
    [InlineData("--minutes -0.5", "--minutes '-0.5'")]
    [InlineData("--minutes nan", "--minutes 'nan'")]
    [InlineData("--minutes ten", "--minutes 'ten'")]
    [InlineData("--norm grup:8", "layer1=batch,*=group:8")]
    [InlineData("--epochs", "--epochs")]
    [InlineData("--train-limit 64 --test-limit 8 --epochs 1 --epochs", "--epochs: it is given 2 times")]
    [InlineData("--colour blue", "--colour")]
    public void Refuses_an_option_in_one_line_that_names_it(string option, string words) =>
        AssertNothingBegins($"train --out run {option}", words);

    [Fact]
    public void Refuses_groups_that_do_not_divide_the_channels_naming_the_layer() =>
        program.AssertRefused($"{Cifar10Program.Short} --norm group:3", "error: --norm group:3: in resnet8: ",
            "3 groups", "16", "bn1");

    [Fact]
    public void Refuses_weights_that_are_a_folder_and_names_what_a_line_goes_wrong_in()
    {
        program.AssertRefused("train --from .", "--from .: it is a folder");
        program.AssertRefused("train --model vgg --zero-gamma", "error: --model vgg: ");
        program.AssertRefused("train --epochs 1 --train-limit 32 --batch 32 --accumulate 2",
            "--accumulate 2: an epoch has only 1 batch, not");
        program.AssertRefused("train --train-limit 1 --batch 2", "there is only 1 training image,");
    }

    [Fact]
    public void Refuses_a_batch_larger_than_the_dataset() =>
        program.AssertRefused("train --train-limit 100 --batch 101", "--batch 101", "100");

    [Theory]
    [InlineData("--data nowhere", "--data", "nowhere")]
    [InlineData("--data .", "it is empty", "data_batch_1.bin")]
    public void Refuses_a_folder_without_the_dataset(string option, string first, string second) =>
        program.AssertRefused($"train {option}", first, second);

    [Fact]
    public void Says_what_is_in_a_folder_that_is_no_dataset()
    {
        foreach (var name in (string[])["cats", "dogs"]) Directory.CreateDirectory(program.PathOf("data", name));
        program.AssertRefused("train --data data",
            "it holds 'cats', 'dogs', and image files in no two of its folders. Name");
        foreach (var name in (string[])["c", "b"]) File.WriteAllText(program.PathOf("data", name), "");
        program.AssertRefused("train --data data", "it holds 'b', 'c', 'cats' and 1 more, and image");
    }

    [Theory]
    [InlineData("data_batch_3.bin", "CIFAR-10: data_batch_1.bin is missing in ")]
    [InlineData("test_batch.bin", "CIFAR-10: data_batch_1.bin is missing in ")]
    [InlineData("t10k-images.idx3-ubyte.gz", "IDX: train-images-idx3-ubyte (or .gz) is missing in ")]
    public void Says_what_is_missing_of_a_dataset(string present, string what)
    {
        File.WriteAllBytes(program.PathOf(present), []);
        program.AssertRefused("train --data .", what);
    }

    [Fact]
    public void Refuses_a_folder_in_the_environment_that_is_not_there_and_passes_over_an_empty_one()
    {
        program.Run("train", ("TAPEGRAD_DATA", "nowhere")).AssertRefused("TAPEGRAD_DATA", "nowhere");
        Assert.Equal(0, program.Run(Cifar10Program.Short, ("TAPEGRAD_DATA", "")).ExitCode);
    }

    [Theory]
    [InlineData("--epochs 2000000000", "--epochs 2000000000")]
    [InlineData("--epochs 2 --accumulate 5", "--accumulate 5: an epoch has only 4 batches, not one whole step.")]
    [InlineData("--epochs 9 --schedule multistep:5,3", "--schedule multistep:5,3")]
    [InlineData("--epochs 5 --schedule multistep:5", "--schedule multistep:5")]
    public void Refuses_a_course_that_cannot_be_run_before_anything_is_written(string options, string words) =>
        AssertNothingBegins($"{Cifar10Program.Small} --out run {options}", words);

    // Given, they would change nothing, and nobody would know.
    [Theory]
    [InlineData("--schedule one-cycle --warmup 0.1", "--warmup", "one-cycle")]
    [InlineData("--optimizer adam --momentum 0.9", "--momentum", "sgd")]
    [InlineData("--optimizer adamw --momentum 0.5", "--momentum", "sgd")]
    [InlineData("--weight-decay 0 --decay weights", "--decay", "a weight decay of 0")]
    [InlineData("--size 32", "--size", "Shapes10")]
    [InlineData("--optimizer adam --nesterov", "--nesterov", "sgd's")]
    [InlineData("--nesterov --momentum 0", "--nesterov", "without a momentum")]
    [InlineData("--flip alternate --no-flip", "--flip", "nothing is mirrored")]
    [InlineData("--tta flip+shift --no-flip", "--tta", "say 'shift'")]
    [InlineData("--strict", "--strict", "Shapes10")]
    [InlineData("--norm none --beta-rate 8", "--beta-rate", "no betas")]
    [InlineData("--norm *=none --beta-rate 8", "--beta-rate", "no betas")]
    public void Refuses_an_option_without_a_meaning_beside_the_others(string options, string option, string why) =>
        AssertNothingBegins($"{Cifar10Program.Short} --out run {options}", $"error: {option}: ", why);

    [Fact]
    public void Refuses_to_fetch_what_the_environment_says_the_place_of() =>
        program.Run("train --download", ("TAPEGRAD_DATA", program.BlackCifar10()))
            .AssertRefused("error: --download: TAPEGRAD_DATA says where the images are. Leave it out.");

    [Fact]
    public void Refuses_to_overwrite_a_run_that_it_was_not_given()
    {
        program.AssertRefused($"{Cifar10Program.Short} --overwrite", "error: --overwrite: ", "--out");
        Assert.False(Directory.Exists(program.PathOf("runs")));
    }

    [Fact]
    public void Refuses_a_number_of_threads_in_the_environment_that_is_none() =>
        Assert.All(["two", "1025"], threads =>
        {
            program.Run(Cifar10Program.Short, ("TAPEGRAD_THREADS", threads)).AssertRefused("TAPEGRAD_THREADS", threads);
            program.Run("train --threads 1 --data nowhere", ("TAPEGRAD_THREADS", threads))
                .AssertRefused("--data: there is no folder 'nowhere'");
        });

    [Theory]
    [InlineData("data_batch_3.bin", 10_000 * 3073 - 1)]
    [InlineData("test_batch.bin", 10_000 * 3073 + 1)]
    public void Checks_the_length_of_every_file_before_the_first_step(string name, long length)
    {
        var folder = program.BlackCifar10();
        using (var file = File.OpenWrite(Path.Combine(folder, name))) file.SetLength(length);
        AssertNothingBegins("train --data black --out run", name, $"{length}");
    }

    [Fact]
    public void Checks_every_label_before_the_first_step()
    {
        var folder = program.BlackCifar10();
        using (var file = File.OpenWrite(Path.Combine(folder, "data_batch_5.bin")))
        {
            file.Position = 9_999 * 3073;
            file.WriteByte(10);
        }
        program.AssertRefused("train --data black", "data_batch_5.bin", "10", $"{9_999 * 3073}");
    }

    [Fact]
    public void Refuses_a_place_where_it_cannot_write()
    {
        File.WriteAllText(program.PathOf("occupied"), "a file, not a folder");
        program.AssertRefused("train --out occupied/run", "--out", "occupied' is a file");
        Assert.Equal("a file, not a folder", File.ReadAllText(program.PathOf("occupied")));
    }
}
