"""The process that speaks to a Ray cluster for `cluster.joined`, and what the cluster's machines run of ours."""

from __future__ import annotations

import logging
import os
import pickle
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from spear_deploy import __version__
from spear_deploy.errors import ClusterError
from spear_deploy.system.handed import Parcel
from spear_deploy.system.processes import end_with_parent, heard, say, sendable

RETRIES = 3
"""How often Ray does a job anew whose machine or process died, at once: maybe on the dead machine, not yet missed."""

PAUSES_S = (5.0, 10.0, 20.0)
"""After which it is handed over anew: a machine that died is missed by then (Ray asks every 3 s, and 5 times)."""

LOOK_EVERY_S = 0.5
"""How soon it is noticed that nobody waits for results any more."""

LOST = "the cluster lost a job again and again: its machines keep dying"

Task = Callable[[Any], Any]
_held: dict[str, Task] = {}


def serve(descriptor: int, start: str) -> None:
    """Join the cluster that the file names, and do jobs there until the connection is closed."""
    threading.Thread(target=end_with_parent, args=(Path(start).parent,), daemon=True).start()
    connection: Connection[Any, Any] = Connection(descriptor)
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # nothing is told to anyone
    import ray

    try:
        ray.init(address=Path(start).read_text(encoding="utf-8"), log_to_driver=False, logging_level=logging.ERROR)
        slots = int(ray.cluster_resources().get("CPU", 0))
    except Exception as error:
        say(connection, (0, _first_line(error).partition(". ")[0].rstrip(".")))
        return
    say(connection, (slots, "" if slots else "it has no processors"))
    _get_machines_ready()
    with suppress(EOFError, OSError):
        _answer_orders(connection)
    ray.shutdown()


def _get_machines_ready() -> None:
    """Let each machine import what jobs need before there are any.

    Placed by name: Ray gives one that has begun what waits for another machine's processes to start.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    for node in ray.nodes():
        if node["Alive"]:
            there = NodeAffinitySchedulingStrategy(node["NodeID"], soft=True)
            get_ready = ray.remote(num_cpus=1, max_retries=0, scheduling_strategy=there)(_get_ready)
            for _ in range(int(node["Resources"].get("CPU", 0))):
                get_ready.remote()


def _answer_orders(connection: Connection[Any, Any]) -> None:
    """Do lists of jobs, until the connection is closed."""
    import ray

    work = ray.remote(num_cpus=1, max_retries=RETRIES)(_do)
    handed: dict[str, Any] = {}
    while True:
        order = heard(connection)
        if order is None:  # all that is to be abandoned was done already
            say(connection, None)
            continue
        place, jobs = order
        if place not in handed:
            parcel = Parcel.of(Path(place))
            handed = {place: ray.put((_versions(), parcel.content, parcel.arrays))}
        pauses = [iter(PAUSES_S) for _ in jobs]
        numbers = {work.remote(place, [handed[place]], job): number for number, job in enumerate(jobs)}
        while numbers:
            done, _ = ray.wait(list(numbers), num_returns=1, timeout=LOOK_EVERY_S)
            for each in done:
                number = numbers.pop(each)
                found = _outcome(each)
                if found is None and (pause_s := next(pauses[number], None)) is not None:
                    time.sleep(pause_s)
                    numbers[work.remote(place, [handed[place]], jobs[number])] = number
                else:
                    say(connection, (number, found or _refusal(LOST)))
            if numbers and connection.poll():  # before all jobs are done, only that nobody waits for the rest
                heard(connection)
                for each in numbers:
                    ray.cancel(each, force=True)
                numbers = {}
                say(connection, None)


def _outcome(reference: Any) -> bytes | None:
    """Whether a job was done, and what came of it, pickled; None where its machine died each time."""
    import ray

    try:
        done: bytes = ray.get(reference)
        return done
    except ray.exceptions.RayTaskError as error:
        return _refusal(_last_line(error))
    except (ray.exceptions.LocalRayletDiedError, ray.exceptions.NodeDiedError):
        return None
    except ray.exceptions.RayError as error:
        return _refusal(f"the cluster lost a job {RETRIES + 1} times: {_first_line(error)}")


def _refusal(words: str) -> bytes:
    return pickle.dumps((False, ClusterError(words)))


def _get_ready() -> None:
    """On a machine of the cluster: import what jobs need before there are any."""
    import torch  # noqa: F401


def _do(place: str, where: list[Any], job: bytes) -> bytes:
    """On a machine of the cluster: one job, by what this process holds or fetches first."""
    try:
        if place not in _held:
            _held.clear()
            _held[place] = _begun(where[0])
        return pickle.dumps((True, _held[place](pickle.loads(job))))
    except Exception as error:
        return pickle.dumps((False, sendable(error)))


def _begun(reference: Any) -> Task:
    import ray

    theirs, content, arrays = ray.get(reference)
    if theirs != _versions():
        raise ClusterError(f"machines of the cluster differ: {_words(theirs)} here, {_words(_versions())} there")
    begin, start = Parcel(content, arrays).opened()
    task: Task = begin(*start)
    return task


def _versions() -> dict[str, str]:
    """What results depend on, beside processors."""
    found = {"Python": ".".join(map(str, sys.version_info[:2])), "spear-deploy": __version__}
    for name in ("torch", "numpy"):
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def _words(versions: dict[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in versions.items())


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]


def _last_line(error: Exception) -> str:
    return str(error).strip().rpartition("\n")[2]
