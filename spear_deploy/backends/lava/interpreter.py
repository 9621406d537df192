"""How an interpreter is started for Lava's worker: what it imports never comes from the user's folders."""

from __future__ import annotations

from pathlib import Path

WORKER_FOLDER = Path(__file__).parent
"""Where the package `worker` lies."""


def worker_command(python: Path, statements: str, *arguments: str) -> list[str]:
    """A command that runs statements which may import `worker`.

    Python looks for modules in the folder that it is started in, and so does every process that
    it starts in turn (`-P` and PYTHONSAFEPATH came with 3.11 only, `-I` hides what a user
    installed for himself): start the command in a folder of our own.

    Args:
        python: the interpreter, as the user wrote it.
        statements: what it runs.
        arguments: its `sys.argv[1:]`.

    """
    start = f"import sys; sys.path.insert(0, {str(WORKER_FOLDER)!r})\n{statements}"
    return [executable(python), "-W", "ignore", "-c", start, *arguments]


def executable(python: Path) -> str:
    """The interpreter's path, good in any folder; a bare name is looked for in PATH.

    Links are left as they are: a virtual environment is known by the path of its link.
    """
    return str(python) if python.name == str(python) else str(python.absolute())
