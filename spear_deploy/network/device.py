"""The devices that torch can compute on: found by name, and the arithmetic that torch is set to on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor

from spear_deploy.errors import DeviceError

CPU = torch.device("cpu")

DENORMAL = 2.0**-1060
"""Smaller than the smallest normal number of float64, 2^-1022."""

AUTOCAST = ("cpu", "cuda", "mps")
"""Kinds of devices on which torch may compute in half precision by itself."""


def known_devices() -> list[str]:
    """The devices that are there, by the names that `device_named` takes."""
    found = ["cpu"]
    if torch.cuda.is_available():
        found += ["cuda", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    if torch.backends.mps.is_available():
        found.append("mps")
    return found


def device_named(name: str) -> torch.device:
    """A device by its name: `cpu`, `cuda`, `cuda:1`, `mps`.

    Raises:
        DeviceError: there is no such device; names those that there are.

    """
    known = known_devices()
    if name not in known:
        raise DeviceError(f"no device called {name!r} here; there are: {', '.join(known)}")
    return torch.device(name)


def describe(device: torch.device) -> str:
    """A device in words, such as 'cuda:0 (NVIDIA H200)'."""
    if device.type != "cuda":
        return str(device)
    index = torch.cuda.current_device() if device.index is None else device.index
    return f"cuda:{index} ({torch.cuda.get_device_name(index)})"


def exact_products() -> Callable[[], None]:
    """Let products of float32 numbers be float32 on a GPU too, instead of TF32 with its 10 bits of mantissa.

    Returns:
        What sets them as they were.

    """
    convolutions: Any = getattr(torch.backends.cudnn, "conv", None)
    name, exact = ("fp32_precision", "ieee") if convolutions is not None else ("allow_tf32", False)  # torch < 2.9
    places = (torch.backends.cudnn if convolutions is None else convolutions, torch.backends.cuda.matmul)
    before = [getattr(place, name) for place in places]

    def undo() -> None:
        for place, value in zip(places, before, strict=True):
            setattr(place, name, value)

    for place in places:
        setattr(place, name, exact)
    return undo


@contextmanager
def flushed_denormals(*, flush: bool = True) -> Iterator[None]:
    """Within the block numbers below the smallest normal one count as 0; without `flush`, as they do anyway.

    Decaying membranes would else slow the processor down by an order of magnitude.
    """
    before = flushes_denormals()
    torch.set_flush_denormal(flush or before)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


def flushes_denormals() -> bool:
    """Whether numbers below the smallest normal one count as 0; torch itself does not tell."""
    return float(torch.tensor([DENORMAL], dtype=torch.float64) * 1.0) == 0.0


@contextmanager
def own_random_numbers() -> Iterator[None]:
    """Within the block torch draws as it would; after it, as if nothing had been drawn."""
    with torch.random.fork_rng(devices=[]):
        yield


@contextmanager
def fresh_torch() -> Iterator[None]:
    """Within the block torch computes as where nobody set anything; after it, as before.

    A caller may have gradients switched off, work in inference mode or under autocast, or have another type or
    device by default: results do not depend on it.
    """
    dtype, device = torch.get_default_dtype(), torch.empty(0).device  # torch 2.6 may not tell the latter
    with ExitStack() as undone:
        torch.set_default_dtype(torch.float32)
        undone.callback(torch.set_default_dtype, dtype)
        if device.type != "cpu":
            torch.set_default_device(CPU)
            undone.callback(torch.set_default_device, device)
        for kind in AUTOCAST:
            if torch.is_autocast_enabled(kind):
                undone.enter_context(torch.autocast(kind, enabled=False))
        undone.enter_context(torch.inference_mode(False))
        undone.enter_context(torch.enable_grad())
        yield


def in_autocast(device: torch.device) -> bool:
    """Whether torch chooses the precision of products on a device by itself now."""
    return device.type in AUTOCAST and torch.is_autocast_enabled(device.type)


def holds_float64(device: torch.device) -> bool:
    """Whether a device computes in float64 (Apple's do not)."""
    return device.type != "mps"


def where_held(values: Tensor, dtype: torch.dtype) -> Tensor:
    """Values of any type where they are, or on the CPU where their device does not hold `dtype`."""
    return values.cpu() if dtype is torch.float64 and not holds_float64(values.device) else values


def as_float64(values: Tensor) -> Tensor:
    """Values in float64, where they are if that device holds float64, else on the CPU."""
    return where_held(values, torch.float64).to(torch.float64)
