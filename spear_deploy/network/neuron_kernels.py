"""Which compiled loop runs all steps of a layer of neurons, if any does."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

from torch import Tensor

from spear_deploy.network.compilers import where_installed

if TYPE_CHECKING:
    from spear_deploy.network.neuron_layer import NeuronLayer

MODULES = {"cpu": "neuron_kernels_cpu", "cuda": "neuron_kernels_gpu"}
"""By the type of device. Each needs a compiler: Numba, and on a GPU Triton, which torch's builds for CUDA bring."""


def kernels_for(layer: NeuronLayer, values: Tensor) -> ModuleType | None:
    """The module that runs a layer on values `[T, B, *shape]` and back, to the last bit as torch does; or None."""
    device = values.device.type
    if device not in MODULES:
        return None
    found = where_installed(f"spear_deploy.network.{MODULES[device]}")
    return found if found is not None and found.knows(layer, values) else None
