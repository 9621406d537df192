"""What a layer is called on, held against what it takes: torch's own words name no layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from spear_deploy.network.importing.ways_out import failure


class MisfitError(Exception):
    """A layer was called on what it does not take; never shown as it is."""


def fitting(name: str, module: nn.Module, run: Callable[[Tensor], Tensor], x: Any) -> Tensor:
    """What a layer gives.

    Raises:
        MisfitError: it does not take what it is given; names the layer, what it takes and what it is given.

    """
    if not isinstance(x, Tensor):
        raise MisfitError(
            f"{name} is called on a {type(x).__name__}, such as spikes and states of a neuron; give it the spikes alone"
            " (in a Sequential leave out output=True before it)"
        )
    try:
        return run(x)
    except (RuntimeError, ValueError, IndexError) as error:
        raise MisfitError(f"{name} {_taken(module, x) or failure(error)}") from None


def _taken(module: Any, x: Tensor) -> str:
    """What a layer takes and is given, where the numbers of features or channels differ."""
    if isinstance(module, nn.Linear) and x.shape[-1] != module.in_features:
        return _other("features", "in_features", module.in_features, x.shape[-1])
    convolves = isinstance(module, nn.Conv1d | nn.Conv2d | nn.ConvTranspose1d | nn.ConvTranspose2d)
    axes = module.weight.dim() if convolves else 0
    if convolves and x.dim() == axes and x.shape[1] != module.in_channels:
        return _other("channels", "in_channels", module.in_channels, x.shape[1])
    return ""


def _other(what: str, option: str, takes: int, given: int) -> str:
    return f"takes {takes} {what}, and is given {given}; make it {option}={given}, or give another input_shape"
