import subprocess
import sys
from pathlib import Path

from made_task import write_task

ROOT = Path(__file__).parents[2]


def test_a_job_that_is_killed_three_times_in_a_row_ends_as_if_nobody_had(tmp_path):
    """See benchmarks/kills.py, which does it fifty times to the shipped model."""
    few = ("--lre-samples", "8", "--evaluations", "6", "--finalists", "1", "--plain-epochs", "1", "--epochs", "2")
    job = (str(write_task(tmp_path)), *few, "--workers", "1", "--no-lava")
    command = (sys.executable, "-m", "benchmarks.kills", "--out", str(tmp_path / "out"), "--kills", "3", "--", *job)
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    said = done.stdout.splitlines()[-1] if done.stdout else done.stderr
    assert done.returncode == 0, done.stdout + done.stderr
    assert said.startswith("3 kills over ")
    assert said.endswith("as undisturbed; 0 steps made twice; left over in the cache: nothing")
