"""Train spiking networks on CIFAR-10, T = 4, LIF with hard reset, tau 2: SPEAR's VGG16 and ResNet18, and two more.

    python examples/train_cifar10.py --net vgg16 --data ../shared/cases/cifar10 --device cuda
    python examples/train_cifar10.py --net vgg10 --width 0.25 --images 10000 --epochs 30     # on a few cores

`vgg10` has ten convolutions; `sew-resnet` adds spikes where ResNet18 adds currents (Fang et al., arXiv 2102.04159).

Data: a folder of train.npz and test.npz with JPEG images (arrays jpeg, offset, label), or torchvision's folder
(cifar-10-batches-py). Of the training images the last 5,000 are held out for validation. After each epoch the
accuracy on test is written to OUT.json, and what is needed to go on from there to OUT.state: the same command then
ends with the same network as one that was never cut off. At the end the network is written to OUT.pt, which
`spear-deploy` reads, with its SynOps. Source of the task: SPEAR (T = 4, tau 2, hard reset, direct encoding).
"""

import argparse
import io
import json
import pickle
import time
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from math import prod
from pathlib import Path

import numpy as np
import snntorch as snn
import torch
from snntorch import surrogate
from torch import nn
from torch.nn import functional as F

import spear_deploy
from spear_deploy.data import EncodedSplit, SplitName
from spear_deploy.measure import measure_split
from spear_deploy.network import Neuron, Reset
from spear_deploy.network.device import describe, device_named, exact_products
from spear_deploy.network.neuron_layer import NeuronLayer

TIME_STEPS, BETA = 4, 0.5
HELD_OUT = 5_000
ABOUT = ("net", "width", "seed", "epochs", "images", "batch", "rate", "amp")
"""What two trainings have in common where one can go on from the other."""
MEAN, DEVIATION = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
VGG16 = (64, 64, "pool", 128, 128, "pool", 256, 256, 256, "pool", 512, 512, 512, "pool", 512, 512, 512)
VGG10 = (64, 64, "pool", 128, 128, "pool", 256, 256, "pool", 512, 512, "pool", 512, 512)
SEW_RESNET = ((64, 2), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1))
RESNET18 = ((64, 1), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1))


def lif(**options):
    """The neuron used throughout; tau 2 is a decay of one half a step."""
    options = {"reset_mechanism": "zero", "reset_delay": False} | options
    return snn.Leaky(beta=BETA, init_hidden=True, spike_grad=surrogate.atan(alpha=2.0), **options)


def convolution(inputs, outputs, kernel=3, stride=1):
    """A convolution and its normalisation, which is folded into it when the network is saved."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False)
    return [conv, nn.BatchNorm2d(outputs)]


class ReadOut(nn.Module):
    """Membranes that leak and never spike: their sum over time is a class's score."""

    def __init__(self, inputs):
        super().__init__()
        self.weights = nn.Linear(inputs, 10)
        self.membrane = lif(reset_mechanism="none", output=True)

    def forward(self, x):
        """Spikes `[B, inputs]` of one step to membranes `[B, 10]`."""
        _, membrane = self.membrane(self.weights(x))
        return membrane


def vgg(layers, width):
    """Convolutions, halved by averages in between, and a read-out."""
    parts, channels = [], 3
    for part in layers:
        if part == "pool":
            parts.append(nn.AvgPool2d(2))
        else:
            wide = max(8, round(part * width))
            parts += [*convolution(channels, wide), lif()]
            channels = wide
    return nn.Sequential(*parts, nn.AvgPool2d(2), nn.Flatten(), ReadOut(channels))


class Block(nn.Module):
    """Two convolutions; what entered is added to the second one's current."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.first = nn.Sequential(*convolution(inputs, outputs, stride=stride), lif())
        self.second = nn.Sequential(*convolution(outputs, outputs))
        same = inputs == outputs and stride == 1
        self.short = nn.Identity() if same else nn.Sequential(*convolution(inputs, outputs, 1, stride))
        self.out = lif()

    def forward(self, x):
        """Spikes `[B, inputs, H, W]` of one step to spikes `[B, outputs, H, W]`."""
        return self.out(self.second(self.first(x)) + self.short(x))


class SpikingBlock(nn.Module):
    """Two convolutions with a neuron each; the spikes that entered are added to the second one's."""

    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.first = nn.Sequential(*convolution(inputs, outputs, stride=stride), lif())
        self.second = nn.Sequential(*convolution(outputs, outputs), lif())
        same = inputs == outputs and stride == 1
        self.short = nn.Identity() if same else nn.Sequential(*convolution(inputs, outputs, 1, stride), lif())

    def forward(self, x):
        """What one step sent `[B, inputs, H, W]` to sums of spikes `[B, outputs, H, W]`."""
        return self.second(self.first(x)) + self.short(x)


def resnet(block, stages, width):
    """A convolution, blocks, and a read-out."""
    wide = [max(8, round(channels * width)) for channels, _ in stages]
    parts = [*convolution(3, wide[0]), lif()]
    for before, after, (_, stride) in zip([wide[0], *wide], wide, stages, strict=False):
        parts.append(block(before, after, stride))
    side = 32 // prod(stride for _, stride in stages)
    return nn.Sequential(*parts, nn.AvgPool2d(side), nn.Flatten(), ReadOut(wide[-1]))


NETWORKS = {
    "vgg16": partial(vgg, VGG16),
    "resnet18": partial(resnet, Block, RESNET18),
    "vgg10": partial(vgg, VGG10),
    "sew-resnet": partial(resnet, SpikingBlock, SEW_RESNET),
}


def load(folder, part):
    """Images `[N, 3, 32, 32]` (uint8) and labels `[N]` of `train` or `test`."""
    if (folder / f"{part}.npz").is_file():
        from PIL import Image

        with np.load(folder / f"{part}.npz") as file:
            jpeg, offset, labels = file["jpeg"], file["offset"], file["label"]
        ends = pairwise(offset)
        images = np.stack([np.asarray(Image.open(io.BytesIO(jpeg[start:end].tobytes()))) for start, end in ends])
        return torch.from_numpy(images).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(labels.astype(np.int64))
    inner = folder / "cifar-10-batches-py"
    names = [f"data_batch_{number}" for number in range(1, 6)] if part == "train" else ["test_batch"]
    read = [
        pickle.loads(((inner if inner.is_dir() else folder) / name).read_bytes(), encoding="bytes") for name in names
    ]
    images = np.concatenate([each[b"data"] for each in read]).reshape(-1, 3, 32, 32)
    return torch.from_numpy(images), torch.tensor([label for each in read for label in each[b"labels"]])


def normalised(images):
    """Values with the data set's mean and deviation taken out."""
    mean, deviation = (torch.tensor(each, device=images.device).reshape(1, 3, 1, 1) for each in (MEAN, DEVIATION))
    return (images.float() / 255 - mean) / deviation


def augmented(images, generator):
    """Each image shifted by up to 4 pixels and perhaps mirrored."""
    count = len(images)
    padded = F.pad(images, (4, 4, 4, 4))
    shift = torch.randint(0, 9, (2, count), generator=generator).to(images.device)
    rows = (shift[0, :, None] + torch.arange(32, device=images.device)).reshape(count, 1, 32, 1)
    columns = (shift[1, :, None] + torch.arange(32, device=images.device)).reshape(count, 1, 1, 32)
    which = torch.arange(count, device=images.device).reshape(count, 1, 1, 1)
    channel = torch.arange(3, device=images.device).reshape(1, 3, 1, 1)
    shifted = padded[which, channel, rows, columns]
    mirrored = (torch.rand(count, generator=generator) < 0.5).to(images.device).reshape(count, 1, 1, 1)
    return torch.where(mirrored, shifted.flip(3), shifted)


def over_time(neuron, currents):
    """What a neuron layer gives for all steps at once, which lie behind each other in the batch: `[T B, *shape]`."""
    spikes = not neuron.output
    constants = Neuron(
        beta=np.full(1, BETA),
        gain=np.ones(1),
        threshold=np.ones(1) if spikes else None,
        reset=Reset.ZERO if spikes else Reset.NONE,
    )
    layer = NeuronLayer(constants, torch.float32).to(currents.device)
    outputs = layer(currents.unflatten(0, (TIME_STEPS, -1))).flatten(0, 1)
    return outputs if spikes else (outputs, outputs)


@contextmanager
def all_steps_at_once(net):
    """Let every layer run all steps in one call: the same network, many times as fast as step by step."""
    neurons = [module for module in net.modules() if isinstance(module, snn.Leaky)]
    for neuron in neurons:
        neuron.forward = partial(over_time, neuron)
    try:
        yield
    finally:
        for neuron in neurons:
            del neuron.forward


def run(net, images):
    """Show each image TIME_STEPS times; returns membranes `[T, B, 10]`."""
    with all_steps_at_once(net):
        return net(images.repeat(TIME_STEPS, 1, 1, 1)).unflatten(0, (TIME_STEPS, -1))


@torch.no_grad()
def accuracy(net, images, labels, batch=500):
    """Share of images whose membrane is largest over time."""
    net.eval()
    right = 0
    for start in range(0, len(images), batch):
        part = slice(start, start + batch)
        right += int((run(net, normalised(images[part])).sum(0).argmax(1) == labels[part]).sum())
    return right / len(images)


def main():
    """Train, and write what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--net", choices=NETWORKS, default="vgg16")
    parser.add_argument("--width", type=float, default=1.0, help="share of the channels")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rate", type=float, default=0.1)
    parser.add_argument("--images", type=int, help="training images that are used, the first ones")
    parser.add_argument("--test-images", type=int, help="test images that are used, the first ones")
    parser.add_argument("--data", type=Path, default=Path("../shared/cases/cifar10"))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--amp", action="store_true", help="products in bfloat16 while training")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("cifar10"))
    options = parser.parse_args()
    exact_products()
    device = device_named(options.device)
    torch.manual_seed(options.seed)
    generator = torch.Generator().manual_seed(options.seed)
    images, labels = (each.to(device) for each in load(options.data, "train"))
    test, test_labels = (each.to(device) for each in load(options.data, "test"))
    test, test_labels = test[: options.test_images], test_labels[: options.test_images]
    images, labels = images[:-HELD_OUT][: options.images], labels[:-HELD_OUT][: options.images]
    net = NETWORKS[options.net](options.width).to(device)
    optimizer = torch.optim.SGD(net.parameters(), options.rate, momentum=0.9, weight_decay=5e-4, nesterov=True)
    steps = options.epochs * (len(images) // options.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, options.rate, total_steps=steps, pct_start=0.2)
    result = {
        **{"net": options.net, "width": options.width, "time_steps": TIME_STEPS, "seed": options.seed},
        **{"epochs": options.epochs, "images": len(images), "device": describe(device), "torch": torch.__version__},
        **{
            "bfloat16": options.amp,
            "data": "CIFAR-10 (JPEG)" if (options.data / "train.npz").is_file() else "CIFAR-10",
        },
        **{"parameters": sum(each.numel() for each in net.parameters()), "test_accuracy": [], "seconds": []},
    }
    state, about = options.out.with_suffix(".state"), {name: getattr(options, name) for name in ABOUT}
    going = {"net": net, "optimizer": optimizer, "schedule": schedule}
    if state.is_file():
        before = torch.load(state, map_location=device, weights_only=True)
        if before["about"] != about:
            parser.error(f"{state} is of another training, {before['about']}; take another --out, or remove it")
        for name, part in going.items():
            part.load_state_dict(before[name])
        generator.set_state(before["generator"].cpu())
        result = json.loads(before["result"])
    print(json.dumps(result))
    for epoch in range(len(result["seconds"]), options.epochs):
        start = time.perf_counter()
        net.train()
        order = torch.randperm(len(images), generator=generator).to(device)
        for index in order[: len(order) // options.batch * options.batch].split(options.batch):
            optimizer.zero_grad()
            with torch.autocast(device.type, torch.bfloat16, enabled=options.amp):
                output = run(net, augmented(normalised(images[index]), generator))
            F.cross_entropy(output.float().mean(0), labels[index]).backward()
            optimizer.step()
            schedule.step()
        result["test_accuracy"].append(accuracy(net, test, test_labels))
        result["seconds"].append(round(time.perf_counter() - start, 2))
        options.out.with_suffix(".json").write_text(json.dumps(result, indent=2) + "\n")
        reached = {name: part.state_dict() for name, part in going.items()}
        reached |= {"about": about, "generator": generator.get_state(), "result": json.dumps(result)}
        torch.save(reached, state.with_suffix(".part"))
        state.with_suffix(".part").replace(state)
        print(f"epoch {epoch + 1}: test {result['test_accuracy'][-1]:.2%}, {result['seconds'][-1]:.1f} s", flush=True)
    net.eval()
    saved = options.out.with_suffix(".pt")
    spear_deploy.save_model(
        net,
        saved,
        input_shape=(3, 32, 32),
        time_steps=TIME_STEPS,
        encoding="direct",
        read_out="membrane",
        sample=normalised(test[:4]).cpu().expand(TIME_STEPS, 4, 3, 32, 32).double(),
    )
    shown = normalised(test).cpu()
    split = EncodedSplit(SplitName.TEST, shown.expand(TIME_STEPS, *shown.shape), test_labels.cpu(), True, device=device)
    start = time.perf_counter()
    found = measure_split(spear_deploy.load_model(saved), split)
    result |= {"accuracy": found.accuracy, "synops": found.synops, "synops_analog": found.synops_analog}
    result |= {"measure_seconds": round(time.perf_counter() - start, 2)}
    result["spikes"] = {name: layer.spikes for name, layer in found.layers.items()}
    options.out.with_suffix(".json").write_text(json.dumps(result, indent=2) + "\n")
    print(f"test {found.accuracy:.2%}, {found.synops:,.0f} SynOps, measured in {result['measure_seconds']:.1f} s")


if __name__ == "__main__":
    main()
