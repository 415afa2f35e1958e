#!/usr/bin/python3
"""PyTorch's and NumPy's side of the exchange of weights and arrays, in double precision.

    torch_weights.py give FOLDER     writes models' weights, inputs and logits for this library to load and compute
    peers torch FOLDER               does so, and writes weights and logits of its own
    torch_weights.py check FOLDER    loads those, computes, and compares

Files of a case: NAME.safetensors or NAME.npz (weights), NAME.input.npy [N, C, H, W], NAME.output.npy; and the same with NAME-ours.
"""
import json, struct, sys
import numpy as np, torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(1)
torch.set_default_dtype(torch.float64)


class Block(nn.Module):
    """Two 3x3 convolutions; the shortcut as the paper's option A (no parameters) or B (a 1x1 convolution)."""

    def __init__(self, inputs, outputs, stride, norm, project):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), norm(outputs)
        self.conv2, self.bn2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), norm(outputs)
        self.stride, self.new = stride, outputs - inputs
        self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), norm(outputs)) if project and self.new else None

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.downsample is not None: x = self.downsample(x)
        elif self.new: x = F.pad(x[:, :, ::self.stride, ::self.stride], (0, 0, 0, 0, self.new // 2, self.new - self.new // 2))
        return F.relu(y + x)


class ResNet(nn.Module):
    def __init__(self, widths, blocks, norm, project):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, widths[0], 3, 1, 1, bias=False), norm(widths[0])
        self.stages, before = [], widths[0]
        for number, width in enumerate(widths):
            layers = []
            for block in range(blocks):
                layers.append(Block(before, width, 2 if number and not block else 1, norm, project))
                before = width
            name = f"layer{number + 1}"
            self.add_module(name, nn.Sequential(*layers))
            self.stages.append(name)
        self.fc = nn.Linear(before, 10)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        for name in self.stages: x = getattr(self, name)(x)
        return self.fc(x.mean((2, 3)))


def flattening():
    """Its linear layer reads 4 channels of 5 x 3 positions, channels first; a normalization stands between."""
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.BatchNorm1d(60), nn.Linear(60, 7), nn.ReLU(), nn.Linear(7, 3))


BATCH = nn.BatchNorm2d
GROUP = lambda channels: nn.GroupNorm(8, channels)
# name: how to build it, the input, whether its file is .npz, and what stands before its names
CASES = {
    "resnet20-batch": (lambda: ResNet((16, 32, 64), 3, BATCH, False), (5, 3, 32, 32), ".safetensors", ""),
    "resnet20-group": (lambda: ResNet((16, 32, 64), 3, GROUP, False), (5, 3, 32, 32), ".npz", ""),
    "resnet18-batch": (lambda: ResNet((64, 128, 256, 512), 2, BATCH, True), (2, 3, 32, 32), ".safetensors", "module."),
    "flatten": (flattening, (5, 3, 7, 5), ".safetensors", ""),
}
TYPES = "|b1 |u1 |i1 <u2 <i2 <u4 <i4 <u8 <i8 <f2 <f4 <f8 >u2 >i2 >u4 >i4 >u8 >i8 >f2 >f4 >f8".split()


def write_safetensors(path, arrays):
    header, at = {"__metadata__": {"format": "pt"}}, 0
    names = {"float64": "F64", "float32": "F32", "int64": "I64"}
    for name, array in arrays.items():
        header[name] = {"dtype": names[array.dtype.name], "shape": list(array.shape), "data_offsets": [at, at + array.nbytes]}
        at += array.nbytes
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for array in arrays.values(): file.write(array.tobytes())


def read_safetensors(path):
    data = open(path, "rb").read()
    start = 8 + struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:start])
    header.pop("__metadata__", None)
    types = {"F64": "<f8", "F32": "<f4"}
    return {name: np.frombuffer(data[start + h["data_offsets"][0]:start + h["data_offsets"][1]], types[h["dtype"]]).reshape(h["shape"])
            for name, h in header.items()}


def give(folder):
    for name, (build, shape, extension, prefix) in CASES.items():
        model = build().eval()
        for key, value in model.state_dict().items():      # as after training: no gamma is 1, no beta 0, no statistic as at the start
            if value.dim() != 1: continue
            value.copy_(torch.rand(value.shape) + (-0.5 if key.endswith(("bias", "running_mean")) else 0.5))
        arrays = {prefix + key: np.ascontiguousarray(value.numpy()) for key, value in model.state_dict().items()}
        x = torch.randn(shape)
        if extension == ".npz": np.savez_compressed(f"{folder}/{name}.npz", **arrays)
        else: write_safetensors(f"{folder}/{name}.safetensors", arrays)
        np.save(f"{folder}/{name}.input.npy", x.numpy())
        with torch.no_grad(): np.save(f"{folder}/{name}.output.npy", model(x).numpy())
    # Every type, in either order of bytes and of axes: 0, 1, 2, .. of a 2 x 3 x 5 box, modulo 2 for bools.
    for number, kind in enumerate(TYPES):
        box = (np.arange(30) % (2 if kind == "|b1" else 99)).reshape(2, 3, 5).astype(kind)
        np.save(f"{folder}/numpy-{number}.npy", np.asfortranarray(box) if number % 2 else box)


def check(folder):
    failed = False
    def expect(right, what):
        nonlocal failed
        print("ok" if right else "FAILED", what)
        failed |= not right

    for name, (build, _, _, _) in CASES.items():
        for kind, tolerance in (("reference", 1e-5), ("cpu", 1e-4)):
            for extension in (".safetensors", ".npz"):
                path = f"{folder}/{name}-{kind}{extension}"
                arrays = read_safetensors(path) if extension == ".safetensors" else np.load(path)
                model = build()
                model.load_state_dict({key: torch.from_numpy(arrays[key].astype("f8")) for key in arrays})
                with torch.no_grad(): expected = model.eval()(torch.from_numpy(np.load(f"{folder}/{name}.input.npy"))).numpy()
                given = np.load(f"{folder}/{name}-{kind}.output.npy")
                off = np.abs(given - expected).max() / np.abs(expected).max()
                expect(off <= tolerance, f"{name}, {kind}{extension} in PyTorch: {off:.1e} of the largest logit, at most {tolerance:.0e}")
    archive = np.load(f"{folder}/types.npz", allow_pickle=False)
    for kind in TYPES[:12]:
        box = (np.arange(30) % (2 if kind == "|b1" else 99)).reshape(2, 3, 5).astype(kind)
        for array in (archive[kind[1:]], np.load(f"{folder}/types-{kind[1:]}.npy", allow_pickle=False)):
            expect(array.dtype.str == kind and array.shape == (2, 3, 5) and (array == box).all(), f"{kind} in NumPy")
    sys.exit(failed)


{"give": give, "check": check}[sys.argv[1]](sys.argv[2])
