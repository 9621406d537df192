"""A fixed sample of the fuzzer, from a process of its own: a fork of this one would inherit its threads' locks."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.command import touched
from tests.fuzz.kinds import KINDS

INPUTS = 25


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="forks, and limits memory by what /proc says")
def test_mutated_files_of_every_kind_are_read_or_refused_in_words():
    command = [sys.executable, "-m", "tests.fuzz", "--kind", "all", "--inputs", str(INPUTS), "--seed", "0"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(command, cwd=Path(__file__).parents[1], env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    counted = re.findall(rf"^(\w+): {INPUTS} inputs, seed 0: (\d+) \w+(?:, (\d+) \w+)?$", ended.stdout, re.MULTILINE)
    assert {kind: int(one) + int(other or 0) for kind, one, other in counted} == dict.fromkeys(KINDS, INPUTS)


def test_through_the_installed_command_too_a_file_is_read_or_refused():
    command = [sys.executable, "-m", "tests.fuzz", "--kind", "toml", "--inputs", "3", "--seed", "0", "--command"]
    ended = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert re.match(r"toml: 3 inputs, seed 0: \d (read|refused)", ended.stdout)


@pytest.mark.parametrize(
    "line",
    [
        '7 execve("/bin/sh", ["sh"], 0x7ffd /* 3 vars */) = 0',
        '7 openat(AT_FDCWD</tmp/x>, "/etc/passwd", O_WRONLY|O_CREAT, 0666) = 3</etc/passwd>',
        '7 openat(AT_FDCWD</tmp/x>, "../other", O_RDWR) = 3</tmp/other>',
        '7 unlink("/tmp/other") = 0',
        '7 unlinkat(4</tmp/other>, "x", 0) = 0',
        '7 mkdir("../other", 0777) = 0',
        '7 rename("/tmp/x/a", "/tmp/b") = 0',
        "7 connect(3<socket:[1]>, {sa_family=AF_INET, sin_port=htons(80)}, 16) = 0",
    ],
)
def test_what_a_command_touches_outside_of_its_folder_is_seen(tmp_path, line):
    started = '7 execve("/usr/bin/spear-deploy", ["spear-deploy"], 0x7ffd /* 3 vars */) = 0'
    harmless = (
        '7 openat(AT_FDCWD</tmp/x>, "/etc/passwd", O_RDONLY|O_CLOEXEC) = 3</etc/passwd>',
        '7 openat(AT_FDCWD</tmp/x>, "report.html", O_WRONLY|O_CREAT, 0666) = 3</tmp/x/report.html>',
        '7 unlink("/tmp/other") = -1 ENOENT (No such file or directory)',
        '7 unlinkat(4</tmp/x/y>, "z", 0) = 0',
        '7 mkdir("inside", 0777) = 0',
        '7 mkdir("/tmp/x/inside", 0777) = 0',
    )
    trace = tmp_path / "trace"
    trace.write_text("\n".join([started, *harmless]))
    assert touched(trace, Path("/tmp/x")) == ""
    trace.write_text("\n".join([started, *harmless, line]))
    assert touched(trace, Path("/tmp/x")) == line
