"""The job of `reproduce`: a run repeated from what its report records, and held against it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import BaseModel

from spear_deploy.backends.registry import classes
from spear_deploy.data import Dataset
from spear_deploy.errors import RunError, quoted
from spear_deploy.jobs.deploy.deploy import run as run_deploy
from spear_deploy.jobs.deploy.recorded import request_from
from spear_deploy.jobs.deploy.request import DeployRequest
from spear_deploy.jobs.progress import Progress, Silent
from spear_deploy.jobs.task import Task, load_task
from spear_deploy.network import Model
from spear_deploy.network.fingerprint import fingerprint
from spear_deploy.report import Report
from spear_deploy.report.file_names import NETWORKS, PLAIN
from spear_deploy.report.reading import read_run
from spear_deploy.search.strategies.agent_file import read_agent

OF_THE_WAY = frozenset(
    {"seconds", "peak_memory_mib", "told", "earlier", "command", "request", "versions", "model", "data", "data_place"}
)
"""Of a report, what tells how and with what it was made, and not what was found."""


_FILES = (*NETWORKS, PLAIN)


@dataclass(frozen=True)
class Differing:
    """A figure that is another one now; None where there is none."""

    key: str
    then: Any
    now: Any


@dataclass(frozen=True)
class Reproduced:
    """A run beside its repetition.

    Attributes:
        run: its folder.
        weights: by the name of each network file that the run has, whether it has the same bytes.
        figures: how many were compared.
        differing: those that differ.
        versions: of what it was made with, where they are others now.
        not_compared: backends whose number of samples depends on the time that they have.
        missing: network files that the run does not have, and that nothing can be compared with.

    """

    run: Path
    weights: Mapping[str, bool]
    figures: int
    differing: tuple[Differing, ...]
    versions: tuple[Differing, ...]
    not_compared: tuple[str, ...]
    missing: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether all weights and figures are the same."""
        return all(self.weights.values()) and not self.differing


def reproduce(
    run: Path,
    progress: Progress | None = None,
    *,
    given: tuple[Model, Dataset] | None = None,
    model: Path | None = None,
    data: str | None = None,
    agent: Path | None = None,
    arch: str | None = None,
    lava_python: Path | None = None,
    out: Path | None = None,
) -> Reproduced:
    """Repeat a run from what its report records, and compare weights and figures.

    A report may come from somebody else: no code that it names is run, and no machine that it names is asked.

    Args:
        run: its folder.
        progress: hears how far it is.
        given: the network and its data, where they lie in no file.
        model: where the model file lies now, or one of a network that lay in no file; by default where it lay.
        data: where the data lie now; by default where they lay.
        agent: where the file of the agent lies now that the run carried; by default where it lay.
        arch: how the network is built, where the report names code for it; see `Reading`.
        lava_python: the interpreter that has Lava, where the report names one.
        out: a folder for the repetition; by default it is not kept.

    Raises:
        RunError: the run cannot be repeated: its report says too little or names what is to be trusted, or the network
            or the data are others now.
        SpearDeployError: what a run raises.

    """
    progress = Silent() if progress is None else progress
    then, missing = _repeatable(run), _missing(run)
    if missing:
        progress.notice(f"missing in {run}, and not compared: {', '.join(missing)}")
    with TemporaryDirectory(prefix="spear-deploy-reproduce-") as name:
        place = Path(name) / "run" if out is None else out
        request = _trusted(_request(then, run, place), run, arch, lava_python)
        request = replace(request, model=model or request.model, data=data or request.data)
        request = _with_agent(then, run, request, agent)
        found = _load(then, run, request, progress, model) if given is None else Task(*given, then.seed)
        task = _checked(then, run, found)
        results = run_deploy(request, progress, task)
        for folder, each in results.written.items():
            if (each.report.target, each.report.budget.source) == (then.target, then.budget.source):
                return _compared(run, then, folder, each.report)
    why = "".join(f"\n  {reason}" for reason in results.left_out.values())
    raise RunError(f"{run}: repeated, it gave no result for {then.target} and a budget of {then.budget.source}{why}")


def _repeatable(run: Path) -> Report:
    folder = read_run(run)
    if folder.report is None:
        raise RunError(f"{run}: {folder.gaps[0]}")
    if folder.report.request is None:
        raise RunError(f"{run}: its report does not record what was asked for, as those of earlier versions")
    if folder.report.interrupted:
        raise RunError(
            f"{run}: its user cut it short in {folder.report.interrupted}, when nobody knows; only a whole run can be"
            " repeated"
        )
    return folder.report


def _request(then: Report, run: Path, out: Path) -> DeployRequest:
    places = {"out": str(out), "force": False, "cache": None, "ray": None, "command": []}
    try:
        return request_from({**(then.request or {}), **places})
    except (ValueError, TypeError) as error:
        raise RunError(f"{run}: what its report records of the request cannot be read ({error})") from None


def _trusted(request: DeployRequest, run: Path, arch: str | None, lava_python: Path | None) -> DeployRequest:
    """The request with what runs code as the user says, and never as the report does.

    Raises:
        RunError: it names code or an interpreter, and the user none.

    """
    named = request.reading.arch
    if arch is None and named is not None and not named.endswith(".toml"):
        raise RunError(
            f"{run}: its report names code for the network, {quoted(named)}, which would be run; give `arch` where you"
            " trust it"
        )
    if lava_python is None and request.lava and request.lava_python is not None:
        raise RunError(
            f"{run}: its report names an interpreter for Lava, {quoted(str(request.lava_python))}, which would be"
            " started; give `lava_python` where you trust one"
        )
    return replace(request, reading=replace(request.reading, arch=arch or named), lava_python=lava_python)


def _with_agent(then: Report, run: Path, request: DeployRequest, agent: Path | None) -> DeployRequest:
    """The request with the agent that the run carried, wherever its file lies now.

    Raises:
        RunError: it is not there, or another one.

    """
    path = agent or request.agent
    if request.agent is None or path is None:
        return request
    if not path.is_file():
        raise RunError(f"{path}: the agent that {run} carried is not there; say where it lies now (`agent`)")
    asked = None if then.search is None else then.search.agent
    if asked is None or read_agent(path).sha256 != asked.sha256:
        raise RunError(f"{path}: is not the agent that {run} carried: its SHA-256 differs")
    return replace(request, agent=path)


def _load(then: Report, run: Path, request: DeployRequest, progress: Progress, now: Path | None) -> Task:
    """The network and its data from files; one that lay in none is known by its content, see `_checked`."""
    in_no_file = bool(request.model_sha256)
    if in_no_file and now is None:
        raise RunError(
            f"{run}: was made from Python, and its network lay in no file; give one that holds that network now"
            " (`model`) and its data (`data`), or repeat it from Python, where both can be given"
        )
    if not request.model.is_file():
        raise RunError(f"{request.model}: the model of {run} is not there; say where it lies now")
    if not in_no_file and hashlib.sha256(request.model.read_bytes()).hexdigest() != then.model_sha256:
        raise RunError(f"{request.model}: is not the model of {run} any more: its SHA-256 differs")
    return load_task(request.model, request.data, reading=request.reading, seed=request.seed, tell=progress.notice)


def _checked(then: Report, run: Path, task: Task) -> Task:
    in_no_file = bool((then.request or {}).get("model_sha256"))
    if in_no_file and fingerprint(task.model) != then.model_sha256:
        raise RunError(f"the network that was given is not that of {run}: its SHA-256 differs")
    if task.data.given_sha256 != then.data_sha256:
        raise RunError(f"{task.data.name}: is not the data of {run}: its SHA-256 differs")
    return task


def _compared(run: Path, then: Report, folder: Path, now: Report) -> Reproduced:
    timed = {each.name for each in classes(lambda text: None).values() if each.tool}
    unsaid = tuple(_unsaid(then, ""))
    before, after = (
        {key: value for key, value in _figures(each, timed) if not _within(key, unsaid)} for each in (then, now)
    )
    versions = {name: (then.versions.get(name), now.versions.get(name)) for name in {**then.versions, **now.versions}}
    return Reproduced(
        run=run,
        weights={name: _same(run / name, folder / name) for name in _FILES if name not in _missing(run)},
        figures=len({**before, **after}),
        differing=tuple(
            Differing(key, before.get(key), after.get(key))
            for key in {**before, **after}
            if key not in before or key not in after or before[key] != after[key]
        ),
        versions=tuple(Differing(name, *pair) for name, pair in versions.items() if pair[0] != pair[1]),
        not_compared=tuple(sorted(timed & {*then.measured, *now.measured})),
        missing=_missing(run),
    )


def _figures(report: Report, timed: set[str]) -> Iterator[tuple[str, Any]]:
    """Every value of a report by its place, without those of `timed` backends."""
    content = report.model_dump(mode="json", exclude=set(OF_THE_WAY))
    for name in timed:
        content["measured"].pop(name, None)
        content["lre"]["check"].pop(name, None)
        content["agreement"] = {key: each for key, each in content["agreement"].items() if not key.endswith(f"_{name}")}
    if content["verdict"]["basis"] in timed:
        del content["verdict"]["covered"], content["verdict"]["prediction_error_percent"]
    return _leaves(content, "")


def _unsaid(value: Any, key: str) -> Iterator[str]:
    """Places of a report that its file says nothing of: they came with later versions, and nothing can be compared."""
    if isinstance(value, BaseModel):
        for name in type(value).model_fields:
            place = f"{key}.{name}" if key else name
            if name in value.model_fields_set:
                yield from _unsaid(getattr(value, name), place)
            else:
                yield place
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield from _unsaid(item, f"{key}.{name}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _unsaid(item, f"{key}[{number}]")


def _within(key: str, places: Sequence[str]) -> bool:
    return any(key == place or key.startswith((f"{place}.", f"{place}[")) for place in places)


def _leaves(value: Any, key: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _leaves(item, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _leaves(item, f"{key}[{place}]")
    else:
        yield key, value


def _missing(run: Path) -> tuple[str, ...]:
    return tuple(name for name in _FILES if not (run / name).is_file())


def _same(one: Path, other: Path) -> bool:
    return other.is_file() and one.read_bytes() == other.read_bytes()
