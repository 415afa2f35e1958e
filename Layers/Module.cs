using Tapegrad.Devices;
using Tapegrad.Layers.Files;

namespace Tapegrad.Layers;

/// <summary>
/// A layer, or a network of layers: a function of a tensor, with the parameters it learns. A subclass registers its
/// parameters and its children in its constructor, in the order of the formula, and says in <see cref="Forward"/> what
/// it computes. There is no reflection: what is not registered does not exist.
/// </summary>
/// <remarks>
/// A module has no training mode to forget: layers that behave differently in training ask the tape that is open (see
/// <see cref="Tape.Training"/>). Its path joins the names of its ancestors by dots, as PyTorch does:
/// <c>layer1.0.conv1</c>. A child with an empty name lends its own children to its parent. Not thread-safe.
/// </remarks>
public abstract class Module
{
    private readonly List<(StateEntry? Parameter, Module? Child)> members = [];   // in the order of registration
    private readonly List<Module> children = [];
    // What names in files begin with here: "weight" of a parameter, "conv1." of a child, and all that a child without a
    // name lends.
    private readonly HashSet<string> beginnings = [];
    private Module? parent;
    private LayerContext? context;   // of the last time that it was applied
    private Parameter[] thawed = [];   // of a frozen module, those that are trained otherwise

    // ---- what a module computes -------------------------------------------------------------------------------------

    /// <summary>
    /// Raised after every <see cref="Apply(Tensor)"/>, with the module and its output: for looking, not for changing.
    /// What is computed does not depend on whether somebody looks.
    /// </summary>
    public event Action<Module, Tensor>? AfterApply;

    /// <summary>Computes the output. Errors and the tape's records name this layer.</summary>
    public Tensor Apply(Tensor x)
    {
        using var _ = Enter();
        return Show(Forward(x));
    }

    /// <summary>
    /// What the module computes. Call <see cref="Apply(Tensor)"/> of children here, never their Forward.
    /// </summary>
    protected abstract Tensor Forward(Tensor x);

    // The two ends of every Apply.
    private protected LayerContext Enter() => context = LayerContext.Enter(Name, context);

    private protected Tensor Show(Tensor output)
    {
        AfterApply?.Invoke(this, output);
        return output;
    }

    // ---- what a module is made of -----------------------------------------------------------------------------------

    /// <summary>The name that the parent gave; empty for a module that stands alone.</summary>
    public string Name { get; private set; } = "";

    /// <summary>The names from the outermost module to this one, joined by dots.</summary>
    public string Path => Join(parent?.Path ?? "", Name);

    /// <summary>
    /// The settings that make the layer what it is, for <see cref="Summary"/>; empty when there are none.
    /// </summary>
    public virtual string Settings => "";

    /// <summary>The layers directly inside this one, in the order of registration.</summary>
    public IReadOnlyList<Module> Children => children;

    /// <summary>This module and all below it, parents first.</summary>
    public IEnumerable<Module> Modules => children.SelectMany(child => child.Modules).Prepend(this);

    /// <summary>
    /// What is learned by gradients: the trainable parameters of this module and all below it, in a stable order.
    /// Frozen ones are left out.
    /// </summary>
    public IReadOnlyList<Parameter> Parameters => [.. State.Where(parameter => parameter.IsTrainable)];

    /// <summary>Everything that a file keeps: all parameters, frozen ones and running statistics too.</summary>
    public IReadOnlyList<Parameter> State => [.. StateEntries.Select(entry => entry.Parameter)];

    /// <summary>
    /// Whether training leaves the module and all below it as they are: their parameters get no gradients, and
    /// normalizations compute as in evaluation, by running statistics that do not change. To freeze parameters alone,
    /// set <see cref="Tapegrad.Parameter.IsTrainable"/> of each; those stay frozen when the module is thawed.
    /// </summary>
    public bool IsFrozen
    {
        get;
        set
        {
            if (value && !field)
                thawed = [.. Registered.Select(entry => entry.Parameter).Where(parameter => parameter.IsTrainable)];
            if (value || field)
                foreach (var parameter in thawed) parameter.IsTrainable = !value;
            field = value;
            foreach (var child in children) child.IsFrozen = value;
        }
    }

    /// <summary>
    /// Texts that <see cref="Save"/> writes beside the numbers. Equal runs should have equal texts: no date, no path.
    /// </summary>
    public IDictionary<string, string> Metadata { get; } = new Dictionary<string, string>();

    /// <summary>Registers a layer of this module.</summary>
    /// <returns>The same layer.</returns>
    /// <exception cref="ArgumentException">A name in files would stand for two things, or the layer belongs to a module
    /// already; nothing was registered.</exception>
    protected T Child<T>(string name, T module) where T : Module
    {
        CheckChild(name, module);
        Begin(BeginningsOf(name, module));
        module.parent = this;
        module.Name = name;
        children.Add(module);
        members.Add((null, module));
        foreach (var below in module.Modules) below.NameParameters();
        return module;
    }

    /// <summary>Registers a parameter of this module.</summary>
    /// <param name="name">Its name in this module, such as <c>weight</c>.</param>
    /// <param name="initial">Its value at the beginning.</param>
    /// <param name="trainable">False for what is remembered but not learned by gradients.</param>
    /// <param name="fileAxes">PyTorch's order of axes, where it differs: axis i in a file is axis <c>fileAxes[i]</c>
    /// here.</param>
    /// <exception cref="ArgumentException">A name in files would stand for two things, or <paramref name="fileAxes"/>
    /// is no order of the axes; nothing was registered.</exception>
    protected Parameter Parameter(string name, Tensor initial, bool trainable = true, int[]? fileAxes = null)
    {
        if (name == "") throw new ArgumentException("a parameter has no name.");
        CheckName(name, [name]);
        if (fileAxes is not null) _ = initial.Shape.Permute(fileAxes);   // throws here, not when saving
        var parameter = new Parameter(Join(Path, name), initial, trainable);
        Begin([name]);
        members.Add((new StateEntry(name, parameter, fileAxes), null));
        return parameter;
    }

    /// <summary><see cref="State"/>, and how it stands in files: its names begin at this module.</summary>
    internal IEnumerable<StateEntry> StateEntries =>
    [
        .. members.SelectMany(member => member.Parameter is { } parameter ? [parameter] : member.Child!.IsPart
            ? EntriesOf(member.Child) : []),
        .. children.Where(child => !child.IsPart).SelectMany(EntriesOf),
    ];

    /// <summary>The path of a layer in this module, wherever that hangs.</summary>
    internal string PathOf(Module layer) =>
        Path == "" ? layer.Path : layer.Path[Math.Min(Path.Length + 1, layer.Path.Length)..];

    // Whether it is rather a part of its parent than a layer in it; its parameters are then its parent's own.
    internal virtual bool IsPart => false;

    // Those of this module alone.
    internal IEnumerable<StateEntry> Registered => members.Select(member => member.Parameter).OfType<StateEntry>();

    private static IEnumerable<StateEntry> EntriesOf(Module child) => child.Name == "" ? child.StateEntries
        : child.StateEntries.Select(entry => entry with { Name = Join(child.Name, entry.Name) });

    private IEnumerable<Module> Ancestors => parent is null ? [] : parent.Ancestors.Prepend(parent);

    private void NameParameters()
    {
        var path = Path;
        foreach (var entry in Registered) entry.Parameter.Name = Join(path, entry.Name);
    }

    private protected void CheckChild(string name, Module module)
    {
        if (module.parent is not null)
            throw new ArgumentException($"the layer {module.Path} already belongs to a module. To use one layer twice, "
                + "register it once and apply it twice.");
        if (module == this || Ancestors.Contains(module))
            throw new ArgumentException("a module cannot contain itself.");
        CheckName(name, BeginningsOf(name, module));
    }

    private void CheckName(string name, IEnumerable<string> added)
    {
        if (name.Contains('.')) throw new ArgumentException($"the name '{name}' contains a dot, which joins names.");
        if (name.Any(char.IsControl))
            throw new ArgumentException($"the name '{NamedArray.Show(name)}' contains a control character, which no "
                + "file holds in a name.");
        if (added.FirstOrDefault(Lenders.Last().beginnings.Contains) is { } twice)
            throw new ArgumentException($"the name '{twice.TrimEnd('.')}' is given twice in {GetType().Name}.");
    }

    private void Begin(IEnumerable<string> added)
    {
        foreach (var module in Lenders) module.beginnings.UnionWith(added);
    }

    private static IEnumerable<string> BeginningsOf(string name, Module child) =>
        name == "" ? child.beginnings : [$"{name}."];

    // This module, and those around it to which its names are lent; the last one has all of them.
    private IEnumerable<Module> Lenders => Name == "" && parent is not null ? parent.Lenders.Prepend(this) : [this];

    private static string Join(string path, string name) => path == "" ? name : name == "" ? path : $"{path}.{name}";

    // ---- looking ----------------------------------------------------------------------------------------------------

    /// <summary>A table of the layers: path, kind and settings, the shapes of the parameters and how many numbers they
    /// hold.</summary>
    public string Summary() => ModuleSummary.Of(this);

    // ---- files ------------------------------------------------------------------------------------------------------

    // In a file: the normalizations whose running statistics are those that every layer starts with.
    private const string Untrained = "without_statistics";

    /// <summary>
    /// Writes <see cref="State"/> and <see cref="Metadata"/> as a safetensors file, in the device's type (float; double
    /// on <see cref="Device.Reference"/>), with PyTorch's names and order of axes. Names begin at this module, whatever
    /// it is a part of. Equal models give equal bytes.
    /// </summary>
    /// <exception cref="InvalidOperationException">The model is not what <see cref="Metadata"/> say; see
    /// <see cref="ModelSpec"/>.</exception>
    /// <exception cref="IOException">The file cannot be written; an old one is as it was.</exception>
    public void Save(string path)
    {
        ModelSpec.CheckTrue(this);
        using var scope = new Scope();
        using var _ = Tape.Current?.Pause();
        var texts = new Dictionary<string, string>(Metadata);
        string[] fresh = [.. Modules.OfType<Normalization>().Where(layer => layer.Running is { Count: 0 })
            .Select(PathOf)];
        if (fresh.Length > 0) texts[Untrained] = string.Join(',', fresh);
        SafetensorsFile.Write(path,
            [.. StateEntries.Select(entry => NamedArray.Of(entry.Name, entry.ToFile()))], texts);
    }

    /// <summary>
    /// Reads <see cref="State"/> and <see cref="Metadata"/> back. Every name and shape must be as they are here, and no
    /// text may contradict <see cref="Metadata"/>; else nothing is changed.
    /// </summary>
    /// <exception cref="InvalidDataException">The file is not well-formed, or it belongs to another model; one message
    /// names all differences.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public void Load(string path)
    {
        using var file = SafetensorsFile.Open(path);
        var own = StateEntries.ToArray();
        ModuleFile.CheckFit(path, file, own.Select(entry => (entry.Name, entry.FileShape)), Metadata);
        var entries = file.Entries.ToDictionary(entry => entry.Name);
        // all of them, before anything changes
        var values = Array.ConvertAll(own, entry => file.ReadDoubles(entries[entry.Name]));
        foreach (var (entry, value) in own.Zip(values)) entry.Restore(value);
        foreach (var (key, text) in file.Metadata)
            if (key != Untrained) Metadata[key] = text;
        if (!file.Metadata.TryGetValue(Untrained, out var list)) return;
        var untrained = list.Split(',').ToHashSet();
        foreach (var layer in Modules.OfType<Normalization>())
            if (untrained.Contains(PathOf(layer))) layer.Running?.Forget();
    }
}
