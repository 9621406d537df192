"""A network of somebody's framework, the model that is made of it, and what the framework itself does."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import snntorch
import torch
from snntorch import utils
from torch import Tensor, nn

from spear_deploy.network import Model, check_convertible, from_snntorch

Shape = tuple[int, ...]
SAMPLES = 6
MOST_HALVINGS = 8
"""How often the threshold of a layer that stays silent is halved: small random networks say nothing else."""

MEMBRANE = " membrane"
"""What is added to the path of a neuron for its membrane."""

Run = Callable[[nn.Module, Tensor], Any]
"""A network on a sequence `[T, B, *shape]`, as its framework runs it."""


@dataclass(frozen=True)
class Subject:
    """A model, and what its source does.

    Attributes:
        model: the model.
        inputs: samples `[T, B, *input_shape]`, float64.
        expected: by neuron layer of the model, what the source's own layer gave, `[T, B, *shape]`.
        exact: whether every spike has to be at its place; else the source computes in float32, and is compared so.

    """

    model: Model
    inputs: Tensor
    expected: Mapping[str, Tensor]
    exact: bool = True


@dataclass(frozen=True)
class Case:
    """A row of the table.

    Attributes:
        name: of the network.
        source: the framework that it is written in, and that judges it.
        read: makes the network, runs it there and converts it.
        needs: packages without which it is left out.

    """

    name: str
    source: str
    read: Callable[[], Subject]
    needs: tuple[str, ...] = field(default=())

    @property
    def missing(self) -> str:
        """The first package that is not installed."""
        return next((name for name in self.needs if find_spec(name) is None), "")


def each_step(net: nn.Module, x: Tensor) -> Any:
    """One call a step, states inside."""
    return [net(step) for step in x]


def whole(net: nn.Module, x: Tensor) -> Any:
    """One call on the sequence, time first."""
    return net(x)


def batch_first(net: nn.Module, x: Tensor) -> Any:
    """One call on the sequence, batch first."""
    return net(x.transpose(0, 1))


def image(net: nn.Module, x: Tensor) -> Any:
    """One call on an image, which the network shows itself."""
    return net(x[0])


def carried(net: nn.Module, x: Tensor) -> Any:
    """One call a step, which takes the states and gives them back."""
    states: tuple[Any, ...] = ()
    for step in x:
        _, *states = net(step, *states)  # type: ignore[assignment]
    return states


def inputs_for(encoding: str, shape: Shape, time_steps: int) -> Tensor:
    """Samples that suit an encoding, `[T, SAMPLES, *shape]` in float64, always the same."""
    generator = torch.Generator().manual_seed(7)
    if encoding == "direct":
        x = 2 * torch.rand((SAMPLES, *shape), generator=generator)
        return x.double().expand(time_steps, *x.shape)
    x = torch.rand((time_steps, SAMPLES, *shape), generator=generator)
    if encoding == "sequence":
        return 2 * x.double()
    if encoding == "counts":
        return (4 * x * (x > 0.6)).floor().double()
    return (x < 0.3).double()


def of_torch(
    build: Callable[[], nn.Module],
    shape: Shape,
    *,
    run: Run = each_step,
    time_steps: int = 6,
    encoding: str = "direct",
    **use: Any,
) -> Callable[[], Subject]:
    """A case's reader for a module of snnTorch or SpikingJelly, run in double precision, one thread of its own."""

    def read() -> Subject:
        torch.manual_seed(3)
        net = build()
        net(torch.zeros(1, *shape)) if _is_lazy(net) else None
        net = net.double().eval()
        x = inputs_for(encoding, shape, time_steps)
        options = {"input_shape": shape, "time_steps": time_steps, "encoding": encoding, **use}
        check_convertible(net, **options)  # what is refused is refused as a user meets it, before anything runs
        enliven(net, x, run)
        model = from_snntorch(net, **options)
        return Subject(model, x, by_layer(model, recorded(net, x, run)))

    return read


def drawn(layers: Iterable[Any]) -> None:
    """Draw the weights of layers that were made earlier, with the seed of the case."""
    for layer in layers:
        if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d | nn.ConvTranspose1d | nn.ConvTranspose2d):
            layer.reset_parameters()


def enliven(net: nn.Module, x: Tensor, run: Run) -> None:
    """Halve the thresholds of layers that give no spike, from the input on."""
    for _ in range(MOST_HALVINGS * 20):
        found = recorded(net, x, run)
        silent = next((path for path in found if _has_threshold(net, path) and not found[path].any()), None)
        if silent is None:
            return
        neuron: Any = net.get_submodule(silent)
        if isinstance(neuron, snntorch.SpikingNeuron):
            neuron.threshold.data /= 2
        else:
            neuron.v_threshold /= 2


def recorded(net: nn.Module, x: Tensor, run: Run) -> dict[str, Tensor]:
    """What every module gave while the network ran, by path, in the order in which they were first called."""
    reset(net)
    net = copy.deepcopy(net)
    given: dict[str, list[Tensor]] = defaultdict(list)
    for path, module in net.named_modules():
        if isinstance(module, snntorch.SpikingNeuron):
            module.spike_grad = lambda v: (v > 0).to(v.dtype)  # snnTorch's own give float32 in any case
        module.register_forward_hook(lambda _, __, out, path=path: _note(given, path, out))
    reset(net)
    with torch.no_grad():
        run(net, x)
    return {
        path: calls[0] if len(calls) == 1 else torch.stack(calls)
        for path, calls in given.items()
        if path and all(call.shape == calls[0].shape for call in calls)
    }


def reset(net: nn.Module) -> None:
    """Forget all states, as users do between samples."""
    utils.reset(net)
    for module in net.modules():
        if type(module).__module__.startswith("spikingjelly") and hasattr(module, "reset"):
            module.reset()
        if isinstance(module, snntorch.SpikingNeuron):
            for held in (vars(module), module._buffers):  # states, and what Lapicque makes of a learned beta
                held |= {name: value.detach() for name, value in held.items() if isinstance(value, Tensor)}


def by_layer(model: Model, found: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What the source gave by neuron layers of the model, whose names follow from its paths."""
    given = {path.replace(".", "_"): values for path, values in found.items()}
    matched = {}
    channels: dict[str, int] = defaultdict(int)
    for layer in sorted(model.network.layers):
        stem = layer.removesuffix("_threshold").removesuffix("_out")
        path = stem if stem in given else stem.rpartition("_")[0]
        place = 0 if stem in given else _place_of(stem)
        path += MEMBRANE if layer in model.network.membranes and path + MEMBRANE in given else ""
        shape = (model.time_steps, SAMPLES, *model.network.shapes[layer])
        if path not in given:
            continue
        places = len(given[path]) // model.time_steps
        values = given[path][place::places] if places > 1 else given[path]
        if values.dim() == len(shape) and values.shape[2] > shape[2]:  # one module, a layer for each of its branches
            channels[path] += shape[2]
            values = values[:, :, channels[path] - shape[2] : channels[path]]
        if values.numel() == int(torch.Size(shape).numel()):
            matched[layer] = values.reshape(shape)
    return matched


def _place_of(layer: str) -> int:
    """Which call of a step a layer stands for, of a module that stands in several places."""
    number = layer.rpartition("_")[2]
    return int(number) - 1 if number.isdecimal() else 0


def _note(given: dict[str, list[Tensor]], path: str, out: Any) -> None:
    """Keep what a module gave: spikes and, of neurons that give their states too, the membrane."""
    if isinstance(out, tuple):
        if isinstance(out[-1], Tensor):
            given[path + MEMBRANE].append(out[-1].detach().clone())
        out = out[0]
    if isinstance(out, list):  # SpikingJelly's membranes, one a step
        out = torch.stack(out)
    if isinstance(out, Tensor):
        given[path].append(out.detach().clone())


def _has_threshold(net: nn.Module, path: str) -> bool:
    if path.endswith(MEMBRANE):
        return False
    module: Any = net.get_submodule(path)
    return isinstance(module, snntorch.SpikingNeuron) or hasattr(module, "v_threshold")


def _is_lazy(net: nn.Module) -> bool:
    return any(isinstance(parameter, nn.UninitializedParameter) for parameter in net.parameters())
