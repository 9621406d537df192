"""What a checkpoint does not say: a factory of the user's, a small TOML file, or what its keys imply."""

from __future__ import annotations

import importlib
import math
import sys
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

import snntorch
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from torch import Tensor, nn

from spear_deploy.errors import ModelError, quoted
from spear_deploy.network.faults import first_line
from spear_deploy.network.importing.layers import SumPool2d
from spear_deploy.system.outside.plain import read_toml
from spear_deploy.system.outside.refusal import RefusedError

State = Mapping[str, Tensor]

LARGEST_SIZE = 1 << 31
"""Of an axis, and of an input or an inference as a whole: what no chip is offered, and torch could not hold."""

_Size = Annotated[int, Field(ge=1, le=LARGEST_SIZE)]


class _Use(BaseModel):
    """How a network is used, as a description may say it."""

    model_config = ConfigDict(strict=True)

    input_shape: Annotated[list[_Size], Field(min_length=1, max_length=8)] | None = None
    time_steps: _Size | None = None
    encoding: str | None = None
    read_out: str | None = None
    objective: str = "classification"
    data: str | None = None
    dt_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None

    @model_validator(mode="after")
    def _moderate(self) -> Self:
        if math.prod(self.input_shape or ()) * (self.time_steps or 1) > LARGEST_SIZE:
            raise ValueError(f"more than {LARGEST_SIZE:,} input values an inference")
        return self


_USE = tuple(_Use.model_fields)


@dataclass(frozen=True)
class Architecture:
    """An untrained network, and what its description says on how it is used."""

    net: nn.Module
    use: dict[str, Any]
    notices: tuple[str, ...] = ()


def from_factory(reference: str) -> Architecture:
    """Call `package.module:factory`, found from the current folder as Python finds it.

    Raises:
        ModelError: it cannot be imported or called, or gives no module.

    """
    module_name, _, attribute = reference.partition(":")
    if not module_name or not attribute:
        raise ModelError(f"`arch` {reference}: needed package.module:factory or a .toml file")
    sys.path.insert(0, str(Path.cwd()))
    try:
        net = getattr(importlib.import_module(module_name), attribute)()
    except Exception as error:  # the user's own code may raise anything
        raise ModelError(f"`arch` {reference}: {first_line(error)}") from None
    finally:
        sys.path.remove(str(Path.cwd()))
    if not isinstance(net, nn.Module):
        raise ModelError(f"`arch` {reference}: needed a torch module, it gave {type(net).__name__}")
    return Architecture(net, {})


def from_toml(path: Path, state: State) -> Architecture:
    """Read a TOML description; sizes and neuron constants come from the checkpoint.

        time_steps = 10
        input_shape = [1, 28, 28]

        [[layer]]
        name = "conv1"      # its prefix in the checkpoint; not needed without weights
        kind = "Conv2d"     # then the options of the torch layer or snnTorch neuron
        stride = 2

    Raises:
        ModelError: names the layer and what is missing or unknown.

    """
    try:
        content = read_toml(path)
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})") from None
    except RefusedError as error:
        raise ModelError(f"{path}: not a TOML file ({error})") from None
    unknown = set(content) - {*_USE, "layer"}
    if unknown:
        raise ModelError(f"{path}: unknown {', '.join(sorted(unknown))}; known: {', '.join(_USE)}, layer")
    try:
        _Use.model_validate({key: content[key] for key in _USE if key in content})
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(map(str, fault["loc"])) or "input_shape x time_steps"
        raise ModelError(f"{path}: {where}: {fault['msg']}") from None
    layers = content.get("layer", [])
    if not isinstance(layers, list) or not layers:
        raise ModelError(f"{path}: it describes no layers; write a [[layer]] table for each, in order")
    modules: OrderedDict[str, nn.Module] = OrderedDict()
    for index, layer in enumerate(layers):
        options = dict(layer)
        kind, name = options.pop("kind", None), str(options.pop("name", index))
        try:
            modules[name.replace(".", "_")] = _named(name, kind, _part(state, name), options)
        except ModelError as error:
            raise ModelError(f"{path}: {error}") from None
    return Architecture(nn.Sequential(modules), {key: content[key] for key in _USE if key in content})


def inferred(state: State) -> Architecture:
    """The network that the keys of a checkpoint imply: a chain of Linear layers, each with a neuron.

    Raises:
        ModelError: anything else, whose strides, pools or connections no key tells.

    """
    names = list(dict.fromkeys((key.rpartition(".")[0] or key).removesuffix(".recurrent") for key in state))
    linear = [name for name in names if f"{name}.weight" in state]
    neurons = [name for name in names if f"{name}.threshold" in state]
    wide = [name for name in linear if state[f"{name}.weight"].dim() != 2]
    if wide:
        raise ModelError(
            f"{wide[0]}: its weight has {state[f'{wide[0]}.weight'].dim()} axes; stride, padding and pools of a"
            " convolutional network are not in its checkpoint: give `arch`"
        )
    left = [name for name in names if name not in (*linear, *neurons)]
    if left or len(linear) != len(neurons) or not linear:
        others = f", and {', '.join(left[:3])}{', ...' * (len(left) > 3)}" if left else ""
        found = f"{len(linear)} weights, {len(neurons)} neurons{others}"
        raise ModelError(f"only a chain of Linear layers, each with a neuron, is inferred; found {found}: give `arch`")
    modules: OrderedDict[str, nn.Module] = OrderedDict()
    size = None
    for layer, neuron in zip(linear, neurons, strict=True):
        outputs, inputs = state[f"{layer}.weight"].shape
        if size is not None and inputs != size:
            raise ModelError(f"{layer}: takes {inputs} inputs, the layer before it gives {size}: give `arch`")
        size = outputs
        modules[layer.replace(".", "_")] = _named(layer, "Linear", _part(state, layer), {})
        part = _part(state, neuron)
        modules[neuron.replace(".", "_")] = _named(neuron, _neuron_kind(part), part, {})
    order = ", ".join(name for pair in zip(linear, neurons, strict=True) for name in pair)
    width = state[f"{linear[0]}.weight"].shape[1]
    return Architecture(
        nn.Sequential(modules),
        {"input_shape": (int(width),)},
        (
            f"the checkpoint does not say how its layers follow: {order} is assumed",
            "the checkpoint does not hold reset_delay: True, snnTorch's default, is assumed",
        ),
    )


def _part(state: State, name: str) -> dict[str, Tensor]:
    prefix = f"{name}."
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}


def _neuron_kind(part: State) -> str:
    if "R" in part and "C" in part:
        return "Lapicque"
    recurrent = any(key.startswith("recurrent.") or key == "V" for key in part)
    return ("R" if recurrent else "") + ("Synaptic" if "alpha" in part else "Leaky")


def _named(name: str, kind: Any, part: State, options: dict[str, Any]) -> nn.Module:
    """A layer; what is wrong with it is told with its name."""
    try:
        return _build(kind, part, options)
    except ModelError as error:
        raise ModelError(f"layer {quoted(name)}: {error}") from None
    except Exception as error:  # torch and snnTorch check their options in their own ways
        raise ModelError(f"layer {quoted(name)} ({kind}): {first_line(error)}") from None


def _build(kind: Any, part: State, options: dict[str, Any]) -> nn.Module:
    """A layer with the sizes of its part of the checkpoint, and that part loaded."""
    if kind in _NEURONS:
        return _neuron(kind, part, options)
    if kind in _PLAIN:
        return _PLAIN[kind](**options)
    if kind not in _SIZED:
        known = ", ".join(sorted((*_NEURONS, *_PLAIN, *_SIZED)))
        raise ModelError(f"kind {quoted(kind)} is not known; known: {known}")
    if "weight" not in part and "running_mean" not in part:
        raise ModelError("the checkpoint holds no weight of that name")
    module = _SIZED[kind](part, options)
    _fill(module.double(), part)
    return module


def _fill(module: nn.Module, part: State) -> None:
    try:
        module.load_state_dict(part)
    except RuntimeError as error:  # its first line says no more than that there is one
        raise ModelError(f"the checkpoint does not fit ({str(error).splitlines()[-1].strip()[:200]})") from None


def _linear(part: State, options: dict[str, Any]) -> nn.Module:
    outputs, inputs = part["weight"].shape
    return nn.Linear(inputs, outputs, bias="bias" in part, **options)


def _convolution(kind: type[nn.Conv1d | nn.Conv2d]) -> Callable[[State, dict[str, Any]], nn.Module]:
    def build(part: State, options: dict[str, Any]) -> nn.Module:
        outputs, inputs, *kernel = part["weight"].shape
        channels = inputs * int(options.get("groups", 1))
        given = {key: tuple(value) if isinstance(value, list) else value for key, value in options.items()}
        return kind(channels, outputs, tuple(kernel), bias="bias" in part, **given)  # type: ignore[arg-type]

    return build


def _norm(kind: type[nn.Module]) -> Callable[[State, dict[str, Any]], nn.Module]:
    def build(part: State, options: dict[str, Any]) -> nn.Module:
        return kind(len(part["running_mean"]), affine="weight" in part, **options)

    return build


def _neuron(kind: str, part: State, options: dict[str, Any]) -> nn.Module:
    given: dict[str, Any] = {}
    for key in ("beta", "alpha", "threshold", "R", "C", "time_step"):
        if key in part:
            given[key] = part[key]
    if kind == "Lapicque" and {"R", "C"} <= set(given):
        given.pop("beta", None)  # snnTorch derives it; R and C are what its equation uses
    if "reset_mechanism_val" in part:
        number = int(part["reset_mechanism_val"])
        if number not in _RESETS:
            raise ModelError(f"reset_mechanism_val must be one of {', '.join(map(str, _RESETS))}, found {number}")
        given["reset_mechanism"] = _RESETS[number]
    if kind.startswith("R"):
        weight = part.get("recurrent.weight")
        one_to_one = part.get("recurrent.V", part.get("V"))
        if weight is not None and weight.dim() == 2:
            given["linear_features"] = len(weight)
        elif weight is not None:
            given |= {"conv2d_channels": len(weight), "kernel_size": tuple(weight.shape[2:])}
        elif one_to_one is not None:
            given |= {"all_to_all": False, "V": one_to_one}
    module: nn.Module = _NEURONS[kind](init_hidden=True, **(given | options))
    module = module.double()
    if "graded_spikes_factor" in part:
        module.graded_spikes_factor = torch.as_tensor(part["graded_spikes_factor"])
    if "recurrent.weight" in part and isinstance(module.recurrent, nn.Module):
        held = {key: part[f"recurrent.{key}"] for key in ("weight", "bias") if f"recurrent.{key}" in part}
        if "bias" not in held:
            module.recurrent.register_parameter("bias", None)
        _fill(module.recurrent, held)
    return module


_RESETS = {number: name for name, number in snntorch.SpikingNeuron.reset_dict.items()}

_NEURONS: dict[str, Callable[..., nn.Module]] = {
    kind.__name__: kind
    for kind in (snntorch.Leaky, snntorch.Lapicque, snntorch.Synaptic, snntorch.RLeaky, snntorch.RSynaptic)
}

_PLAIN: dict[str, Callable[..., nn.Module]] = {
    kind.__name__: kind
    for kind in (
        *(nn.AvgPool1d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.MaxPool1d, nn.MaxPool2d, SumPool2d),
        *(nn.Flatten, nn.Dropout, nn.Identity),
    )
}

_SIZED: dict[str, Callable[[State, dict[str, Any]], nn.Module]] = {
    "Linear": _linear,
    "Conv1d": _convolution(nn.Conv1d),
    "Conv2d": _convolution(nn.Conv2d),
    "BatchNorm1d": _norm(nn.BatchNorm1d),
    "BatchNorm2d": _norm(nn.BatchNorm2d),
}
