using FsCheck.Xunit;
using Xunit;

namespace Tapegrad.Tests.Engine;

/// <summary>Any sequence of what can happen to scopes and to what they own, against a model.</summary>
public sealed class ScopeSequenceTests : EngineTest
{
    // The model: a tensor holds its own number until the scope that it was made in ends, unless it was kept, or made
    // outside.
    private sealed class Model
    {
        private readonly List<(Scope Scope, int Id)> open = [];
        private readonly List<(Tensor Tensor, double Number, int Scope)> live = [];
        private readonly List<Tensor> ended = [];
        private int made;

        private int Innermost => open.Count > 0 ? open[^1].Id : 0;

        public void Do(byte action, byte which)
        {
            switch (action % 8)
            {
                case 0:
                    open.Add((new Scope(), ++made));
                    break;
                case 1 when open.Count > 0:
                    Close(open.Count - 1);
                    break;
                case 2 when open.Count > 0:
                    Close(which % open.Count);
                    break;
                case 3 when live.Count > 0:
                    var i = which % live.Count;
                    live.Add((live[i].Tensor.Keep(), live[i].Number, 0));
                    for (var j = 0; j < live.Count; j++)   // whoever shares its memory is kept too
                        if (live[j].Tensor.Storage == live[i].Tensor.Storage) live[j] = live[j] with { Scope = 0 };
                    break;
                case 4 when live.Count > 0:
                    var view = live[which % live.Count];
                    live.Add((view.Tensor.Reshape(-1, 1), view.Number, view.Scope));
                    break;
                case 5 when live.Count > 0:
                    var old = live[which % live.Count];
                    live.Add((old.Tensor * 2, old.Number * 2, Innermost));
                    break;
                default:
                    live.Add((Tensor.Full(new(which % 3 + 1), ++made), made, Innermost));
                    break;
            }
            foreach (var (tensor, number, _) in live) Assert.All(tensor.ToDoubles(), x => Assert.Equal(number, x));
            foreach (var tensor in ended) Assert.False(tensor.Storage.IsHere);
            Assert.Equal(live.Select(t => t.Tensor.Buffer).Distinct().Count(),
                live.GroupBy(t => (t.Tensor.Buffer, t.Number)).Count());
        }

        private void Close(int index)
        {
            var id = open[index].Id;
            open[index].Scope.Dispose();
            open.RemoveAt(index);
            ended.AddRange(live.Where(t => t.Scope == id).Select(t => t.Tensor));
            live.RemoveAll(t => t.Scope == id);
        }

        public void End()
        {
            while (open.Count > 0) Close(0);
        }
    }

    [Property(MaxTest = 200, EndSize = 80)]
    public void Numbers_stay_while_they_may_be_read_and_are_refused_afterwards((byte, byte)[] events)
    {
        var model = new Model();
        try
        {
            foreach (var (action, which) in events) model.Do(action, which);
        }
        finally
        {
            model.End();
        }
    }
}
