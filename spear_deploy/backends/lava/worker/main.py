"""Runs one job in Lava, in a process of its own.

The folder holds `job.json`, the arrays it names and `inputs.npy`. The worker adds one .npy a
layer and connection, keeps `progress.json` up to date and ends with `result.json`, which
holds either what was done or the fault. It does not clean up after a fault: whoever started it
ends its process group.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import signal
import sys
import threading
import time
import traceback
from importlib.metadata import version
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any

BETWEEN_REPORTS_S = 1.0
"""Samples are run in pieces of about this length: progress is shown and the budget kept."""

FIRST_PIECE = 4
"""Samples in the first piece, from which the rate is measured."""


class LavaMissingError(Exception):
    """lava-nc, or something that it needs, cannot be imported."""


def main(folder: Path) -> None:
    """Run the job in the folder and leave `result.json` there."""
    threading.Thread(target=_end_with_parent, args=(folder,), daemon=True).start()
    try:
        result = run(folder)
    except LavaMissingError as error:
        result = {"status": "missing", "message": str(error)}
    except MemoryError:
        result = {"status": "memory", "message": ""}
    except Exception:
        result = {"status": "failed", "message": traceback.format_exc()}
    _write(folder / "result.json", result)
    sys.stdout.flush()
    os._exit(0)  # Lava's own exit handlers wait for ever once an actor is gone


def _end_with_parent(folder: Path) -> None:
    """End the whole group once stdin is closed: whoever started this worker, and would remove its folder, is gone."""
    while os.read(0, 1):  # without sys.stdin, whose lock a forked actor would inherit
        pass
    shutil.rmtree(folder, ignore_errors=True)
    os.killpg(os.getpgrp(), signal.SIGTERM)  # Python's resource tracker outlives it, and frees shared memory


def versions() -> dict[str, str]:
    """Lava, numpy and Python as they run here; imports all that a job needs.

    Raises:
        LavaMissingError: Lava cannot be imported.

    """
    try:
        from . import compat

        compat.apply()
        from . import network  # noqa: F401
    except ImportError as error:
        if (error.name or "").partition(".")[0] == __package__:  # a fault of ours
            raise
        raise LavaMissingError(str(error)) from error
    return {"lava": version("lava-nc"), "numpy": version("numpy"), "python": platform.python_version()}


def run(folder: Path) -> dict[str, Any]:
    """Build the network, stream the samples, and say how many were done in which time."""
    found = versions()
    try:
        check_shared_memory()
    except OSError as error:
        return {"status": "no shared memory", "message": error.strerror or str(error)}
    from .network import ActorError, LavaNetwork

    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    started = time.monotonic()
    try:
        network = LavaNetwork(job, folder)
        samples = stream(network, job, folder)
        seconds = time.monotonic() - started
        network.stop()
    except ActorError as error:
        return {"status": "actor", "message": str(error)}
    return {"status": "done", "samples": samples, "seconds": seconds, "versions": found}


def check_shared_memory() -> None:
    """Make some and let it go: Lava's processes have no other way to talk.

    Raises:
        OSError: there is none.

    """
    block = SharedMemory(create=True, size=1)
    block.close()
    block.unlink()


def stream(network: Any, job: dict[str, Any], folder: Path) -> int:
    """Run samples in pieces until all are done or the time is spent; returns how many."""
    total, least = job["samples"], min(job["min_samples"], job["samples"])
    started = time.monotonic()
    done = 0
    piece = min(FIRST_PIECE, total)
    while done < total:
        network.run(piece * job["interval"] + (0 if done else job["depth"]))
        done += piece
        spent = time.monotonic() - started
        _write(folder / "progress.json", {"samples": done, "seconds": spent})
        rate = done / spent
        piece = min(total - done, max(1, int(rate * BETWEEN_REPORTS_S)))
        if done >= least and spent + piece / rate > job["sample_budget_s"]:
            break
        if done < least:
            piece = min(piece, least - done)
    return done


def _write(path: Path, content: dict[str, Any]) -> None:
    """Replace the file at once: a reader sees the old or the new content, never half of it."""
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(content), encoding="utf-8")
    fresh.replace(path)
