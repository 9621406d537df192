"""Writes a model in several formats: all that was asked for, proven, or nothing."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from spear_deploy import __version__
from spear_deploy.errors import ExportError, NotRunnableError, OutputError
from spear_deploy.exporting.exporter import Exporter, simulate, told_by_name
from spear_deploy.exporting.faithfulness import check_faithful
from spear_deploy.exporting.judged import JudgedIntegers
from spear_deploy.exporting.record import (
    RECORD,
    DataRecord,
    ExportEntry,
    Verification,
    merged,
    read_record,
    recorded,
    sha256,
    verified,
)
from spear_deploy.network import Model
from spear_deploy.system.files import note_written
from spear_deploy.system.locks import locked


@dataclass(frozen=True)
class Export:
    """What is to be written.

    Attributes:
        model: the network.
        source: the file that it came from.
        stem: how the files are called, before the exporters' suffixes.
        inputs: samples to prove it on `[T, B, *input_shape]`; None to write without proof.
        inputs_name: what they are.
        why_not: why it is not proven.
        integers: the chip's, that its files in fixed point hold.
        subject: what the network is, in words, where it is not as its file has it.
        data: of the network, which its files are read with.

    """

    model: Model
    source: Path
    stem: str
    inputs: Tensor | None
    inputs_name: str
    why_not: str = "not wanted"
    integers: JudgedIntegers | None = None
    subject: str = Exporter.reference
    data: DataRecord | None = None

    def reference(self, exporter: Exporter) -> str:
        """What a file is compared with, in words."""
        if exporter.fixed and self.integers is not None:
            return f"the integers of {self.integers.text}"
        return exporter.reference.replace(Exporter.reference, self.subject)

    def model_spikes(self, exporter: Exporter) -> int | None:
        """Spikes of the network itself on the inputs, where a file in floating point is compared with another."""
        if self.inputs is None or exporter.fixed or exporter.reference == Exporter.reference:
            return None
        outputs = simulate(
            self.model, self.inputs, torch.float32 if exporter.arithmetic == "float32" else torch.float64
        )
        neurons = self.model.network.neurons
        return sum(int((values != 0).sum()) for name, values in outputs.items() if neurons[name].spikes)


def export_model(
    export: Export, exporters: Sequence[Exporter], folder: Path, *, force: bool, record_refusal: bool = False
) -> list[ExportEntry]:
    """Write a model in several formats, prove each, and record it in `export.json`.

    With `force` files of an earlier export are replaced, as long as they are what it wrote.
    A format that cannot say the network is recorded as refused; if none can, or a file does not
    do what the model does, nothing is written. With `record_refusal`, it is no fault if none can.

    Raises:
        ExportError: no format can say the network, or a file differs from it.
        OutputError: files exist already (without `force`), or cannot be written.

    """
    refused = {each.name: _reasons(each, export.model) for each in exporters}
    if all(refused.values()) and not record_refusal:
        raise ExportError("\n  ".join(f"{name}: {reason}" for name, why in refused.items() for reason in why))
    with _moved_when_complete(folder, force=force) as working:
        entries = []
        for each in exporters:
            if refused[each.name]:
                entries.append(_refusal(export, each, refused[each.name]))
                continue
            own = working / each.name
            own.mkdir()
            entries.append(_written(export, each, own))
        record = merged(read_record(folder), entries, __version__)
        (working / RECORD).write_text(record.model_dump_json(indent=2, exclude_none=True) + "\n", encoding="utf-8")
    return entries


def _reasons(exporter: Exporter, model: Model) -> tuple[str, ...]:
    with told_by_name(exporter):
        found = exporter.refuses(model)
        return (found,) if isinstance(found, str) else tuple(found or ())


def _written(export: Export, exporter: Exporter, folder: Path) -> ExportEntry:
    path = folder / f"{export.stem}{exporter.suffix}"
    with told_by_name(exporter):
        exporter.write(export.model, path)
    if not path.is_file():
        raise ExportError(f"{exporter.name}: its exporter wrote no file {path.name}")
    verification = _verification(export, exporter, path)
    if verification.done and not verification.equal:
        raise ExportError(
            f"{exporter.name}: the file does not do what the network does: {verification.fault}; nothing was written"
        )
    with told_by_name(exporter):
        notices = exporter.notices(export.model)
        notes = {} if export.inputs is None else json.loads(json.dumps(exporter.notes(export.model, export.inputs)))
    return ExportEntry(
        format=exporter.name,
        files={file.name: sha256(file) for file in sorted(folder.iterdir())},
        source=_source(export),
        data=export.data,
        integers=recorded(export.integers) if exporter.fixed and export.integers is not None else None,
        options=_options(exporter),
        verification=verification,
        notes=({"other_readers": list(notices)} if notices else {}) | notes,
    )


def _options(exporter: Exporter) -> dict[str, bool | int | float | str]:
    """What an exporter was set to, as far as it keeps it by the names that it declares."""
    found = {key: getattr(exporter, key, None) for key in exporter.options}
    return {key: value for key, value in found.items() if isinstance(value, bool | int | float | str)}


def _verification(export: Export, exporter: Exporter, path: Path) -> Verification:
    if export.inputs is None:
        return Verification(done=False, why_not=export.why_not)
    try:
        comparison = check_faithful(exporter, export.model, path, export.inputs)
    except NotRunnableError as error:
        return Verification(done=False, why_not=str(error))
    reference, itself = export.reference(exporter), export.model_spikes(exporter)
    return verified(comparison, exporter.arithmetic, reference, export.inputs_name, len(export.inputs), itself)


def _refusal(export: Export, exporter: Exporter, reasons: tuple[str, ...]) -> ExportEntry:
    return ExportEntry(
        format=exporter.name,
        source=_source(export),
        refused=reasons,
        verification=Verification(done=False, why_not="the format cannot say the network"),
    )


def _source(export: Export) -> dict[str, str]:
    return {"file": export.source.name, "sha256": sha256(export.source)}


@contextmanager
def _moved_when_complete(folder: Path, *, force: bool) -> Iterator[Path]:
    """A working folder whose files move to `folder` when the block ends well; nobody else writes there meanwhile."""
    with locked(folder):
        existed = folder.exists()
        record = read_record(folder)
        earlier = record.exports if record else []
        recorded = {name: digest for entry in earlier for name, digest in entry.files.items()}
        working: Path | None = None
        complete = False
        try:
            folder.mkdir(parents=True, exist_ok=True)
            working = Path(tempfile.mkdtemp(prefix=".export.partial-", dir=folder))
            yield working
            files = [file for file in working.rglob("*") if file.is_file()]
            for file in files:
                if file.name != RECORD and os.path.lexists(folder / file.name):
                    _check_replaceable(folder / file.name, recorded, force=force)
            for file in files:
                file.replace(folder / file.name)
            note_written(folder, [folder / file.name for file in files])
            complete = True
        except OSError as error:
            raise OutputError(f"{error.filename or folder}: cannot be written ({error.strerror or error})") from None
        finally:
            if working is not None:
                shutil.rmtree(working, ignore_errors=True)
            if not complete and not existed:
                with suppress(OSError):  # what others put there stays
                    folder.rmdir()


def _check_replaceable(path: Path, recorded: Mapping[str, str], *, force: bool) -> None:
    """Whether a file that is in the way is an export of ours, and may go.

    Raises:
        OutputError: it is not, or may not.

    """
    if not force:
        raise OutputError(f"{path}: exists; choose another folder (`folder`), or `force=True`")
    if path.is_symlink() or not path.is_file() or recorded.get(path.name) != sha256(path):
        raise OutputError(
            f"{path}: is not as an export wrote it, and is not replaced; choose another folder (`folder`)"
        )
