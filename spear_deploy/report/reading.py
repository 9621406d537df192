"""Run folders as they are found: whole, of an earlier version, or with files missing or damaged."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from spear_deploy.errors import DataError, RunError, bounded, quoted
from spear_deploy.report.earlier import as_now
from spear_deploy.report.file_names import EXPORTS, NETWORKS, PLAIN, REPORT
from spear_deploy.report.schema import READ_VERSIONS, Report
from spear_deploy.system.outside.plain import read_bytes, read_json
from spear_deploy.system.outside.refusal import RefusedError

LARGEST_FILE = 8 << 30
_LEVELS = 2
"""How deep runs lie: in the folder of a target, and there in that of a budget."""

_MARKS = (REPORT, EXPORTS, *NETWORKS)
"""Files of which a run folder holds at least one."""


@dataclass(frozen=True)
class RunFile:
    """A file of the run and its SHA-256."""

    name: str
    sha256: str


@dataclass(frozen=True)
class RunFolder:
    """What a run folder holds.

    Attributes:
        path: the folder.
        report: None where it is missing or cannot be read.
        files: the networks and exports that are there.
        refused: formats that the network was not written in, and the first reason of each.
        gaps: what is missing or damaged, a sentence each.

    """

    path: Path
    report: Report | None
    files: tuple[RunFile, ...]
    refused: tuple[str, ...]
    gaps: tuple[str, ...]


def find_runs(paths: Iterable[Path]) -> list[Path]:
    """The run folders that paths mean: themselves, their `report.json`, or folders of several targets and budgets.

    Raises:
        RunError: a path that does not exist, or holds no run.

    """
    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise RunError(f"{path}: no such folder; give the folder of a run, such as runs/model-loihi2-...")
        folder = path.parent if path.name == REPORT and path.is_file() else path
        if not folder.is_dir():
            raise RunError(f"{path}: is a file; give the folder of a run")
        runs = _runs_in(folder, _LEVELS)
        if not runs:
            raise RunError(
                f"{path}: holds none of {', '.join(_MARKS)}, nor does a folder in it; give the folder of a run"
            )
        found += runs
    return list(dict.fromkeys(found))


def _runs_in(folder: Path, levels: int) -> list[Path]:
    """The folder itself where it is a run, else those in it, so many levels down."""
    if _is_run(folder):
        return [folder]
    try:
        below = sorted(each for each in folder.iterdir() if each.is_dir()) if levels else []
    except OSError:  # not ours to look into
        return []
    return [run for each in below for run in _runs_in(each, levels - 1)]


def read_report(run: Path) -> Report:
    """The report of a run, from its folder or its `report.json`.

    Raises:
        DataError: there is none, it is no report, or one of a version that is not known.

    """
    path = run / REPORT if run.is_dir() else run
    try:
        content = read_json(path)
        if isinstance(content, Mapping) and (fault := _version_fault(content)):
            raise DataError(f"{path}: not a report that can be read: it {fault}")
        return Report.model_validate(content)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); give the folder of a run") from None
    except RefusedError as error:
        raise DataError(f"{path}: not a report of spear-deploy ({error})") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise DataError(f"{path}: not a report of spear-deploy ({where}: {first['msg']})") from None


def read_run(folder: Path) -> RunFolder:
    """Read a run folder; what is missing or damaged is told in `gaps`, never raised."""
    report, gaps = _read_report(folder / REPORT)
    exports, export_gaps = _read_exports(folder / EXPORTS)
    kept = [PLAIN] if (folder / PLAIN).is_file() else []  # earlier runs have none
    expected: dict[str, str] = dict.fromkeys((*NETWORKS, *kept), "")
    refused = []
    for export in exports:
        expected |= export.get("files") or {}
        reasons = export.get("refused") or []
        if reasons:
            more = f" (and {len(reasons) - 1} more in {EXPORTS})" if len(reasons) > 1 else ""
            refused.append(f"{export.get('format')}: {reasons[0]}{more}")
    files, file_gaps = _files(folder, expected)
    every = (*gaps, *export_gaps, *file_gaps)
    return RunFolder(folder, report, tuple(files), tuple(map(bounded, refused)), tuple(map(bounded, every)))


def _is_run(folder: Path) -> bool:
    return any((folder / name).is_file() for name in _MARKS)


def _version_fault(content: Mapping[str, Any]) -> str:
    """What a user should hear of a report whose version this spear-deploy does not know; empty where it knows it."""
    written = content.get("schema_version")
    if written in READ_VERSIONS:
        return ""
    found = "names no schema_version" if written is None else f"has schema_version {quoted(written)}"
    return f"{found}; this spear-deploy reads {' and '.join(map(str, READ_VERSIONS))}"


def _read_report(path: Path) -> tuple[Report | None, list[str]]:
    """The report; parts that it can do without are left out where they cannot be read."""
    content, gap = _read_json(path)
    if content is None:
        return None, [f"{gap}; the figures of the run are lost with it"]
    if fault := _version_fault(content):
        return None, [f"{REPORT}: does not hold a report that can be read: it {fault}"]
    try:
        content = as_now(content)
        return Report.model_validate(content), []
    except ValidationError as error:
        faults = {str(fault["loc"][0]): str(fault["msg"]) for fault in error.errors() if fault["loc"]}
    needed = [name for name in faults if name in Report.model_fields and Report.model_fields[name].is_required()]
    gaps = [f"{REPORT}: {name} cannot be read ({reason}) and is left out" for name, reason in faults.items()]
    if needed or not faults:
        return None, [f"{REPORT}: does not hold a report: {'; '.join(f'{k}: {v}' for k, v in faults.items())}"]
    try:
        return Report.model_validate({name: part for name, part in content.items() if name not in faults}), gaps
    except ValidationError as error:
        return None, [f"{REPORT}: does not hold a report: {error.error_count()} faults"]


def _read_exports(path: Path) -> tuple[list[dict[str, Any]], list[str]]:
    content, gap = _read_json(path)
    if content is None:
        return [], [gap]
    exports = content.get("exports")
    if not isinstance(exports, list) or not all(isinstance(export, dict) for export in exports):
        return [], [f"{EXPORTS}: does not list exports"]
    sound = [export for export in exports if isinstance(export.get("files") or {}, dict)]
    return sound, [f"{EXPORTS}: an export does not list its files"] if len(sound) < len(exports) else []


def _read_json(path: Path) -> tuple[dict[str, Any] | None, str]:
    try:
        content = read_json(path)
    except FileNotFoundError:
        return None, f"{path.name} is missing"
    except (OSError, RefusedError) as error:
        return None, f"{path.name} cannot be read ({error})"
    return (content, "") if isinstance(content, dict) else (None, f"{path.name} holds no JSON object")


def _files(folder: Path, expected: dict[str, str]) -> tuple[list[RunFile], list[str]]:
    """The files that are there, and what is wrong with those that were written."""
    found, gaps = [], []
    for name, written in expected.items():
        path = folder / name
        if Path(name).name != name:
            gaps.append(f"{EXPORTS}: {quoted(name)} is no name of a file in the run folder")
            continue
        try:
            digest = hashlib.sha256(read_bytes(path, LARGEST_FILE)).hexdigest()
        except (OSError, RefusedError) as error:
            gaps.append(f"{name} is missing" if isinstance(error, FileNotFoundError) else f"{name} cannot be read")
            continue
        if written and written != digest:
            gaps.append(f"{name} is not what the run wrote: its SHA-256 differs from that in {EXPORTS}")
        found.append(RunFile(name, digest))
    return found, gaps
