"""What PyTorch needs for the work that 'peer' measures: the same networks, batches and shapes. Prints one JSON object, whose names are
those of 'peer' with the layout of the images, nchw or nhwc, put in. Every figure is the best of the repetitions that fit into --seconds.

    python3 torch_peer.py [--threads 2] [--seconds 4] [--only step,conv,norm,gemm,memory]
"""
import argparse
import json
import resource
import threading
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

LAYOUTS = {"nchw": torch.contiguous_format, "nhwc": torch.channels_last}

options = argparse.ArgumentParser()
options.add_argument("--threads", type=int, default=2)
options.add_argument("--seconds", type=float, default=4)
options.add_argument("--only", default="step,conv,norm,gemm,memory")
options = options.parse_args()
torch.set_num_threads(options.threads)
torch.manual_seed(0)
figures = {"torch": torch.__version__, "threads": torch.get_num_threads()}


def best(action):
    action()
    action()
    end, shortest = time.time() + options.seconds, float("inf")
    while time.time() < end:
        start = time.perf_counter()
        action()
        shortest = min(shortest, time.perf_counter() - start)
    return shortest


def conv3x3(inputs, outputs, stride=1):
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)


class PaddedShortcut(nn.Module):
    """Every second pixel, zeros for the new channels."""

    def __init__(self, padding):
        super().__init__()
        self.padding = padding

    def forward(self, x):
        return F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.padding, self.padding))


class Block(nn.Module):
    def __init__(self, inputs, outputs, norm, shortcut):
        super().__init__()
        self.conv1, self.norm1 = conv3x3(inputs, outputs, 1 if inputs == outputs else 2), norm(outputs)
        self.conv2, self.norm2 = conv3x3(outputs, outputs), norm(outputs)
        self.shortcut = nn.Identity() if inputs == outputs else shortcut(inputs, outputs)

    def forward(self, x):
        y = F.relu(self.norm1(self.conv1(x)), inplace=True)
        return F.relu(self.norm2(self.conv2(y)) + self.shortcut(x), inplace=True)


def resnet(widths, blocks, norm, shortcut):
    layers, channels = [conv3x3(3, widths[0]), norm(widths[0]), nn.ReLU(inplace=True)], widths[0]
    for width in widths:
        for _ in range(blocks):
            layers.append(Block(channels, width, norm, shortcut))
            channels = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))


def resnet20(norm):
    return resnet((16, 32, 64), 3, norm, lambda inputs, outputs: PaddedShortcut((outputs - inputs) // 2))


def resnet18(norm):
    return resnet((64, 128, 256, 512), 2, norm, lambda inputs, outputs: nn.Sequential(nn.Conv2d(inputs, outputs, 1, 2, bias=False), norm(outputs)))


def training(model, batch, layout):
    """The model in a layout, a batch of images in it, and a step of training."""
    model = model.to(memory_format=layout)
    optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum=0.9, weight_decay=1e-4)
    images, labels = torch.randn(batch, 3, 32, 32).contiguous(memory_format=layout), torch.randint(0, 10, (batch,))

    def step():
        optimizer.zero_grad()
        F.cross_entropy(model(images), labels).backward()
        optimizer.step()

    return model, images, step


def best_inference(model, images):
    model.eval()
    with torch.no_grad():
        return best(lambda: model(images))


def add_serving(model, image, layout):
    """Eight threads of one process ask for one image each, again and again."""
    model.eval()
    times = []

    def ask():
        with torch.no_grad():
            while True:
                start = time.perf_counter()
                model(image)
                times.append(time.perf_counter() - start)
                if time.time() >= end:
                    return

    begin = time.time()
    end = begin + options.seconds
    asking = [threading.Thread(target=ask) for _ in range(8)]
    for one in asking:
        one.start()
    for one in asking:
        one.join()
    seconds, ordered = time.time() - begin, sorted(times)
    figures[f"resnet20 inference batch b1 8 threads {layout} images/s"] = round(len(times) / seconds, 1)
    figures[f"resnet20 inference batch b1 8 threads p99 {layout} ms"] = round(1e3 * ordered[int(0.99 * (len(ordered) - 1))], 3)


def add_memory():
    """What four steps add to the peak of the process, which only grows: so this comes first."""
    peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    _, _, step = training(resnet20(nn.BatchNorm2d), 128, torch.channels_last)
    before = peak()
    for _ in range(4):
        step()
    figures["step memory batch MB"] = round(peak() - before)


def add_matrix_product():
    a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
    figures["sgemm 1024 GF/s"] = round(2 * 1024**3 / best(lambda: a @ b) / 1e9, 1)


def add_steps(layout, format):
    _, _, step = training(resnet18(nn.BatchNorm2d), 32, format)
    figures[f"resnet18 step batch b32 {layout} images/s"] = round(32 / best(step), 1)
    model, image, _ = training(resnet20(nn.BatchNorm2d), 1, format)
    figures[f"resnet20 inference batch b1 {layout} ms"] = round(1e3 * best_inference(model, image), 3)
    add_serving(model, image, layout)
    for name, norm in (("batch", nn.BatchNorm2d), ("group:8", lambda channels: nn.GroupNorm(8, channels))):
        model, images, step = training(resnet20(norm), 128, format)
        figures[f"resnet20 step {name} {layout} images/s"] = round(128 / best(step), 1)
        figures[f"resnet20 inference {name} {layout} images/s"] = round(128 / best_inference(model, images), 1)


def add_convolutions(layout, format):
    for channels, side in ((16, 32), (32, 16), (64, 8), (64, 32), (128, 16), (256, 8)):
        x = torch.randn(128, channels, side, side).contiguous(memory_format=format).requires_grad_(True)
        w = torch.randn(channels, channels, 3, 3).contiguous(memory_format=format).requires_grad_(True)
        u = torch.randn(128, channels, side, side).contiguous(memory_format=format)
        flops, name = 2 * x.numel() * 9 * channels, f"conv3x3 {channels}x{side}x{side} b128 {layout}"
        forward = best(lambda: F.conv2d(x, w, padding=1))
        both = best(lambda: torch.autograd.grad(F.conv2d(x, w, padding=1), (x, w), u))
        figures[f"{name} forward GF/s"] = round(flops / forward / 1e9, 1)
        figures[f"{name} forward+backward GF/s"] = round(3 * flops / both / 1e9, 1)


def add_normalizations(layout, format):
    for channels, side, groups in ((16, 32, 8), (64, 32, 32)):
        x = torch.randn(128, channels, side, side).contiguous(memory_format=format).requires_grad_(True)
        gamma, beta = torch.ones(channels, requires_grad=True), torch.zeros(channels, requires_grad=True)
        u = torch.randn(128, channels, side, side).contiguous(memory_format=format)
        group = lambda: F.group_norm(x, groups, gamma, beta)
        batch = lambda: F.batch_norm(x, None, None, gamma, beta, True)
        for name, value in (("group_norm", group), ("group_norm+relu", lambda: F.relu(group())),
                            ("batch_norm", batch), ("batch_norm+relu", lambda: F.relu(batch()))):
            seconds = best(lambda: torch.autograd.grad(value(), (x, gamma, beta), u))
            figures[f"{name} {channels}x{side}x{side} b128 {layout} forward+backward ns/element"] = round(1e9 * seconds / x.numel(), 3)


if "memory" in options.only:
    add_memory()
if "gemm" in options.only:
    add_matrix_product()
for part, add in (("step", add_steps), ("conv", add_convolutions), ("norm", add_normalizations)):
    if part in options.only:
        for layout, format in LAYOUTS.items():
            add(layout, format)
print(json.dumps(figures, indent=1))
