"""Putting Lava beside spear-deploy, and saying how it runs here."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from spear_deploy.backends.lava.interpreter import WORKER_FOLDER, worker_command
from spear_deploy.errors import BackendError

LAVA = "lava-nc==0.10.0"
"""The last release (August 2024); its makers archived the project in May 2026."""

COMPANIONS = ("asteval", "networkx", "scipy", "scikit-learn")
"""What Lava imports. Its own metadata would hold them, and numpy, at releases too old for us."""

LAVA_OPTIONS = ("--no-deps", "--ignore-requires-python")
"""Its metadata demands Python 3.10, numpy < 2 and networkx <= 2.8.7, and is wrong: it gives the
same results on 3.11 to 3.13 with numpy 2. No requirement of a package can say so, hence a command."""

PROBE_LIMIT_S = 60.0

_PROBE = """
import json
from worker.main import LavaMissingError, versions
try:
    found = versions()
    from worker import compat
    print(json.dumps({"versions": found, "work_arounds": compat.work_arounds()}))
except LavaMissingError as error:
    print(json.dumps({"missing": str(error)}))
"""


@dataclass(frozen=True)
class LavaStatus:
    """How Lava runs here.

    Attributes:
        available: whether the interpreter can import it.
        python: the interpreter.
        versions: of lava, numpy and python; empty where it is not available.
        work_arounds: what the worker mends before it imports Lava.
        missing: why it is not available.
        advice: what to type to make it available; empty where it is.

    """

    available: bool
    python: Path
    versions: dict[str, str]
    work_arounds: tuple[str, ...]
    missing: str = ""
    advice: str = ""


def how_to_install(python: Path) -> str:
    """What to type so that an interpreter gets Lava."""
    if python == Path(sys.executable):
        return "install it with: spear-deploy lava install"
    companions, options = " ".join(COMPANIONS), " ".join(LAVA_OPTIONS)
    return f"install it with: {python} -m pip install numpy {companions} && {python} -m pip install {options} {LAVA}"


def last_line(message: str) -> str:
    """What counts of an import's fault: numpy's own advice fills a screen before the cause."""
    return (message.strip().splitlines() or ["no reason given"])[-1]


def status(python: Path | None = None) -> LavaStatus:
    """Import Lava as the worker does, in a process of its own, and say what came of it.

    Raises:
        BackendError: the interpreter cannot be started or gives no answer.

    """
    python = python or Path(sys.executable)
    command = worker_command(python, _PROBE)
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=PROBE_LIMIT_S, cwd=WORKER_FOLDER, stdin=subprocess.DEVNULL
        )
        found = json.loads(ended.stdout.splitlines()[-1])
    except OSError as error:
        raise BackendError(f"Lava: {python} cannot be started ({error.strerror})") from None
    except subprocess.TimeoutExpired:
        raise BackendError(f"Lava: {python} gave no answer within {PROBE_LIMIT_S:g} s") from None
    except (IndexError, ValueError):
        last = (ended.stderr.splitlines() or ["no output"])[-1]
        raise BackendError(f"Lava: {python} cannot run the Lava worker ({last})") from None
    if "missing" in found:
        return LavaStatus(False, python, {}, (), missing=last_line(found["missing"]), advice=how_to_install(python))
    return LavaStatus(True, python, found["versions"], tuple(found["work_arounds"]))


def install(progress: Callable[[str], None]) -> LavaStatus:
    """Install Lava and its companions into this interpreter, and try it.

    Args:
        progress: told each step in words.

    Raises:
        BackendError: pip failed, or Lava cannot be imported afterwards.

    """
    progress(f"installing {', '.join(COMPANIONS)}")
    _pip(*COMPANIONS)
    progress(f"installing {LAVA}")
    _pip(*LAVA_OPTIONS, LAVA)
    progress("importing Lava")
    found = status()
    if not found.available:
        raise BackendError(f"{LAVA} is installed in {found.python}, but cannot be imported: {found.missing}")
    return found


def _pip(*arguments: str) -> None:
    # -P: pip is not looked for in the current folder, nor is what it imports.
    command = [sys.executable, "-P", "-m", "pip", "install", "--disable-pip-version-check", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True)
    if ended.returncode:
        lines = [line for line in ended.stderr.splitlines() if line.strip() and not line.startswith("WARNING")]
        raise BackendError(f"pip install {' '.join(arguments)} failed:\n" + "\n".join(lines[-5:]))
