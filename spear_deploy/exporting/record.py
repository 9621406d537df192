"""`export.json`: what was written, from what, and whether it was proven equal."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from spear_deploy.errors import ExportError
from spear_deploy.exporting.judged import JudgedIntegers
from spear_deploy.network.agreement import Agreement
from spear_deploy.system.outside.plain import read_json
from spear_deploy.system.outside.refusal import RefusedError

RECORD = "export.json"

MOST_TOLD = 3
"""Lines about other readers that the terminal shows: there may be one for each layer."""


class LayerRecord(BaseModel):
    """One neuron layer: spikes that are expected, outputs that differ, ties."""

    model_config = ConfigDict(extra="forbid")

    spikes: int
    differ: int
    ties: int


class Verification(BaseModel):
    """The comparison of a file with its model.

    Attributes:
        done: whether the file was run.
        why_not: why it was not.
        equal: whether every output is at its place, but for ties.
        fault: where not.
        arithmetic: of both runs: float64, float32 or the integers of a chip.
        reference: what the file was compared with.
        model_spikes: of the network itself on the same inputs, where the file was compared with another.
        inputs: what they ran on.
        after_ties: samples that a tie changed, and that are compared no further.

    """

    model_config = ConfigDict(extra="forbid")

    done: bool
    why_not: str | None = None
    equal: bool | None = None
    fault: str | None = None
    arithmetic: str | None = None
    reference: str | None = None
    inputs: str | None = None
    samples: int | None = None
    time_steps: int | None = None
    spikes: int | None = None
    model_spikes: int | None = None
    ties: int | None = None
    after_ties: int | None = None
    layers: dict[str, LayerRecord] | None = None


class IntegersRecord(BaseModel):
    """The chip's integers that a file holds.

    Attributes:
        target: the chip.
        arithmetic: its own, with the bits of the weights.
        calibration: the samples that the scales were chosen on.
        scales: k of each layer, as report.json has it.
        sha256: over all integers.
        cut: what the chip's spikes do not carry of the inputs of test, in words; empty where that is little.

    """

    model_config = ConfigDict(extra="forbid")

    target: str
    arithmetic: str
    calibration: str
    scales: dict[str, float]
    sha256: str
    cut: tuple[str, ...] = ()


class DataRecord(BaseModel):
    """The data that belong to a network.

    Attributes:
        name: what they are called.
        sha256: of samples and labels.
        place: where they lay, counted from the folder of the record.

    """

    model_config = ConfigDict(extra="forbid")

    name: str
    sha256: str
    place: str | None = None


class ExportEntry(BaseModel):
    """One format.

    Attributes:
        format: name of the exporter.
        files: SHA-256 of each file, by name.
        source: the model that it was made of, and its SHA-256.
        data: those of the network; None where nobody named any, and in a run folder, whose report has them.
        integers: those that the files hold; None for files in floating point.
        options: what its exporter was set to.
        refused: why the format cannot say the network; then there are no files.
        notes: what the exporter adds.

    """

    model_config = ConfigDict(extra="forbid")

    format: str
    files: dict[str, str] = {}
    source: dict[str, str]
    data: DataRecord | None = None
    integers: IntegersRecord | None = None
    options: dict[str, bool | int | float | str] = {}
    refused: tuple[str, ...] = ()
    verification: Verification
    notes: dict[str, Any] = {}

    @property
    def proof(self) -> str:
        """How the files were proven, in words."""
        found = self.verification
        if not found.done:
            return f"NOT VERIFIED: {found.why_not}"
        if not found.spikes:
            return "NOTHING SPIKED on the samples, so nothing is proven: give data that make the network spike"
        ties = f", {found.ties} ties in {found.after_ties} samples" if found.ties else ""
        whom = found.reference if self.integers is None else f"these integers of {self.integers.target}"
        changed = "" if found.model_spikes is None else f" where the network itself has {found.model_spikes:,}"
        spikes = f"{found.spikes:,} spikes{changed}{ties}"
        return f"equal to {whom} in {len(found.layers or {})} layers, {spikes} ({found.arithmetic})"

    def lines(self, folder: Path) -> list[str]:
        """Why the format was refused, or what was written into a folder and how it was proven, and `other_readers`."""
        lines = [f"{self.format}: refused: {reason}" for reason in self.refused]
        if self.files:
            files = ", ".join(str(folder / file) for file in self.files)
            lines.append(f"{self.format}: written to {files}: {self.proof}")
        return lines + self.other_readers

    @property
    def other_readers(self) -> list[str]:
        """What somebody who runs the files elsewhere has to know, as far as it is told."""
        told = self.notes.get("other_readers", [])
        lines = [f"{self.format}: other readers: {line}" for line in told[:MOST_TOLD]]
        if len(told) > MOST_TOLD:
            lines.append(f"{self.format}: other readers: {len(told) - MOST_TOLD} more such lines are in {RECORD}")
        return lines


class Record(BaseModel):
    """All exports of a folder."""

    model_config = ConfigDict(extra="forbid")

    spear_deploy: str
    exports: list[ExportEntry]


def recorded(integers: JudgedIntegers) -> IntegersRecord:
    """The record of a chip's integers."""
    return IntegersRecord(
        target=integers.target,
        arithmetic=integers.arithmetic,
        calibration=integers.calibration,
        scales={layer.name: layer.scale for layer in integers.quantized.layers},
        sha256=integers.sha256,
        cut=integers.cut,
    )


def verified(
    agreed: Agreement, arithmetic: str, reference: str, inputs: str, time_steps: int, model_spikes: int | None
) -> Verification:
    """The record of a comparison with `reference` on `inputs`."""
    return Verification(
        done=True,
        equal=agreed.equal,
        fault=agreed.fault or None,
        arithmetic=arithmetic,
        reference=reference,
        inputs=inputs,
        samples=agreed.samples,
        time_steps=time_steps,
        spikes=agreed.spikes,
        model_spikes=model_spikes,
        ties=agreed.ties,
        after_ties=agreed.after_ties,
        layers={
            name: LayerRecord(spikes=layer.spikes[0], differ=layer.differing, ties=layer.ties)
            for name, layer in agreed.layers.items()
        },
    )


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_record(folder: Path) -> Record | None:
    """The record in a folder, None where there is none.

    Raises:
        ExportError: it is damaged.

    """
    path = folder / RECORD
    if not path.is_file():
        return None
    try:
        return Record.model_validate(read_json(path))
    except (ValidationError, RefusedError):
        raise ExportError(f"{path}: not a record of exports, or damaged; choose another folder (`folder`)") from None


def merged(old: Record | None, new: Iterable[ExportEntry], version: str) -> Record:
    """The new entries, and those of the old record that none of them replaces."""
    entries = list(new)
    replaced = {file for entry in entries for file in entry.files}
    again = {entry.format for entry in entries if entry.refused}
    kept = [
        entry
        for entry in (old.exports if old else [])
        if not replaced & set(entry.files) and not (entry.refused and entry.format in again)
    ]
    return Record(spear_deploy=version, exports=[*kept, *entries])
