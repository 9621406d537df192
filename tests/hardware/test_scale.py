"""A million neurons are placed in seconds, and cost grows about linearly."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "placement.py"


@pytest.mark.slow
def test_a_million_neurons_place_in_5_seconds_and_1_gib():
    table = subprocess.run([sys.executable, str(BENCHMARK)], capture_output=True, text=True, check=True).stdout
    rows = [re.sub(",", "", line).split() for line in table.splitlines()[1:]]
    neurons, _, seconds, each, peak = (float(value) for value in rows[-1])
    assert neurons >= 1_000_000
    assert seconds <= 5
    assert peak <= 1024
    assert each <= 3 * float(rows[-3][3])


@pytest.mark.slow
def test_a_million_neurons_are_placed_and_timed_from_recorded_spikes_in_60_seconds_and_2_gib():
    script = BENCHMARK.with_name("timing.py")
    table = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=True).stdout
    neurons, _, seconds, peak = (float(value) for value in table.splitlines()[1].replace(",", "").split())
    assert neurons >= 1_000_000
    assert seconds <= 60
    assert peak <= 2048
