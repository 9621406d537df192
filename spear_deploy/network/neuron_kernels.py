"""Which compiled loop runs all steps of a layer of neurons, if any does."""

from __future__ import annotations

import importlib
from functools import cache
from typing import TYPE_CHECKING, Any

from torch import Tensor

from spear_deploy.system.lazy import is_ours

if TYPE_CHECKING:
    from spear_deploy.network.neuron_layer import NeuronLayer

MODULES = {"cpu": "neuron_kernels_cpu", "cuda": "neuron_kernels_gpu"}
"""By the type of device. Each needs a compiler: Numba, and on a GPU Triton, which torch's builds for CUDA bring."""


def kernels_for(layer: NeuronLayer, values: Tensor) -> Any:
    """The module that runs a layer on values `[T, B, *shape]` and back, to the last bit as torch does; or None."""
    found = _kernels_of(values.device.type)
    return found if found is not None and found.knows(layer, values) else None


@cache
def _kernels_of(device: str) -> Any:
    """None where no module is written for a device, or its compiler is not installed."""
    if device not in MODULES:
        return None
    try:
        return importlib.import_module(f"spear_deploy.network.{MODULES[device]}")
    except ImportError as error:
        if is_ours(error):
            raise
        return None
