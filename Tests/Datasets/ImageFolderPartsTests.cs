using Tapegrad.Datasets;
using Xunit;

namespace Tapegrad.Tests.Datasets;

/// <summary>
/// Folders called 'train' and 'test' are parts of a dataset and no classes of it: whatever else they could be taken for
/// is refused, or said.
/// </summary>
public sealed class ImageFolderPartsTests : FolderOfImages
{
    [Theory]
    [InlineData("train/cats/1.png", "train/cats/2.png", "test/cats/3.png", "test/cats/4.png")]
    [InlineData("train/1.png", "train/2.png", "test/3.png", "test/4.png")]
    [InlineData("Train/1.png", "Train/2.png", "VAL/3.png", "VAL/4.png")]
    [InlineData("train/1.png", "train/2.png", "validation/cats/1.png", "validation/dogs/1.png")]
    [InlineData("val/cats/1.png", "val/dogs/2.png", "test/cats/3.png", "test/dogs/4.png")]
    [InlineData("cats/1.png", "dogs/2.png", "train/steam/3.png", "test/steam/4.png")]
    public void Two_of_them_without_two_classes_to_train_on_are_refused(params string[] files)
    {
        foreach (var file in files) Write(file, 1);
        Assert.True(ImageFolder.IsIn(Images));   // who asks is told why it is not read
        var message = Assert.Throws<InvalidDataException>(() => Load()).Message;
        Assert.StartsWith($"{Images}: ", message);
        foreach (var name in files.Select(file => file.Split('/')[0]).Except(["cats", "dogs"]).Distinct())
            Assert.Contains($"'{name}'", message);
    }

    [Theory]
    [InlineData("")]
    [InlineData("test/steam/9.png")]
    public void What_stands_beside_those_that_are_trained_on_is_named_where_it_holds_images(string test)
    {
        foreach (var name in (string[])["cats/1.png", "dogs/more/2.png", "notes/3.txt", "train/steam/4.png",
            "train/steam/5.png", "train/diesel/6.png", "train/diesel/7.png"])
            Write(name, 1);
        if (test != "") Write(test, 1);
        Assert.Equal(["diesel", "steam"], Load().Train.ClassNames);
        var train = Path.Combine(Images, "train");
        Assert.Equal(((string[])["cats", "dogs"])
            .Select(name => $"{Path.Combine(Images, name)}: not used: the images to train on are those in {train}."),
            notices.Where(notice => notice.Contains("to train on")));
    }

    // One alone may be a class, of trains or of tests.
    [Theory]
    [InlineData("train")]
    [InlineData("test")]
    [InlineData("val")]
    public void One_alone_is_a_class_like_others(string name)
    {
        foreach (var file in (string[])["cats/1.png", "cats/2.png", $"{name}/3.png", $"{name}/4.png"]) Write(file, 1);
        Assert.Equal(((string[])["cats", name]).Order(StringComparer.Ordinal), Load().Train.ClassNames);
        Assert.Empty(notices);
    }
}
