"""A backend of another package: whatever it raises or gives back is told under its name, and ends no run of others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Self

import torch
from torch import Tensor

from spear_deploy.backends.backend import Backend, Executable, OnProgress, Setting, ToolStatus
from spear_deploy.backends.recording import Recording
from spear_deploy.errors import BackendError, fault_of
from spear_deploy.network import Model
from spear_deploy.training import Quantiser


def guarded(theirs: type[Backend], name: str, offered: str) -> type[Backend]:
    """The same backend under the name of its entry point, which fails by BackendError alone.

    Args:
        theirs: its class.
        name: what it is asked for by.
        offered: how it and its package are called in messages.

    """
    own = {"name": name, "theirs": theirs, "offered": offered, "__doc__": theirs.__doc__}
    return type(theirs.__name__, (_Theirs,), own | {key: getattr(theirs, key) for key in ("reference", "tool")})


class _Theirs(Backend):
    theirs: type[Backend]
    offered: str

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.arithmetic = str(getattr(backend, "arithmetic", "unknown"))
        self.integers = bool(backend.integers)  # type: ignore[misc]

    @classmethod
    def of(cls, setting: Setting) -> Self:
        with _told(cls.offered):
            made = cls.theirs.of(setting)
        if not isinstance(made, Backend):
            raise BackendError(f"{cls.offered}: of() gives {type(made).__name__}, no backend")
        return cls(made)

    def prepare(self, model: Model, *, reference: Executable | None = None) -> Executable:
        with _told(self.offered):
            ready = self.backend.prepare(model, reference=reference)
        if not isinstance(ready, Executable):
            raise BackendError(f"{self.offered}: prepare() gives {type(ready).__name__}, nothing to run")
        return _Theirs.Ready(ready, self.offered)

    def quantiser(self, model: Model) -> Quantiser | None:
        with _told(self.offered):
            return self.backend.quantiser(model)

    def status(self) -> ToolStatus:
        with _told(self.offered):
            return self.backend.status()

    class Ready(Executable):
        """A model that such a backend made ready."""

        def __init__(self, ready: Executable, offered: str) -> None:
            self.ready, self.offered = ready, offered
            self.integers, self.host, self.tolerance = ready.integers, ready.host, ready.tolerance

        def run(self, inputs: Tensor, *, observe: bool = False, on_progress: OnProgress | None = None) -> Recording:
            with _told(self.offered):
                found = self.ready.run(inputs, observe=observe, on_progress=on_progress)
            if not isinstance(found, Recording) or not isinstance(found.outputs, Mapping):
                given = type(getattr(found, "outputs", found)).__name__
                raise BackendError(f"{self.offered}: gives {given}, no Recording with outputs by layer")
            wrong = {name: type(sent).__name__ for name, sent in found.outputs.items() if not _is_output(sent)}
            if wrong:
                listed = ", ".join(f"{kind} of {name}" for name, kind in wrong.items())
                raise BackendError(f"{self.offered}: gives {listed}, outputs are tensors [T, B, *shape] without NaN")
            return replace(found, outputs={name: sent.detach() for name, sent in found.outputs.items()})


def _is_output(sent: object) -> bool:
    """Whether something can be held against the outputs of a layer."""
    if not isinstance(sent, Tensor) or sent.ndim < 2:
        return False
    return not (sent.is_floating_point() and bool(torch.isnan(sent).any()))


@contextmanager
def _told(offered: str) -> Iterator[None]:
    try:
        yield
    except BackendError:
        raise
    except (Exception, SystemExit) as error:  # whatever another package raises
        raise BackendError(f"{offered} failed ({fault_of(error)})") from error
