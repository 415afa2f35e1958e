#!/usr/bin/python3
"""`train --model fast` in PyTorch: the same network and recipe, on the same files, to see that both learn as well. One JSON line an epoch.

    fast_torch.py DATA [--epochs 10] [--seed 1] [--norm batch:fast|group:8] [--threads 2]     trains
    fast_torch.py DATA --evaluate model.safetensors                                           classifies with weights of this library

DATA holds CIFAR-10's data_batch_1.bin to data_batch_5.bin and test_batch.bin. The recipe is that of Jordan (2024, arXiv:2404.00498), with the loss
averaged over a batch: SGD with Nesterov's momentum 0.85, 1.5 at the highest of a triangle for batches of 1024, weight decay 0.00133, 64 times the rate
and a 64th of the decay for the betas, label smoothing 0.2, flips that alternate by epoch, translation by two pixels with reflection, slow weights
(Lookahead) every five steps, six views of a test image in the end. Gamma stays 1; the first convolution whitens the patches of 5000 training images.
"""
import argparse
import json
import struct
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

options = argparse.ArgumentParser()
options.add_argument("data")
options.add_argument("--epochs", type=int, default=10)
options.add_argument("--batch", type=int, default=1024)
options.add_argument("--norm", default="batch:fast")
options.add_argument("--seed", type=int, default=1)
options.add_argument("--threads", type=int, default=2)
options.add_argument("--train-limit", type=int, default=50_000)
options.add_argument("--test-limit", type=int, default=10_000)
options.add_argument("--evaluate")
options = options.parse_args()
torch.set_num_threads(options.threads)
torch.manual_seed(options.seed)

MEAN = torch.tensor([0.4914, 0.4822, 0.4465]).view(1, 3, 1, 1)
STD = torch.tensor([0.2470, 0.2435, 0.2616]).view(1, 3, 1, 1)


def read(names, limit):
    records = np.concatenate([np.fromfile(f"{options.data}/{name}.bin", np.uint8).reshape(-1, 3073) for name in names])[:limit]
    images = (torch.from_numpy(records[:, 1:].reshape(-1, 3, 32, 32).copy()).float() / 255 - MEAN) / STD
    return images.contiguous(memory_format=torch.channels_last), torch.from_numpy(records[:, 0].astype(np.int64))


def norm(channels):
    if options.norm == "batch:fast":
        layer = nn.BatchNorm2d(channels, eps=1e-5, momentum=0.4)
    else:
        layer = nn.GroupNorm(int(options.norm.split(":")[1]), channels)
    layer.weight.requires_grad = False
    return layer


def conv(inputs, outputs):
    layer = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    nn.init.dirac_(layer.weight.data[:inputs])
    return layer


class Stage(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.conv1, self.norm1 = conv(inputs, outputs), norm(outputs)
        self.conv2, self.norm2 = conv(outputs, outputs), norm(outputs)

    def forward(self, x):
        x = F.gelu(self.norm1(F.max_pool2d(self.conv1(x), 2)))
        return F.gelu(self.norm2(self.conv2(x)))


class Fast(nn.Module):
    def __init__(self):
        super().__init__()
        self.whiten = nn.Conv2d(3, 24, 2)
        self.whiten.weight.requires_grad = False
        nn.init.zeros_(self.whiten.bias)
        self.layer1, self.layer2, self.layer3 = Stage(24, 64), Stage(64, 256), Stage(256, 256)
        self.fc = nn.Linear(256, 10, bias=False)

    def forward(self, x):
        x = self.layer3(self.layer2(self.layer1(F.gelu(self.whiten(x)))))
        return self.fc(F.max_pool2d(x, 3).flatten(1)) / 9

    def adapt(self, images, eps=5e-4):
        patches = F.unfold(images, 2).transpose(1, 2).reshape(-1, 12).double()
        values, vectors = torch.linalg.eigh(patches.T @ patches / len(patches))
        weight = (vectors / torch.sqrt(values + eps)).T.flip(0).reshape(12, 3, 2, 2).float()
        self.whiten.weight.data = torch.cat((weight, -weight)).contiguous(memory_format=torch.channels_last)


def six_views(model, x):
    padded = F.pad(x, (1, 1, 1, 1), "reflect")
    both = lambda images: (model(images) + model(images.flip(3))) / 2
    return both(x) / 2 + (both(padded[:, :, :32, :32]) + both(padded[:, :, 2:, 2:])) / 4


def accuracy(classify):
    right = loss = 0
    with torch.no_grad():
        for at in range(0, len(test), 500):
            logits, labels = classify(test[at:at + 500]), test_labels[at:at + 500]
            right += (logits.argmax(1) == labels).sum().item()
            loss += F.cross_entropy(logits, labels, reduction="sum").item()
    return right / len(test), loss / len(test)


def read_safetensors(path):
    data = open(path, "rb").read()
    start = 8 + struct.unpack("<Q", data[:8])[0]
    header = {name: entry for name, entry in json.loads(data[8:start]).items() if name != "__metadata__"}
    return {name: torch.from_numpy(np.frombuffer(data[start + entry["data_offsets"][0]:start + entry["data_offsets"][1]], "<f4")
                                   .reshape(entry["shape"]).copy()) for name, entry in header.items()}


def triangle(step, steps, rise=0.23):
    top = int(rise * steps)
    return 0.2 + 0.8 * step / top if step < top else 1 - 0.93 * (step - top) / (steps - top)


test, test_labels = read(["test_batch"], options.test_limit)
model = Fast()
if options.evaluate:
    missing, unexpected = model.load_state_dict(read_safetensors(options.evaluate), strict=False)
    wrong = unexpected + [name for name in missing if not name.endswith("num_batches_tracked")]   # which is not in it
    if wrong: raise SystemExit(f"{options.evaluate}: not the weights of --norm {options.norm}: {', '.join(wrong)}")
    model.eval()
    print(json.dumps({"test_accuracy": accuracy(model)[0], "test_loss": accuracy(model)[1],
                      "with_views": accuracy(lambda x: six_views(model, x))[0]}))
    raise SystemExit

train, train_labels = read([f"data_batch_{k}" for k in range(1, 6)], options.train_limit)
model.adapt(train[torch.randperm(len(train))[:5000]])
model = model.to(memory_format=torch.channels_last)
betas = [p for name, p in model.named_parameters() if "norm" in name and name.endswith("bias")]
others = [p for name, p in model.named_parameters() if p.requires_grad and not any(p is beta for beta in betas)]
rate, decay = 1.5 * options.batch / 1024, 0.00133
optimizer = torch.optim.SGD([dict(params=betas, lr=64 * rate, weight_decay=decay / 64), dict(params=others, lr=rate, weight_decay=decay)],
                            lr=rate, momentum=0.85, nesterov=True)
per_epoch = len(train) // options.batch
steps = per_epoch * options.epochs
schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: triangle(step, steps))
slow = {name: value.clone() for name, value in model.state_dict().items() if value.is_floating_point()}
turned = torch.rand(len(train)) < 0.5
done, begin = 0, time.time()
for epoch in range(1, options.epochs + 1):
    model.train()
    start, loss_sum, right, order = time.time(), 0, 0, torch.randperm(len(train))
    for k in range(per_epoch):
        chosen = order[k * options.batch:(k + 1) * options.batch]
        padded = F.pad(train[chosen], (2, 2, 2, 2), "reflect")
        flip, places = turned[chosen] ^ (epoch % 2 == 0), torch.randint(0, 5, (len(chosen), 2))
        x = torch.empty(len(chosen), 3, 32, 32)
        for top in range(5):
            for left in range(5):
                here = (places == torch.tensor([top, left])).all(1)
                x[here] = padded[here][:, :, top:top + 32, left:left + 32]
        x = torch.where(flip.view(-1, 1, 1, 1), x.flip(3), x).contiguous(memory_format=torch.channels_last)
        logits = model(x)
        loss = F.cross_entropy(logits, train_labels[chosen], label_smoothing=0.2)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        done += 1
        loss_sum, right = loss_sum + loss.item(), right + (logits.argmax(1) == train_labels[chosen]).sum().item()
        if done % 5 == 0 or done == steps:
            share = 1 - 0.95 ** 5 * (done / steps) ** 3
            with torch.no_grad():
                for name, value in model.state_dict().items():
                    if name not in slow: continue
                    if done % 5 == 0: slow[name].lerp_(value, share)
                    value.copy_(slow[name])
    seconds = time.time() - start
    model.eval()
    seen, seen_loss = accuracy(model)
    print(json.dumps({"torch": torch.__version__, "norm": options.norm, "seed": options.seed, "epoch": epoch, "of": options.epochs,
                      "train_loss": round(loss_sum / per_epoch, 4), "train_accuracy": round(right / per_epoch / options.batch, 4),
                      "test_loss": round(seen_loss, 4), "test_accuracy": seen, "images_per_second": round(per_epoch * options.batch / seconds, 1),
                      "seconds": round(seconds, 1)}), flush=True)
print(json.dumps({"norm": options.norm, "seed": options.seed, "test_accuracy": accuracy(model)[0],
                  "with_views": accuracy(lambda x: six_views(model, x))[0], "minutes": round((time.time() - begin) / 60, 2)}))
