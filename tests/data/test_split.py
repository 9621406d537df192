"""Parts of a data set by the numbers of their samples."""

import numpy as np
import pytest
import torch

from spear_deploy.data import Split, SplitName
from spear_deploy.errors import DataError


def split():
    """Six samples that hold their own number, of a file where they stand from 10 on."""
    numbers = torch.arange(6)
    return Split(SplitName.TEST, numbers[:, None].float(), numbers % 2, "file", np.arange(10, 16))


@pytest.mark.parametrize(
    ("part", "taken"),
    [
        ([1, 1, 4], [1, 1, 4]),
        (np.array([5, 0]), [5, 0]),
        (torch.tensor([2]), [2]),
        ([-1, -6], [5, 0]),
        ([], []),
        ([False, True, False, False, True, False], [1, 4]),
        (slice(1, 3), [1, 2]),
        (slice(None, None, 2), [0, 2, 4]),
        (slice(None, None, -3), [5, 2]),
        (slice(4, 100), [4, 5]),
    ],
)
def test_samples_are_taken_by_number_with_labels_and_places(part, taken):
    found = split().take(part)
    assert found.x[:, 0].tolist() == taken
    assert found.y.tolist() == [number % 2 for number in taken]
    assert found.index.tolist() == [10 + number for number in taken]


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ([200], "test holds 6 samples, from 0 on: there is no sample 200"),
        ([0, -7], "there is no sample -7"),
        ([0.5], r"samples of test are taken by their numbers, or by a slice, found \[0.5\]"),
        (3, "found 3"),
        (None, "found None"),
        ("ab", "found 'ab'"),
        ([[1], [2, 3]], "taken by their numbers"),
        (slice(0, 2.5), "taken by their numbers"),
        (slice(None, None, 0), "taken by their numbers"),
        ([True, False], "taken by their numbers"),
    ],
)
def test_what_names_no_samples_is_told(part, said):
    with pytest.raises(DataError, match=said):
        split().take(part)


def test_the_first_are_all_where_there_are_no_more():
    assert [len(split().first(count)) for count in (0, 2, np.int64(3), 100)] == [0, 2, 3, 6]


@pytest.mark.parametrize("count", [-1, 2.5, None, True, "2"])
def test_no_number_of_samples_is_told(count):
    with pytest.raises(DataError, match="the first samples of test are a whole number from 0 on, found"):
        split().first(count)
