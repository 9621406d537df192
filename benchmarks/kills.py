"""SIGKILL the main job at many moments in a row; what goes on each time must end as if nobody had.

    python -m benchmarks.kills --out FOLDER [--kills 50] [--seed 0] [-- MODEL --lre-samples 8 ...]

One undisturbed run, then the same one from an empty cache, killed again and again: each time once as many more
steps are finished as spread the kills evenly over the job, and a random part of a step later. In the end
weights and figures must be those of the undisturbed run, and no finished sample, evaluation, epoch, measurement or
export may have been made twice; each is written down by the job as it is kept. The job is forked from this process, so
that a kill costs no new start. A run of this that is cut short goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import spear_deploy.cli.deploy  # noqa: F401 - what the forked jobs need is there already
from spear_deploy.cli import main
from spear_deploy.search.lre.sampling import Made
from spear_deploy.search.lre.store import SampleStore
from spear_deploy.system.journal import Step
from spear_deploy.training.state import Checkpoint

MODEL = Path(__file__).parents[1] / "examples" / "digits.pt"
JOB = (str(MODEL), "--lre-samples", "8", "--evaluations", "20", "--epochs", "4", "--no-lava")
"""Without Lava, whose samples are a matter of time, and which is killed elsewhere."""
PASSING = {"seconds", "peak_memory_mib", "told", "earlier", "request", "command"}
"""Of a report: times, and what tells of the way."""

LONGEST_AFTER_S = 1.0
"""A kill falls so long after a step was kept, at most, and before the next one as long as that took undisturbed."""

POLL_S = 0.02

TIMES = "times.txt"
"""When the job began, when each step was kept, and when it ended."""


def logged_job(folder: Path, job: Sequence[str]) -> None:
    """Run the command line, and write down each step as it is kept."""
    log, clock = (os.open(folder / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT) for name in ("steps.txt", TIMES))
    keep, save = Step.keep, SampleStore.save

    def note_time() -> None:
        os.write(clock, f"{time.monotonic()}\n".encode())

    def kept(step: Step, value: object, seconds: float) -> None:
        keep(step, value, seconds)
        if not step.journal.keeps:  # of a sample, which is kept as a whole
            return
        epoch = value.epoch if isinstance(value, Checkpoint) else None
        os.write(log, f"{json.dumps([*step.key, epoch])}\n".encode())
        note_time()

    def saved(store: SampleStore, number: int, made: Made) -> None:
        save(store, number, made)
        os.write(log, f'["LRE sample", {number}]\n'.encode())
        note_time()

    Step.keep, SampleStore.save = kept, saved  # type: ignore[method-assign]
    note_time()
    try:
        main([*job, "--cache", str(folder / "cache"), "--out", str(folder / "run")])
    finally:
        note_time()


def start(folder: Path, job: Sequence[str]) -> int:
    """Start the job in a process of its own, or go on with it; its process id."""
    folder.mkdir(parents=True, exist_ok=True)
    pid = os.fork()
    if pid:
        return pid
    try:
        os.setsid()
        output = os.open(folder / "output.txt", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.dup2(output, 1)
        os.dup2(output, 2)
        logged_job(folder, job)
    except SystemExit:
        os._exit(0)
    finally:
        os._exit(1)


def has_ended(pid: int) -> bool:
    """Whether it has, without waiting for it."""
    return os.waitpid(pid, os.WNOHANG) != (0, 0)


def finished(folder: Path) -> list[str]:
    """The steps that were kept so far, in order."""
    log = folder / "steps.txt"
    return log.read_text().splitlines() if log.exists() else []


def figures(folder: Path) -> dict[str, Any]:
    """The report without what may differ."""
    content = json.loads((folder / "report.json").read_text())
    return {key: value for key, value in content.items() if key not in PASSING}


def weights(folder: Path) -> dict[str, bytes]:
    """The networks, byte for byte."""
    return {
        path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix in (".pt", ".nir", ".onnx")
    }


def undisturbed(out: Path, job: Sequence[str]) -> list[float]:
    """Run the job to its end, once; the seconds to its first step, from each step to the next, and to the end."""
    folder = out / "whole"
    if not (folder / "run" / "report.json").exists() or not (folder / TIMES).exists():
        shutil.rmtree(folder, ignore_errors=True)
        os.waitpid(start(folder, job), 0)
    times = [float(line) for line in (folder / TIMES).read_text().splitlines()]
    return [after - before for before, after in pairwise(times)]


def killed(out: Path, job: Sequence[str], kills: int, seed: int, gaps: Sequence[float]) -> list[dict[str, Any]]:
    """Kill the job so often; where each kill fell. `gaps` are those of the undisturbed one."""
    folder, record = out / "killed", out / "killed.json"
    done: list[dict[str, Any]] = json.loads(record.read_text()) if record.exists() else []
    generator = random.Random(f"{seed} {len(done)}")
    while len(done) < kills:
        wanted = round(len(done) * (len(gaps) - 1) / kills)
        begun, ended = time.monotonic(), False
        pid = start(folder, job)
        while len(finished(folder)) < wanted and not (ended := has_ended(pid)):
            time.sleep(POLL_S)
        time.sleep(generator.uniform(0, min(gaps[wanted], LONGEST_AFTER_S)))
        if ended or has_ended(pid):
            break
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        last = (finished(folder) or ["nothing yet"])[-1]
        took = round(time.monotonic() - begun, 2)
        done.append({"seconds": took, "steps": len(finished(folder)), "after": last[:120]})
        record.write_text(json.dumps(done, indent=1))
        print(f"kill {len(done)} of {kills}: {done[-1]}", flush=True)
    if not (folder / "run" / "report.json").exists():
        os.waitpid(start(folder, job), 0)
    return done


def run(out: Path, job: Sequence[str], kills: int, seed: int) -> bool:
    """All of it; whether it ended well."""
    gaps = undisturbed(out, job)
    done = killed(out, job, kills, seed, gaps)
    whole, other = out / "whole" / "run", out / "killed" / "run"
    twice = [step for step, times in Counter(finished(out / "killed")).items() if times > 1]
    same = other.exists() and weights(whole) == weights(other) and figures(whole) == figures(other)
    left = sorted(path.name for path in (out / "killed" / "cache").glob("run-*"))
    print(
        f"{len(done)} kills over {len(gaps) - 1} steps; weights and figures {'as' if same else 'NOT as'} undisturbed;"
        f" {len(twice)} steps made twice; left over in the cache: {left or 'nothing'}"
    )
    for step in twice[:5]:
        print(f"  twice: {step[:200]}")
    return same and not twice and not left and len(done) == kills


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("job", nargs="*", default=JOB)
    given = parser.parse_args()
    sys.exit(0 if run(given.out.absolute(), given.job, given.kills, given.seed) else 1)
