"""A bundle: one zip for a colleague with the chip, and the careful opening of one."""

from __future__ import annotations

import hashlib
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from spear_deploy import __version__
from spear_deploy.errors import ExportError, OutputError, SpearDeployError, quoted
from spear_deploy.system.outside.refusal import READ_ERRORS, first_line

MANIFEST = "manifest.json"
FORMAT = "spear-deploy bundle 1"
LARGEST_MANIFEST = 1 << 20
LARGEST_BUNDLE = 8 << 30
"""Bytes that may come out of a bundle: far more than any network of a chip, less than a disk."""

_DATE = (1980, 1, 1, 0, 0, 0)
"""The same files give the same bundle."""


class Held(BaseModel):
    """A file of a bundle."""

    model_config = ConfigDict(extra="forbid")

    sha256: str
    bytes: Annotated[int, Field(ge=0, le=LARGEST_BUNDLE)]


class Manifest(BaseModel):
    """What a bundle holds; `model` is the NIR file."""

    model_config = ConfigDict(extra="forbid")

    format: str
    spear_deploy: str
    model: str
    files: dict[str, Held]


def write_bundle(path: Path, files: Mapping[str, bytes], model: str) -> None:
    """Write files and their manifest as one zip.

    Args:
        path: the zip.
        files: contents by name, without folders.
        model: the name of the NIR file among them.

    """
    held = {name: Held(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data)) for name, data in files.items()}
    manifest = Manifest(format=FORMAT, spear_deploy=__version__, model=model, files=held)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, data in [(MANIFEST, manifest.model_dump_json(indent=2).encode() + b"\n"), *sorted(files.items())]:
            entry = zipfile.ZipInfo(name, _DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            bundle.writestr(entry, data)


def is_bundle(path: Path) -> bool:
    """Whether a file is a bundle of ours, by its manifest."""
    try:
        with zipfile.ZipFile(path) as bundle:
            _manifest(bundle, path)
    except (ExportError, *READ_ERRORS):
        return False
    return True


def open_bundle(path: Path, folder: Path) -> Manifest:
    """Unpack a bundle into an empty folder, after checking every name, size and hash.

    Nothing of it is executed, and nothing is written outside the folder.

    Raises:
        ExportError: no bundle, a damaged one, or one whose names lead elsewhere.
        OutputError: the folder cannot be written.

    """
    try:
        with zipfile.ZipFile(path) as bundle:
            _check_names(bundle, path)
            manifest = _manifest(bundle, path)
            for name, held in manifest.files.items():
                _put(folder / name, _content(bundle, name, held, path))
    except SpearDeployError:
        raise
    except FileNotFoundError:
        raise ExportError(f"{path}: no such bundle") from None
    except IsADirectoryError:
        raise ExportError(
            f"{path}: a folder, and no bundle: that is one file, which an export of the format bundle writes"
        ) from None
    except PermissionError as error:
        raise ExportError(f"{path}: cannot be read ({error.strerror})") from None
    except READ_ERRORS as error:  # RuntimeError is zipfile's word for an encrypted entry
        raise ExportError(f"{path}: not a bundle, or damaged ({first_line(error)})") from None
    return manifest


def _check_names(bundle: zipfile.ZipFile, path: Path) -> None:
    if MANIFEST not in bundle.namelist():
        raise ExportError(f"{path}: not a bundle of spear-deploy: it has no {MANIFEST}")
    seen: set[str] = set()
    for entry in bundle.infolist():
        name, kind = entry.orig_filename, stat.S_IFMT(entry.external_attr >> 16)
        if name != entry.filename or not _is_plain(name):
            raise ExportError(f"{path}: the name {quoted(name)} leads out of the bundle's folder; it was not opened")
        if kind not in (0, stat.S_IFREG):
            raise ExportError(f"{path}: {quoted(name)} is no file but a link or device; it was not opened")
        if name.casefold() in seen:
            raise ExportError(f"{path}: {quoted(name)} is in it twice; it was not opened")
        seen.add(name.casefold())


def _is_plain(name: str) -> bool:
    """Whether a name is that of a file in the folder itself, on any system."""
    return bool(name.strip(". ")) and name.isprintable() and not set(name) & set('/\\:*?"<>|')


def _manifest(bundle: zipfile.ZipFile, path: Path) -> Manifest:
    names = set(bundle.namelist())
    if bundle.getinfo(MANIFEST).file_size > LARGEST_MANIFEST:
        raise ExportError(f"{path}: its {MANIFEST} is larger than {LARGEST_MANIFEST:,} bytes; it was not opened")
    try:
        manifest = Manifest.model_validate_json(bundle.read(MANIFEST))
    except ValidationError:
        raise ExportError(f"{path}: its {MANIFEST} is damaged") from None
    if manifest.format != FORMAT:
        raise ExportError(f"{path}: {quoted(manifest.format)}, this spear-deploy opens {FORMAT!r}")
    listed = set(manifest.files) | {MANIFEST}
    if names != listed or manifest.model not in manifest.files:
        odd = ", ".join(sorted(names ^ listed)) or manifest.model
        raise ExportError(f"{path}: its {MANIFEST} and its files differ: {odd}")
    if sum(held.bytes for held in manifest.files.values()) > LARGEST_BUNDLE:
        raise ExportError(f"{path}: would unpack to more than {LARGEST_BUNDLE:,} bytes; it was not opened")
    return manifest


def _put(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:  # a full disk is no fault of the bundle
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from None


def _content(bundle: zipfile.ZipFile, name: str, held: Held, path: Path) -> bytes:
    """The content, read no further than the manifest allows: a zip can hold far more than it weighs."""
    with bundle.open(name) as file:
        data: Any = file.read(held.bytes + 1)
    if len(data) != held.bytes or hashlib.sha256(data).hexdigest() != held.sha256:
        raise ExportError(f"{path}: {name} is not what the {MANIFEST} says; it is damaged or was changed")
    return bytes(data)
