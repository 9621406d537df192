"""What is converted, and where it goes from there: layer x output and neuron x output, asked of the code itself.

python -m benchmarks.support        writes docs/support.md
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import snntorch
import torch
from snntorch import utils
from torch import nn

from spear_deploy.backends.fixed_point import LOIHI1, LOIHI2, quantize
from spear_deploy.backends.fixed_point.formats import Format, held_by
from spear_deploy.errors import BackendError, ModelError
from spear_deploy.exporting import JudgedIntegers
from spear_deploy.exporting.registry import exporter
from spear_deploy.network import Model, from_snntorch
from spear_deploy.network.importing.layers import SumPool2d
from spear_deploy.pruning import channel_groups

PAGE = Path(__file__).parent.parent / "docs" / "support.md"
TIME_STEPS = 3
YES = "yes"

Shape = tuple[int, ...]


def leaky(**options: object) -> nn.Module:
    """Lava's own kind of neuron: what a layer does is then not hidden by what the neuron is."""
    return snntorch.Leaky(
        **{"beta": 0.75, "reset_mechanism": "zero", "reset_delay": False, "init_hidden": True} | options
    )


class Joined(nn.Module):
    """Two branches, added or concatenated, behind a neuron of their own."""

    def __init__(self, *, concatenate: bool) -> None:
        super().__init__()
        self.concatenate = concatenate
        self.first, self.lif, self.second, self.lif2 = nn.Linear(6, 5), leaky(), nn.Linear(5, 5), leaky()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """One step."""
        early = self.lif(self.first(x))
        late = self.lif2(self.second(early))
        return torch.cat([early, late], 1) if self.concatenate else early + late


IMAGE, SERIES, FLAT = (2, 6, 6), (2, 9), (6,)

LAYERS: dict[str, tuple[Shape, Callable[[], list[nn.Module]]]] = {
    "Linear": (FLAT, lambda: [nn.Linear(6, 5), leaky()]),
    "Conv1d": (SERIES, lambda: [nn.Conv1d(2, 4, 3), leaky()]),
    "Conv2d": (IMAGE, lambda: [nn.Conv2d(2, 4, 3, stride=2, padding=1), leaky()]),
    "Conv2d, depthwise": (IMAGE, lambda: [nn.Conv2d(2, 4, 3), leaky(), nn.Conv2d(4, 4, 3, groups=4), leaky()]),
    "Conv2d, 2 groups": (IMAGE, lambda: [nn.Conv2d(2, 4, 3), leaky(), nn.Conv2d(4, 4, 3, groups=2), leaky()]),
    "BatchNorm2d behind Conv2d": (IMAGE, lambda: [nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), leaky()]),
    "AvgPool2d of spikes": (IMAGE, lambda: [nn.Conv2d(2, 4, 3), leaky(), nn.AvgPool2d(2)]),
    "AvgPool2d before a neuron": (IMAGE, lambda: [nn.Conv2d(2, 4, 3), nn.AvgPool2d(2), leaky()]),
    "sum pool (divisor_override=1)": (IMAGE, lambda: [nn.Conv2d(2, 4, 3), leaky(), SumPool2d(2)]),
    "AdaptiveAvgPool2d": (IMAGE, lambda: [nn.Conv2d(2, 4, 3), leaky(), nn.AdaptiveAvgPool2d(1)]),
    "MaxPool2d of spikes": (IMAGE, lambda: [nn.Conv2d(2, 4, 3), leaky(), nn.MaxPool2d(2)]),
    "MaxPool2d before a neuron": (IMAGE, lambda: [nn.Conv2d(2, 4, 3), nn.MaxPool2d(2), leaky()]),
    "AdaptiveMaxPool2d of spikes": (IMAGE, lambda: [nn.Conv2d(2, 4, 3), leaky(), nn.AdaptiveMaxPool2d(2)]),
    "AvgPool1d of spikes": (SERIES, lambda: [nn.Conv1d(2, 4, 2), leaky(), nn.AvgPool1d(2)]),
    "MaxPool1d of spikes": (SERIES, lambda: [nn.Conv1d(2, 4, 2), leaky(), nn.MaxPool1d(2)]),
    "MaxPool1d before a neuron": (SERIES, lambda: [nn.Conv1d(2, 4, 2), nn.MaxPool1d(2), leaky()]),
    "addition of branches": (FLAT, lambda: [Joined(concatenate=False)]),
    "concatenation of channels": (FLAT, lambda: [Joined(concatenate=True)]),
    "ConvTranspose1d": (SERIES, lambda: [nn.ConvTranspose1d(2, 4, 3, stride=2), leaky()]),
    "ConvTranspose2d": (IMAGE, lambda: [nn.ConvTranspose2d(2, 4, 3, stride=2), leaky()]),
    "Conv2d, padding_mode reflect": (
        IMAGE,
        lambda: [nn.Conv2d(2, 4, 3), leaky(), nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"), leaky()],
    ),
    "ZeroPad2d": (
        IMAGE,
        lambda: [nn.Conv2d(2, 4, 3), leaky(), nn.ZeroPad2d((1, 0, 2, 1)), nn.Conv2d(4, 4, 3), leaky()],
    ),
    "Upsample, nearest": (
        IMAGE,
        lambda: [nn.Conv2d(2, 4, 3), leaky(), nn.Upsample(scale_factor=2), nn.Conv2d(4, 4, 3), leaky()],
    ),
    "Unflatten": (
        FLAT,
        lambda: [nn.Linear(6, 12), leaky(), nn.Unflatten(1, (3, 2, 2)), nn.ConvTranspose2d(3, 2, 2, 2), leaky()],
    ),
    "AvgPool2d, ceil_mode": (IMAGE, lambda: [nn.Conv2d(2, 4, 2), leaky(), nn.AvgPool2d(2, ceil_mode=True)]),
    "AdaptiveAvgPool2d that does not divide": (IMAGE, lambda: [nn.Conv2d(2, 4, 3), leaky(), nn.AdaptiveAvgPool2d(3)]),
    "MaxPool2d of spikes, ceil_mode": (IMAGE, lambda: [nn.Conv2d(2, 4, 2), leaky(), nn.MaxPool2d(2, ceil_mode=True)]),
    "Conv3d": ((2, 3, 6, 6), lambda: [nn.Conv3d(2, 4, 3), leaky()]),
    "GroupNorm": (IMAGE, lambda: [nn.Conv2d(2, 4, 3), nn.GroupNorm(2, 4), leaky()]),
    "LayerNorm": (FLAT, lambda: [nn.Linear(6, 5), nn.LayerNorm(5), leaky()]),
    "ReLU": (FLAT, lambda: [nn.Linear(6, 5), nn.ReLU(), leaky()]),
}

_RECURRENT = {"all_to_all": False, "V": 0.25, "init_hidden": True}
_ZERO = {"reset_mechanism": "zero", "init_hidden": True}

NEURONS: dict[str, Callable[[], nn.Module]] = {
    "Leaky, reset zero, prompt": leaky,
    "Leaky, reset zero, delayed": lambda: leaky(reset_delay=True),
    "Leaky, reset subtract (snnTorch's default)": lambda: leaky(reset_mechanism="subtract", reset_delay=True),
    "Leaky, reset none": lambda: leaky(reset_mechanism="none"),
    "Leaky, beta 1": lambda: leaky(beta=1.0),
    "Synaptic, reset zero, prompt": lambda: snntorch.Synaptic(0.5, 0.75, reset_delay=False, **_ZERO),
    "Synaptic, reset zero, delayed": lambda: snntorch.Synaptic(0.5, 0.75, **_ZERO),
    "Lapicque, reset zero, delayed": lambda: snntorch.Lapicque(R=2.0, C=4.0, **_ZERO),
    "RLeaky": lambda: snntorch.RLeaky(0.75, reset_mechanism="zero", reset_delay=False, **_RECURRENT),
    "RSynaptic": lambda: snntorch.RSynaptic(0.5, 0.75, **_RECURRENT),
    "Alpha": lambda: snntorch.Alpha(0.75, 0.5, init_hidden=True),
}

OUTPUTS: dict[str, tuple[str, dict[str, object]]] = {
    "NIR": ("nir", {}),
    "NIR, portable": ("nir", {"portable": True}),
    "ONNX": ("onnx", {}),
    "Lava script": ("lava", {}),
    "Lava script, fixed": ("lava", {"fixed": True}),
    "netx": ("netx", {}),
}


class Notes:
    """Reasons, each numbered once."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def number(self, reason: str) -> str:
        """A cell that refers to a reason, which does not name the layer."""
        text = reason.split(": ", 1)[-1].split("; supported: ")[0]
        if text not in self.texts:
            self.texts.append(text)
        return f"no [{self.texts.index(text) + 1}]"


def converted(hidden: list[nn.Module], shape: Shape) -> Model:
    """A network of some layers, and a Linear layer with neurons behind them."""
    torch.manual_seed(0)
    net = nn.Sequential(*hidden, nn.Flatten(), nn.LazyLinear(3), leaky()).eval()
    utils.reset(net)
    return from_snntorch(net, input_shape=shape, time_steps=TIME_STEPS, encoding="spikes")


def cells(hidden: list[nn.Module], shape: Shape, notes: Notes) -> list[str]:
    """What becomes of a network: loaded, pruned, in integers, and in every file."""
    try:
        model = converted(hidden, shape)
    except (ModelError, RuntimeError) as error:
        return [notes.number(str(error)), *["-"] * (3 + len(OUTPUTS))]
    found = [YES, _pruned(model, notes)]
    for chip in (LOIHI1, LOIHI2):
        held = _integers(model, chip)
        found.append(notes.number(held) if isinstance(held, str) else YES)
    integers = {name: _integers(model, chip) for name, chip in (("", LOIHI2), ("netx", held_by("netx", LOIHI2)))}
    for name, options in OUTPUTS.values():
        held = integers.get(name, integers[""])
        fixed = bool(options.get("fixed")) or name == "netx"
        if fixed and isinstance(held, str):
            found.append(notes.number(held))
            continue
        reasons = exporter(name, options | ({"integers": held} if fixed else {})).refuses(model)
        found.append(notes.number(reasons[0]) if reasons else YES)
    return found


def _integers(model: Model, chip: Format) -> JudgedIntegers | str:
    """A chip's integers, or why there are none."""
    try:
        return JudgedIntegers(quantize(model, chip), "loihi2", "loihi", "no samples")
    except BackendError as error:
        return str(error)


def _pruned(model: Model, notes: Notes) -> str:
    hidden = [group for group in channel_groups(model.network) if model.network.read_out not in group.name]
    fixed = [group.fixed for group in hidden if group.fixed and "input's" not in group.fixed]
    return notes.number(fixed[0]) if fixed else YES


def page() -> str:
    """The text of docs/support.md."""
    notes = Notes()
    head = ["loads", "pruned", "Loihi 1 integers", "Loihi 2 integers", *OUTPUTS]
    lines = [
        "# What is converted, and where it goes from there",
        "",
        "Asked of the code itself by `python -m benchmarks.support`; a test holds this page to it. Each row is a",
        "small network: the layer with Leaky neurons that reset to zero at once, which every chip here has, or a",
        "Linear layer with the neuron.",
        "",
    ]
    for title, rows in (
        ("layer", {name: cells(build(), shape, notes) for name, (shape, build) in LAYERS.items()}),
        ("neuron", {name: cells([nn.Linear(6, 5), build()], FLAT, notes) for name, build in NEURONS.items()}),
    ):
        lines += [f"| {title} | {' | '.join(head)} |", "|---" * (1 + len(head)) + "|"]
        lines += [f"| {name} | {' | '.join(found)} |" for name, found in rows.items()]
        lines.append("")
    lines += [f"[{number}] {text}  " for number, text in enumerate(notes.texts, 1)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
