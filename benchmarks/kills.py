"""SIGKILL the main job at many moments in a row; what goes on each time must end as if nobody had.

    python -m benchmarks.kills --out FOLDER [--kills 50] [--seed 0] [--lava]

One undisturbed run, then the same one from an empty cache, killed again and again: each time once as many more
steps are finished as spread the kills evenly over the job, and a random part of a step later. In the end
weights and figures must be those of the undisturbed run, and no finished sample, evaluation, epoch, measurement or
export may have been made twice; each is written down by the job as it is kept. A run of this that is cut short goes
on where it was.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from spear_deploy.cli import main
from spear_deploy.search.lre.sampling import Made
from spear_deploy.search.lre.store import SampleStore
from spear_deploy.system.journal import Step
from spear_deploy.training.state import Checkpoint

MODEL = Path(__file__).parents[1] / "examples" / "digits.pt"
JOB = ("--lre-samples", "8", "--evaluations", "20", "--epochs", "4")
PASSING = {"seconds", "peak_memory_mib", "told", "earlier", "request", "command"}
"""Of a report: times, and what tells of the way."""

OF_TOOLS = ("lava", "lava-fixed")
"""How many samples a program of others runs depends on the time that it has: their figures are not compared."""

POLL_S = 0.02
LOG = "KILLS_LOG"


def logged_job(arguments: list[str]) -> None:
    """Run the command line, and write down each step as it is kept."""
    log = os.open(os.environ[LOG], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    keep, save = Step.keep, SampleStore.save

    def kept(step: Step, value: object, seconds: float) -> None:
        keep(step, value, seconds)
        epoch = value.epoch if isinstance(value, Checkpoint) else None
        os.write(log, f"{json.dumps([*step.key, epoch])}\n".encode())

    def saved(store: SampleStore, number: int, made: Made) -> None:
        save(store, number, made)
        os.write(log, f'["LRE sample", {number}]\n'.encode())

    Step.keep, SampleStore.save = kept, saved  # type: ignore[method-assign]
    main(arguments)


def start(folder: Path, lava: bool) -> subprocess.Popen[bytes]:
    """Start the job, or go on with it."""
    folder.mkdir(parents=True, exist_ok=True)
    arguments = [str(MODEL), *JOB, "--cache", str(folder / "cache"), "--out", str(folder / "run")]
    command = [sys.executable, "-m", "benchmarks.kills", "--job", *arguments, *([] if lava else ["--no-lava"])]
    with (folder / "output.txt").open("ab") as output:
        env = os.environ | {LOG: str(folder / "steps.txt")}
        return subprocess.Popen(command, stdout=output, stderr=output, env=env, cwd=Path(__file__).parents[1])


def finished(folder: Path) -> list[str]:
    """The steps that were kept so far, in order."""
    log = folder / "steps.txt"
    return log.read_text().splitlines() if log.exists() else []


def figures(folder: Path) -> dict[str, Any]:
    """The report without what may differ."""
    content = json.loads((folder / "report.json").read_text())
    report = {key: value for key, value in content.items() if key not in PASSING}
    for name in OF_TOOLS:
        report["measured"].pop(name, None)
        report["lre"]["check"].pop(name, None)
        report["agreement"] = {key: each for key, each in report["agreement"].items() if not key.endswith(name)}
    return report


def weights(folder: Path) -> dict[str, bytes]:
    """The networks, byte for byte."""
    return {
        path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix in (".pt", ".nir", ".onnx")
    }


def undisturbed(out: Path, lava: bool) -> int:
    """Run the job to its end, once; the number of its steps."""
    folder = out / "whole"
    if not (folder / "run" / "report.json").exists():
        shutil.rmtree(folder, ignore_errors=True)
        start(folder, lava).wait()
    return len(finished(folder))


def killed(out: Path, lava: bool, kills: int, seed: int, steps: int) -> list[dict[str, Any]]:
    """Kill the job so often; where each kill fell."""
    folder, record = out / "killed", out / "killed.json"
    done: list[dict[str, Any]] = json.loads(record.read_text()) if record.exists() else []
    generator = random.Random(f"{seed} {len(done)}")
    while len(done) < kills:
        wanted = round((len(done) + 0.5) * steps / kills)
        begun = time.monotonic()
        process = start(folder, lava)
        while len(finished(folder)) < wanted and process.poll() is None:
            time.sleep(POLL_S)
        since = generator.uniform(0, 3.0)
        time.sleep(since)
        if process.poll() is not None:
            break
        process.send_signal(signal.SIGKILL)
        process.wait()
        last = (finished(folder) or ["nothing yet"])[-1]
        done.append(
            {"seconds": round(time.monotonic() - begun, 2), "steps": len(finished(folder)), "after": last[:120]}
        )
        record.write_text(json.dumps(done, indent=1))
        print(f"kill {len(done)} of {kills}: {done[-1]}", flush=True)
    start(folder, lava).wait()
    return done


def run(out: Path, lava: bool, kills: int, seed: int) -> bool:
    """All of it; whether it ended well."""
    steps = undisturbed(out, lava)
    done = killed(out, lava, kills, seed, steps)
    whole, other = out / "whole" / "run", out / "killed" / "run"
    twice = [step for step, times in Counter(finished(out / "killed")).items() if times > 1]
    same = other.exists() and weights(whole) == weights(other) and figures(whole) == figures(other)
    print(
        f"{len(done)} kills over {steps} steps; weights and figures {'as' if same else 'NOT as'} undisturbed;"
        f" {len(twice)} steps made twice; left over: {sorted(p.name for p in (out / 'killed' / 'cache').glob('run-*'))}"
    )
    for step in twice[:5]:
        print(f"  twice: {step[:200]}")
    return same and not twice


if __name__ == "__main__":
    if sys.argv[1:2] == ["--job"]:
        logged_job(sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--lava", action="store_true")
    given = parser.parse_args()
    sys.exit(0 if run(given.out.absolute(), given.lava, given.kills, given.seed) else 1)
