"""Writing results: a folder or a file that appears when it is complete, and replaces nothing foreign.

A folder that we wrote says so in `WRITTEN`: the name and SHA-256 of each of our files. Only what
stands there, unchanged, is ever replaced or removed.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from spear_deploy.errors import OutputError

WRITTEN = ".spear-deploy.json"
"""The record of what we wrote into a folder: `{"files": {name: SHA-256}}`."""

MARK = "made by spear-deploy"
"""Stands near the start of every page and picture of ours, wherever it lies."""

_MARKED_BYTES = 1 << 16
_PARTIAL = ".spear-deploy-partial-"
_INCOMPLETE = "incomplete-"
_NO_RESULTS = (_PARTIAL, _INCOMPLETE)  # how folders are called that may lie among results


def check_writable(folder: Path, *, force: bool) -> None:
    """Find out before the long work whether a run can be written, by writing there.

    Raises:
        OutputError: the folder holds something (with `force`: something that we did not write), or
            cannot be made or written.

    """
    _check_replaceable(folder, force=force)
    made: list[Path] = []
    try:
        for place in reversed([folder, *folder.absolute().parents]):
            if not os.path.exists(place):
                place.mkdir()
                made.append(place)
        with tempfile.NamedTemporaryFile(prefix=_PARTIAL, dir=folder):
            pass
    except OSError as error:
        place = folder if os.path.isdir(folder) or error.errno == errno.ENAMETOOLONG else _nearest(folder)
        if error.errno == errno.ENOTDIR:
            raise OutputError(f"{place}: is a file; results need a folder (`folder`)") from None
        raise OutputError(
            f"{place}: cannot write there ({error.strerror or error}); choose another folder (`folder`)"
        ) from None
    except ValueError as error:  # a name with a zero byte
        raise OutputError(f"{folder!r}: no name of a folder ({error})") from None
    finally:
        for place in reversed(made):
            with suppress(OSError):
                place.rmdir()


@contextmanager
def complete_or_nothing(folder: Path, *, force: bool, keep: Callable[[Path], str] | None = None) -> Iterator[Path]:
    """A working folder whose files are in `folder` when the block ends well; else they vanish.

    A folder that is new appears with all its files at once. One that exists stays itself (it may
    be a mount, a link, or where the user stands), and gets them one by one, the record last.

    Args:
        folder: where the files go.
        force: whether files that we wrote there earlier are replaced.
        keep: called with the working folder when the block fails or is interrupted, or when the
            files cannot be moved; gives a sentence that is added to what is raised.

    Raises:
        OutputError: the folder cannot be written, or holds what we did not write.

    """
    exists = folder.is_dir()
    beside = folder if exists else _nearest(folder)
    try:
        check_writable(folder, force=force)
        working = Path(tempfile.mkdtemp(prefix=f"{_PARTIAL}{short_name(folder)}-", dir=beside))
    except (OSError, OutputError) as error:  # it was not so when the work began
        fault = OutputError(f"{beside}: cannot be written ({error.strerror})") if isinstance(error, OSError) else error
        unmade = beside / _PARTIAL  # no working folder came to be: nothing lies there
        if keep is not None and (words := keep(unmade)):
            fault.add_note(words)
        raise fault from None
    try:
        try:
            yield working
            _record(working, _files(working))
            if exists:
                _check_replaceable(folder, force=force, besides=working)
                _move_into(working, folder)
            else:
                folder.parent.mkdir(parents=True, exist_ok=True)
                working.chmod(0o777 & ~_umask())
                working.rename(folder)
        except OSError as error:
            raise OutputError(f"{error.filename or folder}: cannot be written ({error.strerror or error})") from None
    except BaseException as error:
        if keep is not None and (words := keep(working)):
            error.add_note(words)
        raise
    finally:
        shutil.rmtree(working, ignore_errors=True)


def is_ours(path: Path) -> bool:
    """Whether a file is one that we wrote: it bears our mark, or a record of its folder has it as it is."""
    with path.open("rb") as file:
        if MARK.encode() in file.read(_MARKED_BYTES):
            return True
    digest = _sha256(path)
    return any(
        _recorded(place).get(os.path.relpath(path, place)) == digest for place in (path.parent, path.parent.parent)
    )


def keep_incomplete(working: Path, write: Callable[[Path], None]) -> str:
    """Save what an unfinished run has, beside its place or where there is room.

    Args:
        working: the run's working folder, which may hold files already, or not be there yet.
        write: writes what must not be lost into a folder.

    Returns:
        Where it is, as a sentence; or that it could not be saved.

    """
    name = f"{_INCOMPLETE}{datetime.now():%Y%m%d-%H%M%S}-"
    fault: Exception | None = None
    for parent in dict.fromkeys((working.parent, Path(tempfile.gettempdir()), Path(os.path.expanduser("~")))):
        place: Path | None = None
        try:
            place = Path(tempfile.mkdtemp(prefix=name, dir=parent))
            if working.is_dir():
                shutil.copytree(working, place, dirs_exist_ok=True)
            place.chmod(0o777 & ~_umask())
            write(place)
        except Exception as error:  # the next place may do
            fault = error
            if place is not None:
                shutil.rmtree(place, ignore_errors=True)
        else:
            return f"what there is was kept in {place}"
    return f"what there is could not be kept anywhere ({fault})"


@contextmanager
def replaced_when_complete(path: Path, ours: Callable[[Path], bool] = is_ours) -> Iterator[Path]:
    """A working file that becomes `path` when the block ends well, and vanishes when not.

    Args:
        path: the file.
        ours: whether a file that stands there already may be replaced.

    Raises:
        OutputError: the file cannot be written, or what stands there is not to be replaced.

    """
    path = _followed(path)
    if path.exists() and not (path.is_file() and ours(path)):
        raise OutputError(f"{path}: is there already and was not written by spear-deploy; choose another name")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=_PARTIAL, dir=path.parent, ignore_cleanup_errors=True) as name:
            working = Path(name) / f"file{path.suffix}"
            yield working
            working.replace(path)
        note_written(path.parent, [path])
    except OSError as error:
        raise OutputError(f"{error.filename or path}: cannot be written ({error.strerror or error})") from None


def write_whole(path: Path, text: str) -> None:
    """Write a small file so that a reader sees the old or the new content, and never half of it.

    Raises:
        OSError: it cannot be written.

    """
    number, working = tempfile.mkstemp(prefix=_PARTIAL, dir=path.parent)
    try:
        with os.fdopen(number, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(working, path)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(working)


def write_file(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a file where a user wants it, so that a reader sees the old or the new one, and never half of it.

    Raises:
        OutputError: it cannot be written.

    """
    path = Path(path)
    try:
        path = _followed(path)
        if path.exists() and not path.is_file():  # a device takes it; a folder says what it is
            path.write_bytes(content)
            return
        number, name = tempfile.mkstemp(prefix=_PARTIAL, dir=path.parent)  # where nobody can have put a link
        os.close(number)
        working = Path(name)
        try:
            working.write_bytes(content)
            working.chmod(0o666 & ~_umask())
            working.replace(path)
        finally:
            working.unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        raise OutputError(f"{path}: cannot be written ({getattr(error, 'strerror', None) or error})") from None


def small_text(path: Path, largest: int = 1 << 28) -> str:
    """The text of a file of ours.

    Raises:
        OSError: it cannot be read, is no ordinary file or too large.
        UnicodeDecodeError: it is no text.

    """
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_size > largest:
            raise OSError(errno.EINVAL, "no ordinary file, or too large", str(path))
        return file.read(largest + 1).decode()


def note_written(folder: Path, files: Iterable[Path]) -> None:
    """Add files to the record of the folder that they lie in or below, where it has one."""
    for place in (folder,) if folder.name.startswith(_PARTIAL) else (folder, folder.parent):
        if (place / WRITTEN).is_file():
            _record(place, {**_recorded(place), **{os.path.relpath(each, place): _sha256(each) for each in files}})
            return


def sweep(folder: Path) -> None:
    """Remove what a process that was killed left beside a folder that is locked by us: its working folders."""
    for beside in {folder, _nearest(folder)}:
        for left in beside.glob(f"{_PARTIAL}{short_name(folder)}-*"):
            shutil.rmtree(left, ignore_errors=True)


def short_name(folder: Path) -> str:
    """What stands for a folder in the names of files that are kept beside it."""
    return hashlib.sha256(os.fsencode(folder.absolute())).hexdigest()[:16]


def _check_replaceable(folder: Path, *, force: bool, besides: Path | None = None) -> None:
    if os.path.lexists(folder) and not os.path.isdir(folder):
        raise OutputError(f"{folder}: is a file; results need a folder (`folder`)")
    if not os.path.isdir(folder):
        return
    entries = [each for each in folder.iterdir() if each != besides and not each.name.startswith(_NO_RESULTS)]
    if entries and not force:
        raise OutputError(f"{folder}: exists and is not empty; choose another folder (`folder`), or `force=True`")
    recorded = _recorded(folder)
    for file in _files_below(entries):
        name = os.path.relpath(file, folder)
        if name != WRITTEN and (file.is_symlink() or not file.is_file() or recorded.get(name) != _sha256(file)):
            raise OutputError(
                f"{folder}: holds {name}, which is not as spear-deploy wrote it; nothing was replaced, choose another"
                " folder (`folder`)"
            )


def _move_into(working: Path, folder: Path) -> None:
    """Replace our earlier files by the new ones; without its record a folder counts as unfinished."""
    earlier = {os.path.relpath(each, folder) for each in _files_below(folder.iterdir())} - {WRITTEN}
    earlier = {name for name in earlier if not name.startswith(_NO_RESULTS)}
    (folder / WRITTEN).unlink(missing_ok=True)
    new = _files(working)
    for name in sorted(new):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (working / name).replace(folder / name)
    for name in earlier - new.keys():
        (folder / name).unlink(missing_ok=True)
        with suppress(OSError):
            (folder / name).parent.rmdir()
    (working / WRITTEN).replace(folder / WRITTEN)


def _files(folder: Path) -> dict[str, str]:
    """SHA-256 by name of all files below a folder, but for the record."""
    found = {os.path.relpath(each, folder): _sha256(each) for each in folder.rglob("*") if each.is_file()}
    found.pop(WRITTEN, None)
    return found


def _files_below(entries: Iterable[Path]) -> Iterator[Path]:
    """All that is no folder in folders, links and special files included."""
    for each in entries:
        if each.is_dir() and not each.is_symlink():
            yield from _files_below(each.iterdir())
        else:
            yield each


def _record(folder: Path, files: dict[str, str]) -> None:
    write_whole(folder / WRITTEN, json.dumps({"files": files}, indent=1, sort_keys=True) + "\n")


def _recorded(folder: Path) -> dict[str, str]:
    try:
        content = json.loads(small_text(folder / WRITTEN))["files"]
        return {str(name): str(digest) for name, digest in content.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _nearest(folder: Path) -> Path:
    """The folder's nearest parent that exists."""
    return next(place for place in (folder.parent, *folder.absolute().parents) if os.path.exists(place))


def _followed(path: Path) -> Path:
    """Where a link leads, or the path itself.

    Raises:
        OutputError: it leads back to itself.

    """
    found = Path(os.path.realpath(path)) if path.is_symlink() else path
    if found.is_symlink():
        raise OutputError(f"{path}: is a link that leads back to itself; choose another name")
    return found


def _umask() -> int:
    now = os.umask(0o022)
    os.umask(now)
    return now
