"""Values that float64 tells apart and float32 does not: labels are refused by it, samples are told."""

import numpy as np
import pytest

from spear_deploy.data import Dataset, data_of
from spear_deploy.data.rounding import rounded
from spear_deploy.errors import DataError

UNIX_S = 1.7e9
"""Between 2^30 and 2^31, where numbers of float32 are 128 apart."""

SPREAD = np.linspace(0, 60, 40)


def made(x=None, y=None):
    x = np.ones((40, 3), np.float32) if x is None else x
    y = np.arange(40) % 2 if y is None else y
    return Dataset.of_arrays("mine", x_train=x, y_train=y, x_test=x, y_test=y)


@pytest.mark.parametrize("column", [0, 1])
def test_values_that_float32_rounds_to_one_are_refused_by_their_column(column):
    y = np.stack([SPREAD, SPREAD], 1)
    y[:, column] += UNIX_S
    with pytest.raises(
        DataError, match=rf"mine: y_train\[:, {column}\] goes from 1700000000.0 to 1700000060.0, which"
    ) as no:
        made(y=y)
    assert "float32, of 24 bits, rounds to steps of 128; subtract what all have in common (y - y.min(0))" in str(
        no.value
    )
    assert made(y=y - y.min(0)).train.y.shape[1] == 2
    with pytest.raises(DataError, match="mine: y_train goes from"):
        made(y=y[:, column])
    with pytest.raises(DataError, match="y_train goes from"):
        data_of([(np.ones(3), value) for value in y[:, column]], [(np.ones(3), 0.0)] * 2)


def test_samples_that_float32_rounds_are_told_by_their_place():
    x = np.zeros((40, 2, 3))
    x[:, 1, 2] = UNIX_S + SPREAD
    (line,) = made(x).notices
    assert line.startswith("x_train[:, 1, 2] goes from 1700000000.0 to 1700000060.0, which float32")
    assert made(np.round(x[:, 1]).astype(np.int64)).notices[0].startswith("x_train[:, 2] goes from")
    assert made(x - x.min(0)).notices == made(x.astype(np.float32)).notices == ()


@pytest.mark.parametrize(
    "column",
    [
        UNIX_S + 1000 * SPREAD,  # 469 steps of 128
        128.0 * np.arange(40) + 2.0**30,  # float32 holds each
        2**24 - np.arange(40),  # whole numbers up to 2^24 are held
        np.full(40, 0.1),
        0.1 + np.spacing(0.1) * np.arange(40),  # rounding of float64, no values
        np.linspace(0, 1, 40),
        SPREAD.astype(np.float32) + np.float32(UNIX_S),  # they came so
        np.arange(40) > 20,
    ],
)
def test_columns_that_lose_nothing_are_no_ones_business(column):
    assert rounded("x", column) is None


def test_the_steps_are_those_between_neighbours_of_float32():
    found = rounded("x", -(UNIX_S + SPREAD))
    assert (found.column, found.least, found.most, found.step) == ("x", -UNIX_S - 60, -UNIX_S, 128)
    assert np.nextafter(np.float32(UNIX_S), np.float32(np.inf)) - np.float32(UNIX_S) == 128
