"""Networks of SpikingJelly: neurons, both step modes, wrappers, and its model zoo at a part of the width.

The zoo imports torchvision for the addresses of its weights.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from benchmarks.networks.case import Case, Run, Subject, each_step, of_torch, whole
from benchmarks.networks.forms import trained

SOURCE = "SpikingJelly"
MAP = (2, 8, 8)


def neuron(kind: str, **options: Any) -> Any:
    """A neuron of its, made when a case is read: the package may be missing."""
    from spikingjelly.activation_based import neuron as neurons

    return getattr(neurons, kind)(**options)


def small(kind: str, mode: str = "s", **options: Any) -> Callable[[], nn.Module]:
    """Convolutions, a norm and pools of all kinds, as in its own examples."""

    def build() -> nn.Module:
        from spikingjelly.activation_based import functional, layer

        def spiking() -> Any:
            return neuron(kind, **options)

        net = nn.Sequential(
            *(layer.Conv2d(2, 6, 3, padding=1, bias=False), layer.BatchNorm2d(6), spiking(), layer.MaxPool2d(2, 2)),
            *(layer.Conv2d(6, 8, 3), layer.AvgPool2d(2), spiking(), layer.Flatten(), layer.Dropout(0.3)),
            *(layer.Linear(8, 12), spiking()),
        )
        functional.set_step_mode(net, mode)
        return trained(net)

    return build


def containers() -> nn.Module:
    """Layers of torch in a SeqToANNContainer, multi-step neurons between them."""
    from spikingjelly.activation_based import layer

    def block(inputs: int, outputs: int) -> list[nn.Module]:
        within = (nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.AvgPool2d(2))
        return [layer.SeqToANNContainer(*within), neuron("IFNode", v_threshold=0.5, step_mode="m")]

    last = layer.SeqToANNContainer(nn.Flatten(), nn.Linear(24, 12))
    return trained(nn.Sequential(*block(2, 4), *block(4, 6), last, neuron("LIFNode", step_mode="m")))


def narrowed(net: nn.Module, factor: int) -> nn.Module:
    """The network with a part of the channels of all layers but its input and output."""
    layers = [module for module in net.modules() if isinstance(module, nn.Conv2d | nn.Linear | nn.BatchNorm2d)]
    for module in layers:
        for key in ("weight", "bias", "running_mean", "running_var"):
            values = getattr(module, key, None)
            if values is not None:
                kept = tuple(
                    slice(None if place > 1 else _part(size, factor)) for place, size in enumerate(values.shape)
                )
                if module is layers[-1]:
                    kept = (slice(None), *kept[1:])
                values.data = values.data[kept].clone()
        if isinstance(module, nn.BatchNorm2d):
            module.num_features = len(module.weight)
        elif isinstance(module, nn.Conv2d):
            module.out_channels, module.in_channels = len(module.weight), module.weight.shape[1] * module.groups
        else:
            module.out_features, module.in_features = module.weight.shape
    return net


def _part(size: int, factor: int) -> int:
    return size if size < 2 * factor else size // factor


def read_out() -> nn.Module:
    """Membranes at the end, one for each step."""
    from spikingjelly.activation_based import functional, layer, neuron

    last = neuron.NonSpikingLIFNode(tau=2.0)
    net = nn.Sequential(layer.Flatten(), layer.Linear(128, 24), neuron.LIFNode(v_threshold=0.1), layer.Linear(24, 5))
    functional.set_step_mode(net, "m")
    return nn.Sequential(net, last)


def zoo(module: str, name: str, factor: int, kind: str = "IFNode", mode: str = "m", **options: Any) -> Any:
    """A network of its model zoo, narrower."""

    def build() -> nn.Module:
        import importlib

        from spikingjelly.activation_based import functional
        from spikingjelly.activation_based import neuron as neurons

        made = getattr(importlib.import_module(f"spikingjelly.activation_based.model.{module}"), name)
        net = made(spiking_neuron=getattr(neurons, kind), **options)
        net = trained(narrowed(net, factor))
        functional.set_step_mode(net, mode)
        return net

    return build


def case(
    name: str,
    build: Callable[[], nn.Module],
    shape: tuple[int, ...] = MAP,
    run: Run = whole,
    needs: tuple[str, ...] = (),
    **use: Any,
) -> Case:
    """A row; the steps of the zoo's networks are few, as they are deep."""
    reader: Callable[[], Subject] = of_torch(build, shape, run=run, **{"time_steps": 4} | use)
    return Case(name, SOURCE, reader, ("spikingjelly", *needs))


_ZOO = ("torchvision",)
CASES = [
    case("IFNode, single-step", small("IFNode"), run=each_step),
    case("IFNode, multi-step", small("IFNode", "m")),
    case("IFNode, soft reset", small("IFNode", "m", v_reset=None)),
    case("LIFNode", small("LIFNode", tau=2.0), run=each_step),
    case("LIFNode, input whole", small("LIFNode", "m", decay_input=False)),
    case("LIFNode, soft reset", small("LIFNode", v_reset=None, tau=3.0), run=each_step),
    case("LIFNode, reset to a value", small("LIFNode", "m", v_reset=-0.02)),
    case("ParametricLIFNode", small("ParametricLIFNode", "m", init_tau=1.6)),
    case("containers of torch's layers", containers),
    case("NonSpikingLIFNode at the end", read_out),
    case("QIFNode", small("QIFNode", "m")),
    case(
        "SEW-ResNet18, ADD", zoo("sew_resnet", "sew_resnet18", 16, cnf="ADD", num_classes=10), (3, 16, 16), needs=_ZOO
    ),
    case(
        "SEW-ResNet18, AND", zoo("sew_resnet", "sew_resnet18", 16, cnf="AND", num_classes=10), (3, 16, 16), needs=_ZOO
    ),
    case("Spiking ResNet18", zoo("spiking_resnet", "spiking_resnet18", 16, num_classes=10), (3, 16, 16), needs=_ZOO),
    case("Spiking VGG11, BN", zoo("spiking_vgg", "spiking_vgg11_bn", 32, num_classes=10), (3, 32, 32), needs=_ZOO),
]
