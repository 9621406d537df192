"""What an exporter is: a format that can say a network, and that can be run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from spear_deploy.errors import ExportError, SpearDeployError, fault_of
from spear_deploy.network import Model, Simulation, Trace

Outputs = Mapping[str, Tensor]
"""By neuron layer: spikes, or the membrane of a layer without threshold, `[T, B, *shape]`."""

ARITHMETICS = ("float64", "float32", "integers")
"""What a file may be run in."""


class Exporter(ABC):
    """Writes a model in one format, and runs what the file holds.

    A subclass is an entry point of the group `spear_deploy.exporters`; `assert_faithful` tests it.

    Attributes:
        name: what users call it.
        suffix: of the file, which is named after the model. A format of several files writes
            the others beside it, under names that begin with the same stem.
        family: formats with the same family are written together by its name.
        says: one line for the list of formats.
        arithmetic: in which `run` computes: float64, float32, or integers (a chip's fixed point).
        fixed: whether the file holds a chip's integers. Such an exporter takes the keyword
            `integers` (`JudgedIntegers`), writes those and no others, and refuses without.
        reference: what a file is compared with, in words; another than the network where `held` gives another.
        tool: the program beside this package that runs the file, such as Lava; empty for none.
        options: what the user may set, each a keyword of `__init__` that has a default, with a line that
            says what it does. The command line has a flag for each, of the default's type.

    What its `__init__` takes by keyword are its options; `registry.exporter` hands it those that it
    names out of all that are known: `integers`, `no_integers` (why there are none), `samples` (inputs that a
    file may hold as examples), `profile`, `python`, and what the user set.

    """

    name: ClassVar[str]
    suffix: ClassVar[str]
    family: ClassVar[str] = ""
    says: ClassVar[str] = ""
    arithmetic: str = "float64"
    fixed: bool = False
    reference: str = "the network"
    tool: ClassVar[str] = ""
    options: ClassVar[Mapping[str, str]] = {}

    def refuses(self, model: Model) -> tuple[str, ...]:
        """Why the format cannot say this network, a line for each reason; empty if it can."""
        return ()

    @abstractmethod
    def write(self, model: Model, path: Path) -> None:
        """Write the model to a file that does not exist yet."""

    @abstractmethod
    def run(self, path: Path, inputs: Tensor) -> Outputs:
        """What the network in the file does with inputs `[T, B, *input_shape]`.

        Raises:
            ExportError: the file is damaged or cannot be run.
            NotRunnableError: what runs this format is not installed here.

        """

    def held(self, model: Model) -> Model:
        """The network that a file holds: the model, unless the format changes its weights."""
        return model

    def expected(self, model: Model, inputs: Tensor) -> Outputs:
        """What it must do: the simulation of what it holds, in this exporter's arithmetic."""
        return simulate(self.held(model), inputs, torch.float32 if self.arithmetic == "float32" else torch.float64)

    def notices(self, model: Model) -> tuple[str, ...]:
        """What somebody who runs the file elsewhere has to know, a line each; told, and recorded as `other_readers`."""
        return ()

    def notes(self, model: Model, inputs: Tensor) -> dict[str, object]:
        """What else the record of the export should hold, as plain values."""
        return {}


@contextmanager
def told_by_name(exporter: Exporter) -> Iterator[None]:
    """Tell what the code of an exporter of another package raises under its name; ours shows its own faults.

    Raises:
        ExportError: it raised anything but what spear-deploy reports.

    """
    try:
        yield
    except SpearDeployError:
        raise
    except (Exception, SystemExit) as error:
        if type(exporter).__module__.partition(".")[0] == __name__.partition(".")[0]:
            raise
        raise ExportError(f"{exporter.name}: its exporter failed ({fault_of(error)})") from error


def simulate(model: Model, inputs: Tensor, dtype: torch.dtype) -> dict[str, Tensor]:
    """The outputs of all neuron layers of a model in torch."""
    with torch.no_grad():
        trace: Trace = Simulation(model.graph, dtype)(inputs.to(dtype))
    return trace.outputs
