"""Every layer kind with every neuron, reset, delay and parameter shape: snnTorch to a NIR file and back.

python tests/network/conversion_matrix.py     runs all combinations and prints the counts
"""

import re
import tempfile
from collections import Counter
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import snntorch
import torch
from network_builders import heaviside, leaky, run_by_snntorch
from torch import nn

from spear_deploy.errors import ModelError
from spear_deploy.network import Simulation, from_snntorch, load_any, write_nir
from spear_deploy.network.importing.layers import SumPool2d

TIME_STEPS, SAMPLES = 6, 100

REFUSALS = {
    r"Alpha is not supported": "Alpha is not shown exact: its membrane is a difference of two filtered currents",
    r"outside \[0, 1\]": "snnTorch's Lapicque with beta below 1/e has a membrane that changes its sign",
    r"RSynaptic\(reset_delay=False\)": "snnTorch's own RSynaptic fails without reset_delay",
    r"_recurrent: Linear takes a flat input": "an all-to-all RLeaky on [C, L] acts on its last axis only",
}
"""Messages with which a combination may be refused, and why."""


class Residual(nn.Module):
    def __init__(self, branch):
        super().__init__()
        self.branch = branch

    def forward(self, x):
        return self.branch(x) + x


class Branches(nn.Module):
    def __init__(self, *branches):
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x):
        return sum(branch(x) for branch in self.branches)


def _norm(kind, channels):
    norm = kind(channels)
    norm.running_mean.normal_(0, 0.2)
    norm.running_var.uniform_(0.5, 2)
    nn.init.uniform_(norm.weight, 0.5, 1.5)
    nn.init.normal_(norm.bias, 0, 0.1)
    return norm


IMAGE, SERIES, FLAT = (4, 6, 5), (4, 9), (12,)
"""What the layer under test receives: spikes of these shapes."""

LAYERS = {
    "Linear": (FLAT, lambda: nn.Linear(12, 8)),
    "Linear without bias": (FLAT, lambda: nn.Linear(12, 8, bias=False)),
    "BatchNorm1d": (FLAT, lambda: nn.Sequential(nn.Linear(12, 8), _norm(nn.BatchNorm1d, 8))),
    "residual Linear": (FLAT, lambda: Residual(nn.Linear(12, 12))),
    "Conv1d": (SERIES, lambda: nn.Conv1d(4, 6, 3, stride=2, padding=1)),
    "Conv1d same": (SERIES, lambda: nn.Conv1d(4, 6, 3, padding="same", dilation=2, groups=2, bias=False)),
    "AvgPool1d": (SERIES, lambda: nn.AvgPool1d(3, stride=2, padding=1)),
    "MaxPool1d": (SERIES, lambda: nn.Sequential(nn.MaxPool1d(3), nn.Conv1d(4, 4, 1))),
    "Conv2d": (IMAGE, lambda: nn.Conv2d(4, 4, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2))),
    "Conv2d same": (IMAGE, lambda: nn.Conv2d(4, 4, 3, padding="same", bias=False)),
    "Conv2d depthwise": (IMAGE, lambda: nn.Conv2d(4, 8, 3, groups=4)),
    "AvgPool2d": (IMAGE, lambda: nn.AvgPool2d((3, 2), stride=(1, 2), padding=(1, 0))),
    "SumPool2d": (IMAGE, lambda: nn.Sequential(SumPool2d(2), nn.Conv2d(4, 4, 1))),
    "MaxPool2d": (IMAGE, lambda: nn.Sequential(nn.MaxPool2d(3, stride=2, padding=1), nn.Conv2d(4, 4, 1))),
    "BatchNorm2d after": (IMAGE, lambda: nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), _norm(nn.BatchNorm2d, 4))),
    "BatchNorm2d before": (IMAGE, lambda: nn.Sequential(_norm(nn.BatchNorm2d, 4), nn.Conv2d(4, 4, 3))),
    "Flatten": (IMAGE, lambda: nn.Sequential(nn.Flatten(), nn.Linear(120, 8))),
    "Dropout": (IMAGE, lambda: nn.Sequential(nn.Conv2d(4, 4, 1), nn.Dropout2d(0.5))),
    "residual Conv2d": (IMAGE, lambda: Residual(nn.Conv2d(4, 4, 3, padding=1))),
    "branches": (IMAGE, lambda: Branches(nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 1, bias=False))),
}
NEURONS = (
    "Leaky",
    "Leaky graded",
    "Synaptic",
    "Lapicque",
    "RLeaky",
    "RLeaky 1-1",
    "RSynaptic",
    "RSynaptic 1-1",
    "Alpha",
)
RESETS = ("zero", "subtract", "none")
DELAYS = (True, False)
SHAPES = ("scalar", "channel", "neuron")


@dataclass(frozen=True)
class Combination:
    layer: str
    neuron: str
    reset: str
    delay: bool
    shape: str


def combinations():
    """All that snnTorch itself can build."""
    for parts in product(LAYERS, NEURONS, RESETS, DELAYS, SHAPES):
        combination = Combination(*parts)
        without_delay = combination.neuron in ("Lapicque", "Alpha")
        if without_delay and not combination.delay:
            continue  # these have no reset_delay
        if combination.neuron == "Lapicque" and combination.shape != "scalar":
            continue  # snnTorch's Lapicque takes single numbers only
        yield combination


def build(combination, seed):
    """The network of a combination, and its input shape: the spikes that the layer receives come from a Leaky."""
    torch.manual_seed(seed)
    shape, layer = LAYERS[combination.layer]
    layer = layer()
    with torch.no_grad():
        out = tuple(layer.eval()(torch.zeros(1, *shape)).shape[1:])
    neuron = _neuron(combination, out)
    first = nn.Conv2d(2, 4, 1) if len(shape) == 3 else nn.Conv1d(2, 4, 1) if len(shape) == 2 else nn.Linear(6, 12)
    size = int(torch.tensor(out).prod())
    net = nn.Sequential(
        first, leaky(0.8, threshold=0.3), layer, neuron, nn.Flatten(), nn.Linear(size, 5), leaky(threshold=0.2)
    )
    return net, (6,) if len(shape) == 1 else (2, *shape[1:])


def _neuron(combination, shape):
    def constant(low, high):
        size = {"scalar": (), "channel": (shape[0], *(1,) * (len(shape) - 1)), "neuron": shape}[combination.shape]
        return low + (high - low) * torch.rand(size)

    options = {"threshold": constant(0.1, 0.6), "reset_mechanism": combination.reset}
    options |= {"init_hidden": True, "spike_grad": heaviside, "learn_threshold": combination.shape == "neuron"}
    kind, _, detail = combination.neuron.partition(" ")
    if kind == "Lapicque":
        return snntorch.Lapicque(beta=float(constant(0.3, 0.95)), **options)
    options["beta"] = constant(0.3, 0.95)
    options["learn_beta"] = combination.shape == "channel"
    if kind in ("Synaptic", "RSynaptic"):
        options["alpha"] = constant(0.2, 0.9)
    if kind == "Alpha":
        return snntorch.Alpha(alpha=0.96, **options)
    options["reset_delay"] = combination.delay
    if detail == "graded":
        options["graded_spikes_factor"] = 0.25 + float(torch.rand(()))
    if kind.startswith("R"):
        if detail:
            options |= {"all_to_all": False, "V": torch.rand(shape) - 0.7}
        elif len(shape) == 3:
            options |= {"conv2d_channels": shape[0], "kernel_size": 3}
        else:
            options["linear_features"] = shape[-1]
    return getattr(snntorch, kind)(**options)


def convert_and_compare(combination, seed, folder):
    """None if the file that comes back spikes as snnTorch does, else why the network was refused.

    A reason that is not on the list of refusals starts with a question mark. Raises
    AssertionError on any difference.
    """
    snntorch.SpikingNeuron.init()  # snnTorch keeps every neuron ever built, and walks through them all
    net, shape = build(combination, seed)
    x = 3 * torch.rand(TIME_STEPS, SAMPLES, *shape, dtype=torch.float64)
    try:
        model = from_snntorch(net, input_shape=shape, time_steps=TIME_STEPS)
    except ModelError as error:
        return next((reason for pattern, reason in REFUSALS.items() if re.search(pattern, str(error))), f"? {error}")
    write_nir(model, Path(folder) / "net.nir")
    back = load_any(Path(folder) / "net.nir")
    expected = run_by_snntorch(net, x)
    with torch.no_grad():
        found = Simulation(back.graph, torch.float64)(x).output
    assert torch.equal(found, expected), f"{combination}: {int((found != expected).sum())} spikes differ"
    return None


def main():
    torch.set_num_threads(1)
    counts = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for seed, combination in enumerate(combinations()):
            counts[convert_and_compare(combination, seed, folder)] += 1
    print(f"{counts.pop(None)} combinations are equal on {SAMPLES} inputs of {TIME_STEPS} steps")
    for reason, count in counts.most_common():
        print(f"{count} refused: {reason}")


if __name__ == "__main__":
    main()
