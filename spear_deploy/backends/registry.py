"""Which backends there are: ours, and those of other packages, each imported when it is asked for.

Another package offers one by an entry point of the group `spear_deploy.backends`, whose name is the
backend's and whose value is a subclass of `Backend`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points

import torch
from torch import Tensor

from spear_deploy.backends import TORCH
from spear_deploy.backends.backend import CALIBRATION_SAMPLES, Backend, Executable, Setting
from spear_deploy.backends.fixed_point.backend import ChipBackend
from spear_deploy.backends.fixed_point.chip_format import format_of
from spear_deploy.backends.fixed_point.weight_bits import WeightBits
from spear_deploy.backends.theirs import guarded
from spear_deploy.backends.torch import TorchBackend
from spear_deploy.data import EncodedSplit, telling
from spear_deploy.errors import BackendError, ProfileError
from spear_deploy.hardware import Profile
from spear_deploy.network import Model
from spear_deploy.network.device import CPU

GROUP = "spear_deploy.backends"
"""Entry-point group under which another package offers backends."""

OWN = {
    TORCH: "spear_deploy.backends.torch:TorchBackend",
    "chip": "spear_deploy.backends.fixed_point.backend:ChipBackend",
    "lava": "spear_deploy.backends.lava.backend:LavaBackend",
    "lava-fixed": "spear_deploy.backends.lava.backend:LavaFixedBackend",
}
"""Ours, as entry points say it: by name, module and class."""

SPELLINGS: Mapping[str, str] = {"loihi": "chip"}
"""Other names under which a backend may be asked for."""


def available() -> dict[str, EntryPoint]:
    """All backends by name, ours first; none of them is imported."""
    ours = {name: EntryPoint(name, value, GROUP) for name, value in OWN.items()}
    return ours | {entry.name: entry for entry in entry_points(group=GROUP) if entry.name not in ours}


def known_name(name: str) -> str:
    """The name of a backend, however it is spelt.

    Raises:
        BackendError: no installed package offers it.

    """
    name = SPELLINGS.get(name, name)
    if name not in OWN and name not in (known := available()):
        raise BackendError(f"no backend called {name!r}; known: {', '.join(known)}")
    return name


def backend_class(name: str) -> type[Backend]:
    """The class of a backend.

    Raises:
        BackendError: no installed package offers it, or what it offers cannot be imported or is none.

    """
    name = known_name(name)
    entry = EntryPoint(name, OWN[name], GROUP) if name in OWN else available()[name]
    offered = f"backend {name!r} of {entry.dist.name}" if entry.dist is not None else f"backend {name!r}"
    try:
        found = entry.load()
    except Exception as error:  # whatever another package raises while it is imported
        raise BackendError(f"{offered} cannot be imported ({type(error).__name__}: {error})") from error
    if not (isinstance(found, type) and issubclass(found, Backend)):
        raise BackendError(f"{offered}: {entry.value} is no subclass of spear_deploy.backends.backend.Backend")
    return found if name in OWN else guarded(found, name, offered)


def classes(tell: Callable[[str], None]) -> dict[str, type[Backend]]:
    """The classes of all backends by name; `tell` hears of each that cannot be used, and the others go on."""
    found: dict[str, type[Backend]] = {}
    for name in available():
        try:
            found[name] = backend_class(name)
        except BackendError as error:
            tell(str(error))
    return found


def prepared(model: Model, backends: Iterable[Backend]) -> dict[str, Executable]:
    """A model, ready in each of several backends, by name; what one runs of another is made once.

    Raises:
        BackendError: an arithmetic cannot hold the model.

    """
    given = list(backends)
    ready: dict[str, Executable] = {}
    for backend in sorted(given, key=lambda each: each.reference is not None):  # references first
        reference = None if backend.reference is None else ready.get(backend.reference)
        ready[backend.name] = backend.prepare(model, reference=reference)
    return {backend.name: ready[backend.name] for backend in given}


def arithmetic_of(
    profile: Profile,
    train: EncodedSplit,
    weight_bits: WeightBits | None = None,
    *,
    host_first: bool = False,
    file_format: str | None = None,
) -> Backend:
    """The arithmetic of a chip: its integers where they are known, else torch in float32; see `Setting`.

    Raises:
        ProfileError: integers for a file format, of a chip whose arithmetic is not known.

    """
    chip = format_of(profile)
    if chip is None and file_format is not None:
        raise ProfileError(
            f"{profile.name}: the profile names no arithmetic (neurons.arithmetic), so there are no integers for"
            f" {file_format}"
        )
    if chip is None:
        return TorchBackend(torch.float32)
    return ChipBackend.of(
        Setting(profile, calibration_inputs(train), weight_bits or WeightBits(), host_first, file_format)
    )


def calibration_inputs(train: EncodedSplit) -> Tensor:
    """The inputs `[T, N, *input_shape]` that scales of integers are chosen on: the same, whatever they run on."""
    return telling(train, CALIBRATION_SAMPLES).on(CPU).as_stored()
