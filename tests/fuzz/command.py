"""Reads mutated files through the installed command, each in a folder of its own, and watches what it touches."""

import os
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

from tests.fuzz.kinds import Kind
from tests.fuzz.run import LONGEST_MESSAGE, MEMORY_BYTES, SECONDS, used_bytes

COMMAND = Path(sys.executable).parent / "spear-deploy"
START_S = 10
"""Of the processor's time, for what the command imports: it is no reader's."""

CALLS = "execve,open,openat,openat2,creat,unlink,unlinkat,rename,renameat,renameat2,mkdir,mkdirat,rmdir,truncate"
CALLS += ",link,linkat,symlink,symlinkat,chmod,fchmodat,mknod,mknodat,connect"
HARMLESS = ("/dev/null", "/dev/tty", "/proc/self/", "/usr/bin/uname")
"""The standard library asks `uname` what processor this is."""

PATHS = re.compile(r'(?:(?:AT_FDCWD|\d+)<([^>]*)>, )?"((?:[^"\\]|\\.)*)"')
"""The paths of a call as strace writes them, each with the folder that it starts from where the call names one."""


def through_the_command(kind: Kind, path: Path) -> str:
    """What the command comes to with a file, in a word and its reason; the file's folder is its own."""
    trace = path.parent.with_suffix(".trace")
    watched = ["strace", "-f", "-qq", "--seccomp-bpf", "-y", "-e", f"trace={CALLS}", "-o", str(trace)]
    command = [*(watched if shutil.which("strace") else ()), str(COMMAND), *kind.command]
    home = {"HOME": str(path.parent), "TMPDIR": str(path.parent), "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "80"}
    used = used_bytes()

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY_BYTES, used + MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS + START_S, SECONDS + START_S + 1))

    ended = subprocess.run(
        command,
        cwd=path.parent,
        env=os.environ | home,
        preexec_fn=limit,
        capture_output=True,
        text=True,
        errors="replace",
    )
    outside = touched(trace, path.parent) if trace.exists() else ""
    trace.unlink(missing_ok=True)
    said = ended.stderr.strip()
    refusal = said[said.rfind("spear-deploy: ") :]
    if outside:
        return f"code: {outside}"
    if "Traceback (most recent call last)" in said:
        return f"traceback: {said[-300:]}"
    if ended.returncode < 0 or ended.returncode > 2:
        return f"crash: code {ended.returncode}: {said[-300:]}"
    if "out of memory" in refusal:
        return f"memory: {refusal}"
    if len(refusal) > LONGEST_MESSAGE + len("spear-deploy: "):
        return f"long: {len(refusal)} characters"
    if ended.returncode == 2 and not refusal.startswith("spear-deploy: "):
        return f"silent: code 2: {said[-300:]}"
    return f"refused: {refusal}" if ended.returncode == 2 else "read"


def touched(trace: Path, folder: Path) -> str:
    """The first line that tells of another program, a connection, or a change outside of a folder."""
    programs = 0
    for line in trace.read_text(errors="replace").splitlines():
        call, _, arguments = line.partition(" ")[2].lstrip().partition("(")
        if not arguments or " = -1 " in line or any(f'"{name}' in arguments for name in HARMLESS):
            continue
        if call == "execve":
            programs += 1
            if programs > 1:
                return line[:300]
        elif call.startswith("open"):
            if any(flag in arguments for flag in ("O_WRONLY", "O_RDWR", "O_CREAT")) and not _within(arguments, folder):
                return line[:300]
        elif call == "connect" or not _within(arguments, folder):
            return line[:300]
    return ""


def _within(arguments: str, folder: Path) -> bool:
    """Whether every path of a call lies in a folder, in which the command was started."""
    paths = [os.path.normpath(Path(base or folder) / name) for base, name in PATHS.findall(arguments)]
    return bool(paths) and all(Path(path).is_relative_to(folder) for path in paths)
