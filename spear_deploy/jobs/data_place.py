"""Where the data of a network lie: as the user says, as its file says, or as a run or an export recorded it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spear_deploy.data import Dataset, is_known, load_data
from spear_deploy.errors import DataError
from spear_deploy.network import Model
from spear_deploy.report.file_names import EXPORTS, NETWORKS, PLAIN, REPORT
from spear_deploy.system.outside.plain import read_json
from spear_deploy.system.outside.refusal import RefusedError

Tell = Callable[[str], None]
"""Hears what a user should know."""


@dataclass(frozen=True)
class Recorded:
    """The data that a file was made with, as a record beside it says.

    Attributes:
        sha256: of samples and labels.
        name: what they were called, often a path as it was typed.
        place: where they lay; None where they lay in no file, or nobody wrote it down.

    """

    sha256: str
    name: str
    place: Path | None = None


def place_of(data: str, folder: Path | None) -> str | None:
    """Where data lie, counted from a folder, or from the root where it is not known; None where they lie in no file.

    Counted from the folder they are found when both move together, and no name of a machine's owner is written down.
    """
    if is_known(data) or not Path(data).exists():
        return None
    path = Path(data).resolve()
    if folder is None:
        return str(path)
    try:
        return os.path.relpath(path, folder.resolve())
    except ValueError:  # another drive
        return str(path)


def recorded_data(path: Path) -> Recorded | None:
    """The data of a model file that a run or an export wrote; None where no record beside it tells of the file."""
    exports = [each for each in _list(_content(path.parent / EXPORTS), "exports") if path.name in _dict(each, "files")]
    told = next((each["data"] for each in exports if _dict(each, "data")), None)
    if told is None and (exports or path.name in (*NETWORKS, PLAIN)):
        report = _content(path.parent / REPORT)
        told = {"name": report.get("data"), "sha256": report.get("data_sha256"), "place": report.get("data_place")}
    if told is None or not all(isinstance(told.get(key), str) for key in ("name", "sha256")):
        return None
    place = told.get("place")
    return Recorded(told["sha256"], told["name"], path.parent / place if isinstance(place, str) else None)


def find_data(path: Path, model: Model, asked: str | None = None, tell: Tell = lambda text: None) -> Dataset | None:
    """The data of a model that was loaded from `path`; None where neither the user nor anything else names any.

    What a record beside the file tells of is known by its SHA-256, and found where it lay, beside the file or in the
    working folder. Without a record, a path counts from where the file lies, and else from the working folder, which
    is told.

    Raises:
        DataError: the data cannot be loaded, or only others of that name are found.

    """
    if asked is not None:
        return data_for(model, asked)
    named = _as_file_says(path, model)
    record = recorded_data(path)
    if record is None:
        if named is None:
            return None
        if not _lies_beside(path, model) and not is_known(named) and Path(named).exists():
            tell(f"{path} names its data {named}, which do not lie beside it: those in {Path.cwd()} are taken")
        return data_for(model, named)
    others: list[str] = []
    for candidate in dict.fromkeys(_candidates(record, named)):
        found = _loaded(model, candidate)
        if found is not None and found.given_sha256 == record.sha256:
            return found
        others += [] if found is None else [candidate]
    return _otherwise(path, model, named, record, others, tell)


def data_for(model: Model, source: str) -> Dataset:
    """A data set as a network takes it: recordings of events are binned into its frames."""
    return load_data(source, input_shape=model.network.input_shape, time_steps=model.time_steps, binning=model.binning)


def _otherwise(
    path: Path, model: Model, named: str | None, record: Recorded, others: list[str], tell: Tell
) -> Dataset | None:
    """What is taken where the data that a file was made with are not found."""
    if named is None:  # the file itself asks for none
        return None
    if named in others and (is_known(named) or _lies_beside(path, model)):
        tell(f"{named}: other data than those that {path} was made with: their SHA-256 differs")
        return data_for(model, named)
    if others:
        raise DataError(
            f"{path}: the data that it was made with are not found: the SHA-256 of {', '.join(others)} differs; give"
            " `data='file.npz'`"
        )
    lay = record.name if record.place is None else _shown(record.place)
    raise DataError(f"{lay}: no such data file, and {path} was made with it; give `data='file.npz'`")


def _as_file_says(path: Path, model: Model) -> str | None:
    """The data that a model file names, whose paths count from where it lies; the bare name where nothing is there."""
    if model.data is None:
        return None
    return str(path.parent / model.data) if _lies_beside(path, model) else model.data


def _lies_beside(path: Path, model: Model) -> bool:
    return model.data is not None and (path.parent / model.data).exists()


def _candidates(record: Recorded, named: str | None) -> Iterator[str]:
    if named is not None:
        yield named
    if record.place is not None:
        yield _shown(record.place)
    yield record.name


def _shown(path: Path) -> str:
    """A path as a message has it: from the working folder where it lies below that."""
    path, here = path.resolve(), Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _loaded(model: Model, source: str) -> Dataset | None:
    if not is_known(source) and not Path(source).exists():
        return None
    try:
        return data_for(model, source)
    except DataError:  # nothing that a run was made with
        return None


def _content(path: Path) -> Mapping[str, Any]:
    """What a record holds; nothing where it is missing or damaged, which others tell of."""
    try:
        content = read_json(path)
    except (OSError, RefusedError):
        return {}
    return content if isinstance(content, Mapping) else {}


def _list(content: Mapping[str, Any], key: str) -> list[Any]:
    found = content.get(key)
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def _dict(content: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = content.get(key)
    return found if isinstance(found, Mapping) else {}
