"""Torch's optimisers, without its compiler."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch.optim import SGD, Adam, Optimizer


def without_compiler(kind: type[Optimizer]) -> Callable[..., Optimizer]:
    """An optimiser whose steps and states are torch's own, to the last bit, and whose methods import no compiler.

    Torch wraps the methods below, so that nobody compiles them, and imports its compiler to do so when the first is
    called: a second and 70 MiB in every process that trains. `step` would run without gradients by its wrapper.
    """
    methods: dict[str, Any] = {name: inspect.unwrap(getattr(kind, name)) for name in _WRAPPED}
    methods["step"] = torch.no_grad()(inspect.unwrap(kind.step))
    return type(kind.__name__, (kind,), methods)


_WRAPPED = ("add_param_group", "load_state_dict", "state_dict", "zero_grad")

OPTIMISERS: dict[str, Callable[..., Optimizer]] = {
    "adam": without_compiler(Adam),
    "sgd": partial(without_compiler(SGD), momentum=0.9),
}
"""By the names that recipes have."""
