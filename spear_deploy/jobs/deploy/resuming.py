"""Runs that were not finished: found by what was asked for, or by the folder that their result would stand in."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain, count
from pathlib import Path

from spear_deploy.errors import RunError
from spear_deploy.jobs.deploy.recorded import (
    digest,
    plain_request,
    request_from,
    surroundings,
    what_matters,
)
from spear_deploy.jobs.deploy.request import DeployRequest
from spear_deploy.jobs.task import Task
from spear_deploy.network.fingerprint import fingerprint
from spear_deploy.report.asked import HOW_RUN
from spear_deploy.report.reading import read_run
from spear_deploy.system.files import write_whole
from spear_deploy.system.journal import Journal
from spear_deploy.system.locks import claimed
from spear_deploy.system.outside.plain import read_json
from spear_deploy.system.outside.refusal import READ_ERRORS, RefusedError
from spear_deploy.system.values import from_plain

PREFIX = "run-"
RECORD = "run.json"

SHA256_DIGITS = 64

KEPT_DAYS = 30
"""An unfinished run that nobody went on with for so long is forgotten when another one begins."""

KEPT_RUNS = 8
"""So many that were begun or gone on with last stay however old they look: a clock may be set."""


@dataclass(frozen=True)
class Unfinished:
    """A run that was not finished.

    Attributes:
        folder: of its steps.
        out: where its result will stand.
        begun: when, in words.
        request: what was asked for.
        around: what else its steps depend on; see `surroundings`.
        turn: higher than that of every run which was begun or gone on with before it; no clock is asked.

    """

    folder: Path
    out: Path
    begun: str
    request: DeployRequest
    around: Mapping[str, str]
    turn: int

    @property
    def steps(self) -> int:
        """How many are finished and kept."""
        return len(Journal(self.folder))


class Steps:
    """Where the finished steps of a run in hand are kept: in a folder that no other process of ours works with.

    Another run of the same request, at the same time, keeps its steps in another folder, so that neither
    takes the other's away, and each is found by the folder of its own result.
    """

    def __init__(self, request: DeployRequest) -> None:
        self._request = request
        self._held = ExitStack()
        self.journal = Journal()

    def __enter__(self) -> Steps:
        return self

    def __exit__(self, *fault: object) -> None:
        self._held.close()

    def open(self, task: Task, notice: Callable[[str], None]) -> Journal:
        """The journal of the request; an earlier run of the same one is told, and gone on with.

        Where the network, the samples or what computes changed since, the steps of that run are of no use,
        which is told.
        """
        request = self._request
        if request.cache is None:
            return self.journal
        _forget_old(request.cache)
        around = surroundings(request, fingerprint(task.model), task.data.sha256)
        folder = self._own(request.cache / f"{PREFIX}{digest(request, around)}", notice)
        journal, earlier = Journal(folder, notice), _read(folder)
        if len(journal):
            begun = f" of {earlier.begun}" if earlier is not None else ""
            notice(f"goes on with the unfinished run{begun}: {len(journal)} finished steps of it come from {folder}")
        elif (
            (other := unfinished(request.cache, request.out)) is not None
            and other.steps
            and _asks_the_same(other, request)
        ):
            notice(
                f"begins anew: since the unfinished run of {other.begun} {_changed(other.around, around)};"
                f" its {other.steps} finished steps stay in {other.folder}"
            )
        begun_at = f"{datetime.now():%Y-%m-%d %H:%M}" if earlier is None else earlier.begun
        turn = 1 + max((each.turn for each in _all(request.cache)), default=0)
        where = {"out": os.path.abspath(request.out), "begun": begun_at, "cwd": os.getcwd(), "turn": turn}
        content = where | {"around": around, "request": plain_request(request)}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_whole(folder / RECORD, json.dumps(content, indent=1) + "\n")
        except OSError as error:
            notice(f"{folder}: finished steps cannot be kept ({error.strerror or error})")
        else:
            self.journal = journal
        return self.journal

    def forget(self) -> None:
        """Remove what is kept: nothing can come of the request."""
        self.journal.remove()

    def _own(self, first: Path, notice: Callable[[str], None]) -> Path:
        """The folder to keep steps in, ours from now on: that of the same result, else one with the most steps."""
        out = Path(os.path.abspath(self._request.out))

        def rank(folder: Path) -> tuple[bool, int]:
            found = _read(folder)
            return found is None or found.out != out, -len(Journal(folder))

        known = sorted({first, *first.parent.glob(f"{first.name}-*")}, key=lambda each: (*rank(each), each.name))
        holder = ""
        for folder in chain(known, (first.with_name(f"{first.name}-{number}") for number in count(2))):
            with ExitStack() as held:
                other = held.enter_context(claimed(folder))
                if not other:
                    self._held = held.pop_all()
                    break
            holder = holder or other
        if holder:
            notice(f"{holder} is at work on the same request; the steps of each are kept apart")
        return folder


def unfinished(cache: Path, out: Path) -> Unfinished | None:
    """The unfinished run whose result would stand in `out`, or whose steps do; the latest, if several."""
    place = Path(os.path.abspath(out))
    found = [each for each in _all(cache) if place in (each.out, Path(os.path.abspath(each.folder)))]
    return max(found, key=lambda each: each.turn, default=None)


def unfinished_request(cache: Path, out: Path) -> DeployRequest:
    """What was asked of an unfinished run.

    Raises:
        RunError: there is none of this folder; names those that there are.

    """
    found = unfinished(cache, out)
    if found is not None:
        return found.request
    others = [f"{each.out} ({each.request.model.name}, begun {each.begun})" for each in _all(cache)]
    known = "\n  ".join(["unfinished are:", *others]) if others else "no run is unfinished"
    raise RunError(
        f"{out}: no unfinished run of that folder is kept in {cache}; where it was begun with another `cache`, give"
        f" that; {known}"
    )


def is_part(request: DeployRequest, place: Path) -> bool:
    """Whether the result in a place is one that the unfinished run of this request wrote before it was ended.

    Of several results that are asked for some may be complete, or the search for one was cut short by the user.
    """
    found = None if request.cache is None else unfinished(request.cache, request.out)
    if found is None or not place.is_dir():
        return False
    free = {name: getattr(request, name) for name in HOW_RUN}
    report = read_run(place).report
    asked = None if report is None else report.request
    return (
        replace(found.request, **free) == request
        and asked is not None
        and what_matters(asked) == what_matters(json.loads(json.dumps(plain_request(request))))
    )


def _all(cache: Path) -> Iterator[Unfinished]:
    for folder in sorted(cache.glob(f"{PREFIX}*")):
        found = _read(folder)
        if found is not None:
            yield found


def _read(folder: Path) -> Unfinished | None:
    """None where there is nothing, or what cannot be read: such a run is found by its request alone."""
    try:
        content = read_json(folder / RECORD)
        request = _seen_from_here(request_from(content["request"]), Path(str(content["cwd"])))
        around: dict[str, str] = from_plain(dict[str, str], content.get("around", {}))
        turn: int = from_plain(int, content.get("turn", 0))
        return Unfinished(folder, Path(str(content["out"])), str(content["begun"]), request, around, turn)
    except (RefusedError, *READ_ERRORS):
        return None


def _seen_from_here(request: DeployRequest, cwd: Path) -> DeployRequest:
    """The request with paths that lead from the current folder to where they led from `cwd`, if that is still there."""
    if not os.path.isdir(cwd) or os.path.samefile(cwd, os.curdir):
        return request

    def there(name: str | None) -> str | None:
        return str(cwd / name) if name is not None and (cwd / name).exists() else name

    return replace(
        request,
        model=cwd / request.model,
        out=cwd / request.out,
        data=there(request.data),
        reading=replace(request.reading, arch=there(request.reading.arch)),
        agent=None if request.agent is None else cwd / request.agent,
        lava_python=None if request.lava_python is None else cwd / request.lava_python,
    )


def _asks_the_same(other: Unfinished, request: DeployRequest) -> bool:
    return what_matters(plain_request(other.request)) == what_matters(plain_request(request))


def _changed(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """What of the surroundings is another, in words; hashes tell a reader nothing."""
    found = []
    for name, value in now.items():
        if before.get(name) != value:
            was = before.get(name, "not recorded")
            found.append(f"{name} changed" if len(value) == SHA256_DIGITS else f"{name} became {value} (was {was})")
    return ", ".join(found)


def _forget_old(cache: Path) -> None:
    oldest = time.time() - KEPT_DAYS * 24 * 3600
    last = {each.folder for each in sorted(_all(cache), key=lambda each: each.turn)[-KEPT_RUNS:]}
    for folder in set(cache.glob(f"{PREFIX}*")) - last:
        with suppress(OSError):
            newest = max((each.stat().st_mtime for each in folder.iterdir()), default=folder.stat().st_mtime)
            if newest < oldest:
                shutil.rmtree(folder, ignore_errors=True)
