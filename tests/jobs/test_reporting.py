import numpy as np
import pytest

from spear_deploy.jobs.deploy.reporting import _runs


@pytest.mark.parametrize(
    ("index", "text"),
    [
        ([], ""),
        ([7], "7"),
        ([0, 1, 2, 3], "0-3"),
        ([4, 5, 9, 2, 3, 1], "4-5,9,2-3,1"),
        ([3, 2, 1], "3,2,1"),
    ],
)
def test_runs_of_sample_numbers_are_written_as_first_last_in_order(index, text):
    assert _runs(np.array(index, dtype=np.int64)) == text


def test_sample_numbers_can_be_read_back_from_their_runs():
    index = np.random.default_rng(0).permutation(200)[:150]
    read = []
    for run in _runs(index).split(","):
        first, _, last = run.partition("-")
        read += range(int(first), int(last or first) + 1)
    assert read == index.tolist()
