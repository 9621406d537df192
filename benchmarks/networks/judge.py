"""What becomes of one network, column by column: a figure where it is equal, a reason where it is refused."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.networks.case import Case, Subject
from benchmarks.networks.counting import synops_by_walking
from spear_deploy.backends.fixed_point import LOIHI2, LoihiExecution, quantize
from spear_deploy.backends.fixed_point.formats import held_by
from spear_deploy.backends.lava import run_lava, run_lava_fixed
from spear_deploy.errors import BackendError, ExportError, ModelError, SpearDeployError
from spear_deploy.exporting import JudgedIntegers, check_faithful
from spear_deploy.exporting.registry import exporter
from spear_deploy.hardware import check, load_profile
from spear_deploy.measure import measure
from spear_deploy.network import Simulation

COLUMNS = ("spikes", "SynOps", "Loihi 2", "integers", "NIR", "ONNX", "Lava", "netx")
CHIP = "loihi2"
LAVA_LIMIT_S, LAVA_SAMPLES = 240, 2


@dataclass(frozen=True)
class Cell:
    """What one column says.

    Attributes:
        text: a figure, or why it is refused.
        refused: whether the text is a reason.
        wrong: whether something differs that has to be equal.

    """

    text: str
    refused: bool = False
    wrong: bool = False


@dataclass(frozen=True)
class Row:
    """One network: its cells by column, none of a network that does not load, and why it does not."""

    case: Case
    cells: dict[str, Cell]
    refused: str = ""

    @property
    def wrong(self) -> bool:
        """Whether anything differs."""
        return any(cell.wrong for cell in self.cells.values())


def judge(case: Case, *, lava: bool = False) -> Row:
    """Read a network, and hold all that is made of it against its source."""
    try:
        subject = case.read()
    except ModelError as error:
        return Row(case, {}, str(error))
    found = simulated(subject)
    cells = {
        "spikes": _spikes(subject, found),
        "SynOps": _synops(subject, found),
        "Loihi 2": _check(subject),
        "integers": _integers(subject, lava=lava),
        "NIR": _file(subject, "nir"),
        "ONNX": _file(subject, "onnx"),
        "Lava": _lava(subject, found, lava=lava),
        "netx": _netx(subject),
    }
    return Row(case, cells)


def simulated(subject: Subject) -> dict[str, Tensor]:
    """What the model's layers give."""
    with torch.no_grad():
        return Simulation(subject.model.graph, torch.float64)(subject.inputs).outputs


def _spikes(subject: Subject, found: dict[str, Tensor]) -> Cell:
    network = subject.model.network
    if network.read_out not in subject.expected:
        return Cell(f"the source's {network.read_out} was not seen", wrong=True)
    count = 0
    for layer, expected in subject.expected.items():
        if layer in network.membranes:
            if not torch.allclose(found[layer], expected.double(), rtol=1e-6 if subject.exact else 1e-3, atol=1e-6):
                return Cell(f"{layer}: another membrane", wrong=True)
            continue
        differ = int(((found[layer] != 0) != (expected != 0)).sum())  # spikes of snnTorch may be graded
        if differ:
            return Cell(f"{layer}: {differ} of {expected.numel()} differ", wrong=True)
        count += int((expected != 0).sum())
    silent = [name for name in network.layers if name not in network.membranes and not found[name].any()]
    if silent or not count:
        return Cell(f"silent: {', '.join(silent)}", wrong=True)
    return Cell(f"{count:,}")


def _synops(subject: Subject, found: dict[str, Tensor]) -> Cell:
    model, inputs = subject.model, subject.inputs
    counted = measure(
        model, inputs, torch.zeros(inputs.shape[1]), analog_input=model.encoding.analog, dtype=torch.float64
    )
    given = {name: subject.expected.get(name, values).numpy() for name, values in found.items()}
    walked = synops_by_walking(model, inputs.numpy(), given)
    if counted.per_sample.tolist() != walked.tolist():
        return Cell(f"{counted.per_sample.sum():,.0f} counted, {walked.sum():,.0f} walked", wrong=True)
    return Cell(f"{walked.mean():,.0f}")


def _check(subject: Subject) -> Cell:
    model = subject.model
    verdict = check(model.network, load_profile(CHIP), analog_input=model.encoding.analog)
    return Cell("fits") if verdict.fits else Cell(verdict.violations[0].text, refused=True)


def _integers(subject: Subject, *, lava: bool) -> Cell:
    try:
        quantized = quantize(subject.model, LOIHI2, calibration=subject.inputs)
    except BackendError as error:
        return Cell(str(error), refused=True)
    inputs = subject.inputs[:, :LAVA_SAMPLES]
    ours = LoihiExecution(quantized).run(inputs).outputs
    spikes = sum(
        int((values != 0).sum()) for name, values in ours.items() if name not in subject.model.network.membranes
    )
    if not lava:
        return Cell("held")
    try:
        theirs = run_lava_fixed(quantized, inputs, time_limit_s=LAVA_LIMIT_S)
    except BackendError as error:
        return Cell(str(error), refused=True)
    for name, values in ours.items():
        if not np.array_equal(values.numpy(), theirs.outputs[name]):
            return Cell(f"{name}: Lava's fixed point differs", wrong=True)
    return Cell(f"{spikes:,}")


def _lava(subject: Subject, found: dict[str, Tensor], *, lava: bool) -> Cell:
    """The script that is written for Lava, and what Lava does."""
    reasons = exporter("lava").refuses(subject.model)
    if reasons:
        return Cell(reasons[0], refused=True)
    if not lava:
        return Cell("written")
    try:
        theirs = run_lava(subject.model, subject.inputs[:, :LAVA_SAMPLES], time_limit_s=LAVA_LIMIT_S)
    except BackendError as error:
        return Cell(str(error), refused=True)
    spikes = 0
    for name, values in theirs.outputs.items():
        ours = found[name][:, :LAVA_SAMPLES].numpy()
        if name in subject.model.network.membranes:
            same = np.allclose(values, ours, rtol=1e-9, atol=1e-9)
        else:
            same = np.array_equal(values, ours)
            spikes += int(ours.sum())
        if not same:
            return Cell(f"{name}: Lava differs", wrong=True)
    return Cell(f"{spikes:,}")


def _netx(subject: Subject) -> Cell:
    try:
        quantized = quantize(subject.model, held_by("netx", LOIHI2), calibration=subject.inputs)
    except BackendError as error:
        return Cell(str(error), refused=True)
    return _file(subject, "netx", integers=JudgedIntegers(quantized, CHIP, "loihi", "the samples of the table"))


def _file(subject: Subject, name: str, **options: object) -> Cell:
    """A file of a format, run on the samples."""
    made = exporter(name, options)
    reasons = made.refuses(subject.model)
    if reasons:
        return Cell(reasons[0], refused=True)
    with tempfile.TemporaryDirectory(prefix="spear-deploy-networks-") as folder:
        path = Path(folder) / f"model{made.suffix}"
        try:
            made.write(subject.model, path)
            agreed = check_faithful(made, subject.model, path, subject.inputs)
        except ExportError as error:
            return Cell(str(error), refused=True)
        except SpearDeployError as error:
            return Cell(str(error), wrong=True)
    if not agreed.equal:
        return Cell(agreed.fault, wrong=True)
    return Cell(f"{agreed.spikes:,}" + (f" ({agreed.ties} ties)" if agreed.ties else ""))
