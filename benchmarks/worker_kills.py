"""SIGKILL a worker or a process of Lava at any moment; the job must end rightly or say why, and leave nothing.

    python -m benchmarks.worker_kills --out FOLDER [--kills 30] [--seed 0]

Each time a small job (LRE's samples in two workers, then a network in Lava) runs in a process of its own with a TMPDIR
of its own; at a random moment one of the processes below it, drawn at random, is killed. Where none is left by then,
that job does not count. Counted are jobs that ended with the figures of an undisturbed one, jobs that said why not,
processes that live on, and what stays in /dev/shm and TMPDIR. A run of this that is cut short goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spear_deploy.backends.lava.runner import run_lava
from spear_deploy.data import SplitName, encode, load_data
from spear_deploy.errors import SpearDeployError
from spear_deploy.network import load_any
from spear_deploy.search import CandidateFactory, collect_samples
from spear_deploy.system.executors import Processes
from spear_deploy.training import Recipe

MODEL = Path(__file__).parents[1] / "examples" / "digits.pt"
MARK = "WORKER_KILLS_MARK"
FEW = 32
LONGEST_S = 300.0
SETTLED_S = 10.0
"""How long what is left may take to go."""


def job() -> None:
    """Samples in workers, and a run in Lava; prints figures, or why there are none."""
    torch.set_num_threads(1)
    model, data = load_any(MODEL), load_data("digits")
    train = encode(data.train.first(FEW), model.encoding, model.time_steps)
    test = encode(data.test.first(FEW), model.encoding, model.time_steps)
    assert (train.name, test.name) == (SplitName.TRAIN, SplitName.TEST)
    try:
        samples = collect_samples(CandidateFactory(model, train), 4, Recipe(epochs=1), 0, executor=Processes(2))
        found = run_lava(model, test.inputs[:, :8], time_limit_s=LONGEST_S)
    except SpearDeployError as error:
        print(json.dumps({"why": str(error).splitlines()[0]}))
        return
    spikes = {name: int(np.count_nonzero(sent)) for name, sent in found.outputs.items()}
    print(json.dumps({"synops": [sample.synops for sample in samples], "spikes": spikes}))


def below(root: int) -> list[int]:
    """The processes that a process started, and those that they did; Linux alone tells."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            rest = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if rest[0] not in "ZX":
            parents[int(entry.parent.name)] = int(rest[1])
    found, ahead = [], [root]
    while ahead:
        parent = ahead.pop()
        children = [pid for pid, its in parents.items() if its == parent]
        found += children
        ahead += children
    return sorted(found)


def marked(mark: str) -> list[int]:
    """The processes that live and were started with a mark in their environment."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            alive = (entry / "stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
            if alive and f"{MARK}={mark}".encode() in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def shared_memory() -> set[str]:
    """Names in /dev/shm."""
    return {path.name for path in Path("/dev/shm").iterdir()}


def one(place: Path, number: int, after_s: float | None, generator: random.Random) -> dict[str, Any]:
    """One job, with a kill so long after its first child appeared."""
    temporary = place / f"tmp{number}"
    temporary.mkdir(parents=True, exist_ok=True)
    before, mark = shared_memory(), f"{os.getpid()}-{number}"
    command = [sys.executable, "-m", "benchmarks.worker_kills", "--job"]
    env = os.environ | {"TMPDIR": str(temporary), MARK: mark}
    begun = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env)
    killed = None
    while not below(process.pid) and process.poll() is None:
        time.sleep(0.02)
    first_child = time.monotonic()
    if after_s is not None:
        time.sleep(after_s)
        victims = below(process.pid)
        if victims:
            killed = generator.choice(victims)
            try:
                os.kill(killed, signal.SIGKILL)
            except ProcessLookupError:
                killed = None
    try:
        said, fault = process.communicate(timeout=LONGEST_S)
    except subprocess.TimeoutExpired:
        process.kill()
        said, fault = process.communicate()
    took, with_children = time.monotonic() - begun, time.monotonic() - first_child
    deadline = time.monotonic() + SETTLED_S
    while (marked(mark) or shared_memory() - before) and time.monotonic() < deadline:
        time.sleep(0.1)
    lines = said.splitlines()
    return {
        "after_s": after_s,
        "seconds": round(took, 1),
        "with_children_s": round(with_children, 1),
        "killed": killed is not None,
        "code": process.returncode,
        "said": json.loads(lines[-1]) if lines else {"fault": fault[-300:]},
        "processes": len(marked(mark)),
        "shared memory": sorted(shared_memory() - before),
        "temporary": sorted(path.name for path in temporary.iterdir()),
    }


def run(out: Path, kills: int, seed: int) -> bool:
    """All of it; whether it ended well."""
    out.mkdir(parents=True, exist_ok=True)
    record = out / "worker_kills.json"
    done: list[dict[str, Any]] = json.loads(record.read_text()) if record.exists() else []
    while not done or sum(each["killed"] for each in done) < kills:
        number = len(done)
        generator = random.Random(f"{seed} {number}")
        after = generator.uniform(0, done[-1]["with_children_s"]) if done else None
        done.append(one(out, number, after, generator))
        record.write_text(json.dumps(done, indent=1))
        print(f"{number}: {done[-1]}", flush=True)
    return summary(done)


def summary(done: Sequence[dict[str, Any]]) -> bool:
    """Say how many ended how; whether all ended well."""
    whole, rest = done[0]["said"], [each for each in done[1:] if each["killed"]]
    right = sum(each["said"] == whole for each in rest)
    why = sum("why" in each["said"] for each in rest)
    left = {name: sum(bool(each[name]) for each in done) for name in ("processes", "shared memory", "temporary")}
    print(
        f"{len(rest)} kills: {right} jobs ended as undisturbed, {why} said why not, {len(rest) - right - why} neither;"
        f" left over after {left['processes']} jobs processes, {left['shared memory']} shared memory,"
        f" {left['temporary']} files in TMPDIR"
    )
    return right + why == len(rest) and not any(left.values())


if __name__ == "__main__":
    if sys.argv[1:2] == ["--job"]:
        job()
        sys.exit(0)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    sys.exit(0 if run(given.out.absolute(), given.kills, given.seed) else 1)
