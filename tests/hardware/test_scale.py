"""A million neurons are placed in seconds of the processor, and cost grows about linearly."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def table_of(benchmark):
    """The lines that it prints."""
    command = [sys.executable, "-m", f"benchmarks.{benchmark}"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.mark.slow
def test_a_million_neurons_place_in_5_seconds_and_1_gib():
    rows = [re.sub(",", "", line).split() for line in table_of("placement")[1:]]
    neurons, _, seconds, each, peak = (float(value) for value in rows[-1])
    assert neurons >= 1_000_000
    assert seconds <= 5
    assert peak <= 1024
    assert each <= 3 * float(rows[-3][3])


@pytest.mark.slow
def test_a_million_neurons_are_placed_and_timed_from_recorded_spikes_in_60_seconds_and_2_gib():
    neurons, _, seconds, peak = (float(value) for value in table_of("timing")[1].replace(",", "").split())
    assert neurons >= 1_000_000
    assert seconds <= 60
    assert peak <= 2048
