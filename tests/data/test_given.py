"""Arrays from Python, whatever they lie in: the same data, or a line that names the array."""

import warnings

import numpy as np
import pytest
import torch

from spear_deploy.data import Dataset, data_of
from spear_deploy.errors import DataError

RNG = np.random.default_rng(0)
X = RNG.poisson(0.8, (30, 4, 6)).astype(np.uint8)
Y = RNG.integers(0, 3, 30)


def made(x_test):
    return Dataset.of_arrays(x_train=X[:20], y_train=Y[:20], x_test=x_test, y_test=Y[20:])


def read_only(x):
    x = x.copy()
    x.flags.writeable = False
    return x


SAME = {
    "lists": lambda x: x.tolist(),
    "float64, the other byte order": lambda x: x.astype(">f8"),
    "the axes in another order in memory": lambda x: np.asfortranarray(x),
    "from the last to the first": lambda x: x[::-1].copy()[::-1],
    "read only": read_only,
    "bfloat16": lambda x: torch.from_numpy(x).bfloat16(),
    "floats of 8 bits": lambda x: torch.from_numpy(x).to(torch.float8_e4m3fn),
    "a list of bfloat16": lambda x: list(torch.from_numpy(x).bfloat16()),
    "a list with gradients": lambda x: list(torch.from_numpy(x).float().requires_grad_()),
    "sparse": lambda x: torch.from_numpy(x).float().to_sparse(),
    "with a gradient": lambda x: torch.from_numpy(x).float().requires_grad_(),
    "masked nowhere": lambda x: np.ma.masked_array(x),
}


@pytest.mark.parametrize("held", SAME.values(), ids=SAME)
def test_the_same_samples_are_the_same_data_however_they_are_held(held):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert made(held(X[20:])).sha256 == made(X[20:].astype(np.float32)).sha256


@pytest.mark.parametrize("held", SAME.values(), ids=SAME)
def test_sets_of_samples_take_what_arrays_are_taken_from(held):
    train, test = (list(zip(x, y, strict=True)) for x, y in ((X[:20], Y[:20]), (held(X[20:]), Y[20:])))
    assert data_of(train, test).sha256 == made(X[20:].astype(np.float32)).sha256


def test_a_data_set_stays_as_it_is_whatever_becomes_of_the_arrays_it_was_made_of():
    mine = X[20:].copy()
    data = made(mine)
    mine[:] = 0
    assert np.array_equal(data.test.x[0], X[20])


@pytest.mark.parametrize(
    ("x_test", "reason"),
    [
        (np.ma.masked_equal(X[20:], 0), r"x_test has values that are masked: say what they are, x_test.filled\(0\)"),
        (torch.empty(X[20:].shape, device="meta"), "x_test is a tensor without values"),
        (X[20:].astype(complex), "x_test must hold numbers, found complex128"),
    ],
)
def test_what_holds_no_numbers_is_refused_by_the_name_of_its_array(x_test, reason):
    with pytest.raises(DataError, match=reason):
        made(x_test)
