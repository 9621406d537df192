"""A fixed sample of the fuzzer, from a process of its own: a fork of this one would inherit its threads' locks."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

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
