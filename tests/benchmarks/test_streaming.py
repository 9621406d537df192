import json
import subprocess
import sys

import numpy as np
import pytest
from made_networks import Chain

from benchmarks.streaming import OTHERS, multiply_adds, write_events
from spear_deploy.data import load_data
from spear_deploy.data.stored import InFile

STEPS, SIZE = 8, 32
SHAPE = (STEPS, 2, SIZE, SIZE)
FEW, MANY = 500, 16000
"""A process may keep 32 MiB that it does not use (`system.memory.GROWTH_BYTES`): the data have to be far larger."""


def peaks_mib(folder, samples):
    """The most memory of a process that measures so many samples, and trains on them, by stage."""
    told = folder / "peaks.json"
    command = [sys.executable, "-m", "benchmarks.streaming", "--samples", str(samples), "--size", str(SIZE)]
    command += ["--steps", str(STEPS), "--batch", "32", "--widths", "2", "4", "8"]
    command += ["--folder", str(folder), "--json", str(told)]
    subprocess.run(command, check=True, capture_output=True)
    return {row["stage"]: row["peak_mib"] for row in json.loads(told.read_text())}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how much memory a process took at most")
def test_thirty_two_times_the_samples_in_a_folder_take_no_more_memory(tmp_path):
    few, many = peaks_mib(tmp_path, FEW), peaks_mib(tmp_path, MANY)
    more = (MANY - FEW) * np.prod(SHAPE) / 2**20
    assert more > 242, "a byte each; in float32 four times as much"
    for stage in ("measure", "one epoch"):
        assert many[stage] - few[stage] < more / 2, stage


def test_the_events_that_are_written_are_read_from_where_they_lie(tmp_path):
    write_events(tmp_path / "events", 70, SHAPE)
    data = load_data(tmp_path / "events")
    assert isinstance(data.train.x, InFile)
    assert [len(split) for split in data.splits] == [70, OTHERS, OTHERS]
    assert data.sample_shape == SHAPE
    assert float(data.train.x[:].float().mean()) == pytest.approx(1 / 8, abs=0.01)


def test_multiply_adds_of_a_step_are_every_weight_at_every_place():
    chain = Chain((2, 8, 8)).conv("conv", 4, kernel=3, padding=1).neurons("a").flatten().linear("fc", 5).neurons("b")
    assert multiply_adds(chain.model(time_steps=3)) == 8 * 8 * 4 * 2 * 9 + 4 * 8 * 8 * 5
