"""A folder of recordings by class: `train/<class>/*` and `test/<class>/*`, or `<class>/*`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spear_deploy.data.events import Frames
from spear_deploy.data.recordings import holds_events, read_recording
from spear_deploy.data.split import VALIDATION_NAMES
from spear_deploy.data.splitting import stratified
from spear_deploy.errors import DataError

_TEST_SHARE = 0.2


def read_classes(folder: Path, frames: Frames) -> tuple[dict[str, NDArray[Any]], tuple[str, ...]]:
    """Recordings in folders by class: `train/<class>/*` and `test/<class>/*`, or `<class>/*`, of which a fifth is test.

    Beside train and test may stand `validation/<class>/*`, which is also called val, valid, dev or eval.
    Given are the arrays of a data set, by the names that an npz has, and which other files were passed over.
    Classes are numbered in the order of their names, numbers by their value.

    Raises:
        DataError: no such folders, a class that only one of them has, a folder or a recording that is read by no one,
            or a recording that cannot be used.

    """
    if {"train", "test"} <= {name.lower() for name in _folders(folder)}:
        parts = _parts(folder)
        passed_over = _passed_over(folder, [folder, *parts.values()])
        names = {key: _classes(part) for key, part in parts.items()}
        other = set().union(*names.values()) - set(names["train"]).intersection(*names.values())
        if other:
            raise DataError(f"{folder}: {', '.join(sorted(other))}: a class that {_either(parts)} lacks")
        split = {key: _read(part, names["train"], frames) for key, part in parts.items()}
        _check_filled(parts["train"], names["train"], split["train"][1])
    else:
        passed_over = _passed_over(folder, [folder])
        classes = _classes(folder)
        samples, labels = _read(folder, classes, frames)
        _check_filled(folder, classes, labels)
        kept, held = stratified(labels, _TEST_SHARE)
        split = {"train": (samples[kept], labels[kept]), "test": (samples[held], labels[held])}
    arrays = {f"{kind}_{key}": array for key, both in split.items() for kind, array in zip("xy", both, strict=True)}
    return arrays, passed_over


def _parts(folder: Path) -> dict[str, Path]:
    """The folders of train, test and validation, by the names that arrays have."""
    found: dict[str, Path] = {}
    for name in _folders(folder):
        key = "val" if name.lower() in VALIDATION_NAMES else name.lower()
        if key not in ("train", "test", "val"):
            raise DataError(
                f"{folder}: {name} is read by no one: beside train and test stands validation; move other folders away"
            )
        if key in found:
            raise DataError(f"{folder}: {found[key].name} and {name} are the same part of the data; keep one of them")
        found[key] = folder / name
    return found


def _either(parts: Mapping[str, Path]) -> str:
    *others, last = (part.name for part in parts.values())
    return f"{', '.join(others)} or {last}"


def _passed_over(folder: Path, places: Sequence[Path]) -> tuple[str, ...]:
    """Which files lie beside the folders in these places, in words: a recording among them is meant to be used.

    Raises:
        DataError: recordings lie there, which are of no class.

    """
    loose = [each for place in places for each in _entries(place) if not each.is_dir()]
    events = [each for each in loose if holds_events(each)]
    if events:
        how_many = "1 recording lies" if len(events) == 1 else f"{len(events):,} recordings lie"
        raise DataError(
            f"{folder}: {how_many} in no folder of a class, such as {events[0].relative_to(folder)}, and would be read"
            " by no one; move them into the folder of their class, or away"
        )
    if not loose:
        return ()
    how_many = "1 file is" if len(loose) == 1 else f"{len(loose):,} files are"
    return (f"{how_many} passed over that lie in no folder of a class, such as {loose[0].relative_to(folder)}",)


def _entries(folder: Path) -> list[Path]:
    """What lies in a folder, hidden files and folders left out.

    Raises:
        DataError: the folder may not be read.

    """
    try:
        return sorted(each for each in folder.iterdir() if not each.name.startswith("."))
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror or error})") from None


def _folders(folder: Path) -> list[str]:
    """Names of the folders in a folder."""
    return [each.name for each in _entries(folder) if each.is_dir()]


def _classes(folder: Path) -> list[str]:
    names = _folders(folder)
    if not names:
        raise DataError(f"{folder}: holds no folder a class with recordings in it")
    for name in names:
        if within := _folders(folder / name):
            raise DataError(
                f"{folder / name}: its folder {within[0]} is read by no one: recordings stand in the folder of their"
                " class; parts of the data are called train, test and validation"
            )
    return sorted(names, key=lambda name: (0, int(name), name) if name.isdecimal() else (1, 0, name))


def _check_filled(folder: Path, names: Sequence[str], labels: NDArray[np.int64]) -> None:
    empty = [name for label, name in enumerate(names) if not (labels == label).any()]
    if empty:
        raise DataError(
            f"{folder / empty[0]}: holds no recordings, so that its class cannot be learned; remove the folder, from"
            " test and validation too, or fill it"
        )


def _read(folder: Path, names: list[str], frames: Frames) -> tuple[NDArray[Any], NDArray[np.int64]]:
    samples, labels = [], []
    for label, name in enumerate(names):
        for path in _entries(folder / name):
            if not path.is_file():
                raise DataError(f"{path}: no file that can be read, but a link that leads nowhere, a pipe or a device")
            samples.append(frames.of(read_recording(path), str(path)))
            labels.append(label)
    if not samples:
        raise DataError(f"{folder}: its folders {', '.join(names[:3])} hold no recordings")
    return np.stack(samples), np.array(labels)
