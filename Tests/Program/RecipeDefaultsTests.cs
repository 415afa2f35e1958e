using Tapegrad.Datasets;
using Tapegrad.Training;
using Xunit;
using static Tapegrad.Tests.Program.RecipeSettingsTests;

namespace Tapegrad.Tests.Program;

/// <summary>What a recipe comes to where the command line leaves it open.</summary>
public sealed class RecipeDefaultsTests
{
    // Examples/Cifar10/RESULTS.md says what they come to. Whoever changes one measures again.
    [Fact]
    public void The_defaults_are_those_that_the_results_were_measured_with() => Assert.Equal(
        new Recipe
        {
            Model = "resnet20",
            Normalization = "group:8+ws",
            Epochs = 3,
            BatchSize = 32,
            Optimizer = "sgd",
            LearningRate = 0.05,
            Schedule = "cosine",
            Warmup = 0.05,
            Momentum = 0.9,
            Nesterov = false,
            WeightDecay = 5e-4,
            Decayed = "all",
            BetaRate = 1,
            Lookahead = false,
            Flip = "random",
            Translate = null,
            TestViews = "none",
            ZeroGamma = false,
            Accumulate = 1,
            Average = 0,
            LabelSmoothing = 0,
            Size = null,
            Strict = false,
            NoFlip = false,
            Cutout = 0,
            Mixup = 0,
            Validation = 0,
            Seed = 1,
            TrainLimit = null,
            TestLimit = null,
        },
        RecipeOf("train").Resolve(Shapes10.Load(128, 1).Train));

    // With betas at 64 times such a rate it learns nothing: Examples/Cifar10/RESULTS.md.
    [Theory]
    [InlineData("batch", 1.5, 64)]
    [InlineData("batch:fast", 1.5, 64)]
    [InlineData("group:8+ws", 0.5, 1)]
    [InlineData("layer", 0.5, 1)]
    [InlineData("none", 0.5, 1)]
    [InlineData("layer1=batch,*=group:8", 0.5, 1)]
    [InlineData("layer1=batch,*=batch:fast", 1.5, 64)]
    public void Fast_has_gentler_rates_where_a_layer_looks_at_one_sample_at_a_time(string normalization, double rate,
        double betaRate)
    {
        var train = Shapes10.Load(4096, 1).Train;
        var recipe = RecipeOf($"train --model fast --norm {normalization}").Resolve(train);
        Assert.Equal((rate, betaRate), (recipe.LearningRate, recipe.BetaRate));
        Assert.Equal(rate / 4,
            RecipeOf($"train --model fast --norm {normalization} --batch 256").Resolve(train).LearningRate);
        Assert.Equal(0.05, RecipeOf($"train --norm {normalization}").Resolve(train).LearningRate);
        Assert.Equal(0.002,
            RecipeOf($"train --model fast --norm {normalization} --optimizer adamw").Resolve(train).LearningRate);
    }

    // The paper's: 1.5 is 11.5 / (1 + 1 / (1 - 0.85)), and 0.00133 is 0.0153 / 11.5.
    [Fact]
    public void Fast_comes_with_a_recipe_of_its_own()
    {
        var train = Shapes10.Load(4096, 1).Train;
        var expected = new Recipe
        {
            Model = "fast",
            Normalization = "batch:fast",
            Epochs = 10,
            BatchSize = 1024,
            Optimizer = "sgd",
            LearningRate = 1.5,
            Schedule = "triangular",
            Warmup = 0.23,
            Momentum = 0.85,
            Nesterov = true,
            WeightDecay = 0.00133,
            Decayed = "all",
            BetaRate = 64,
            Lookahead = true,
            LabelSmoothing = 0.2,
            Flip = "alternate",
            Translate = 2,
            TestViews = "flip+shift",
        };
        Assert.Equal(expected, RecipeOf("train --model fast").Resolve(train));
        Assert.Equal(expected, expected.Resolve(train));   // and nothing changes when a run goes on
        // Of fewer images the batches are smaller, and the rate with them.
        Assert.Equal(expected with { BatchSize = 256, LearningRate = 0.375 },
            RecipeOf("train --model fast").Resolve(train.Take(2000)));
        Assert.Equal(0.75, RecipeOf("train --model fast --batch 512").Resolve(train).LearningRate);
        Assert.Equal(0.75, RecipeOf("train --model fast --batch 128 --accumulate 4").Resolve(train).LearningRate);
        // What is said stands in the place of what is usual.
        Assert.Equal(expected with
        {
            Normalization = "group:8",
            Epochs = 3,
            LearningRate = 0.1,
            Schedule = "constant",
            Warmup = 0.05,
            Momentum = 0,
            Nesterov = false,
            BetaRate = 1,
            Lookahead = false,
            LabelSmoothing = 0,
            Flip = "random",
            Translate = 0,
            TestViews = "none",
        }, RecipeOf("train --model fast --norm group:8 --epochs 3 --lr 0.1 --schedule constant --momentum 0 "
            + "--beta-rate 1 --lookahead false --label-smoothing 0 --flip random --translate 0 --tta none")
            .Resolve(train));
        // What belongs to SGD is not for others, whose steps have the length of the rate.
        Assert.Equal(expected with
        {
            Optimizer = "adamw",
            LearningRate = 0.002,
            Momentum = null,
            Nesterov = null,
            WeightDecay = 0.05,
            Decayed = "weights",
            BetaRate = 1,
        }, RecipeOf("train --model fast --optimizer adamw").Resolve(train));
        // Images that are not mirrored are not seen from the other side in the end either.
        Assert.Equal(expected with { NoFlip = true, Flip = null, TestViews = "shift" },
            RecipeOf("train --model fast --no-flip").Resolve(train));
        var digits = new ImageDataset("digits", new byte[8 * 28 * 28], new int[8], (28, 28, 1), ["0"])
        {
            Augment = Augment.None,
        };
        var ofDigits = RecipeOf("train --model fast").Resolve(digits);
        Assert.Equal((null, null, "shift"), (ofDigits.Flip, ofDigits.Translate, ofDigits.TestViews));
        Assert.Equal(ofDigits, ofDigits.Resolve(digits));
    }

    // What nobody has given is not refused, and a run that goes on resolves its recipe again.
    [Fact]
    public void Where_there_are_no_betas_their_rate_is_that_of_all()
    {
        var train = Shapes10.Load(128, 1).Train;
        var recipe = RecipeOf("train --model fast --norm none").Resolve(train);
        Assert.Equal(1, recipe.BetaRate);
        Assert.Equal(recipe, recipe.Resolve(train));
        Assert.Equal(64, RecipeOf("train --model fast --norm batch").Resolve(train).BetaRate);
        Assert.Equal(8, RecipeOf("train --norm layer1=batch,*=none --beta-rate 8").Resolve(train).BetaRate);
    }

    // Not by what it is called: a name is for messages.
    [Fact]
    public void Images_that_had_sizes_of_their_own_have_one_in_the_recipe()
    {
        foreach (var (name, isResized) in ((string, bool)[])[("photos", true), ("ImageFolder", false)])
        {
            var all = new ImageDataset(name, new byte[40 * 192], new int[40], (8, 8, 3), ["a", "b"])
            {
                IsResized = isResized
            };
            foreach (var train in (ImageDataset[])[all, all.Take(32), all.Split(8).Kept, all.Split(32).Held,
                all.NormalizedBy([0, 0, 0], [1, 1, 1])])
                foreach (var given in (Recipe[])[new() { Size = 8 }, new() { Strict = true }])
                {
                    Assert.Equal(isResized ? 8 : null, new Recipe().Resolve(train).Size);
                    if (isResized) Assert.Equal(8, given.Resolve(train).Size);
                    else Assert.Throws<RecipeException>(() => given.Resolve(train));
                }
        }
    }

    [Theory]
    [InlineData("", 0.05, 0.0005, "all")]
    [InlineData("--model vgg", 0.01, 0.0005, "all")]
    [InlineData("--optimizer adam", 0.002, 0.0005, "all")]
    [InlineData("--model vgg --optimizer adamw", 0.002, 0.05, "weights")]
    [InlineData("--lr 0.1 --optimizer adamw", 0.1, 0.05, "weights")]
    [InlineData("--lr 0.1 --model vgg", 0.1, 0.0005, "all")]
    [InlineData("--optimizer adamw --weight-decay 0.5 --decay all", 0.002, 0.5, "all")]
    public void Each_network_and_optimizer_has_its_rate_and_its_decay(string options, double rate, double decay,
        string decayed)
    {
        var recipe = RecipeOf($"train {options}").Resolve(Shapes10.Load(128, 1).Train);
        Assert.Equal((rate, decay, decayed), (recipe.LearningRate, recipe.WeightDecay, recipe.Decayed));
    }
}
