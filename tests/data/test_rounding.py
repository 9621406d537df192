"""Values that float64 tells apart and float32 does not: labels are refused by it, samples are told."""

import numpy as np
import pytest

from spear_deploy.data import Dataset, data_of, load_data
from spear_deploy.data.rounding import columns
from spear_deploy.data.stored import InFile
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
    assert "float32, of 24 bits, rounds to steps of 128; subtract what all have in common (y - y_train.min(0))" in str(
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


KINDS = ("arrays", "npz", "folder", "samples")


def handed_over(kind, folder, arrays):
    """The same arrays by each way that there is."""
    if kind == "arrays":
        return Dataset.of_arrays("mine", **arrays)
    if kind == "npz":
        np.savez(folder / "mine.npz", **arrays)
        return load_data(folder / "mine.npz")
    if kind == "folder":
        for name, array in arrays.items():
            np.save(folder / f"{name}.npy", array)
        return load_data(folder)
    parts = {part: list(zip(arrays[f"x_{part}"], arrays[f"y_{part}"], strict=True)) for part in ("train", "test")}
    return data_of(parts["train"], parts["test"])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", ["train", "test"])
def test_labels_that_float32_rounds_are_refused_from_every_source_and_in_every_split(kind, part, tmp_path):
    arrays = {f"x_{each}": np.ones((40, 3), np.float32) for each in ("train", "test")}
    arrays |= {f"y_{each}": SPREAD + (UNIX_S if each == part else 0) for each in ("train", "test")}
    with pytest.raises(DataError, match=f": y_{part} goes from 1700000000.0 to 1700000060.0, which float32"):
        handed_over(kind, tmp_path, arrays)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize("number", [np.float64, ">f8", np.int64])
def test_samples_that_float32_rounds_are_told_from_every_source_and_in_every_split(kind, part, number, tmp_path):
    arrays = {f"x_{each}": np.zeros((200, 2)) for each in ("train", "test")}  # in files read by 64
    arrays[f"x_{part}"][:, 1] = UNIX_S + np.arange(200) // 4
    arrays |= {f"y_{each}": np.arange(200) % 2 for each in ("train", "test")}
    arrays = {name: array.astype(number) if name.startswith("x") else array for name, array in arrays.items()}
    (line,) = handed_over(kind, tmp_path, arrays).notices
    assert line.startswith(f"x_{part}[:, 1] goes from 1700000000.0 to 1700000049.0, which float32")


def test_what_is_told_of_training_samples_is_not_told_again_of_others():
    x = UNIX_S + SPREAD[:, None]
    assert len(made(x).notices) == 1


def test_a_split_that_differs_by_little_beside_what_is_learned_is_told_apart():
    train, test = np.linspace(0, 1e9, 40), 1e9 + np.linspace(0, 1000, 5)  # 16 steps of 64, of 1e9
    y = np.arange(40) % 2
    assert columns("test", test).rounded().step == 64
    x = {"x_train": train[:, None], "x_test": test[:, None]}
    assert Dataset.of_arrays("mine", **x, y_train=y, y_test=y[:5]).notices == ()
    assert Dataset.of_arrays("mine", **x, y_train=train, y_test=test).notices == ()


def test_samples_in_files_are_read_no_more_often_for_it(tmp_path, monkeypatch):
    for name, array in (("x_train", np.ones((200, 3))), ("x_test", np.ones((70, 3)))):
        np.save(tmp_path / f"{name}.npy", array)
    read, given = [], InFile._read
    monkeypatch.setattr(InFile, "_read", lambda self: read.extend(self.rows) or given(self))
    load_data(tmp_path)
    assert sorted(read) == sorted([*range(200), *range(70)])


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
    assert columns("x", column).rounded() is None


def test_the_steps_are_those_between_neighbours_of_float32():
    found = columns("x", -(UNIX_S + SPREAD)).rounded()
    assert (found.column, found.least, found.most, found.step) == ("x", -UNIX_S - 60, -UNIX_S, 128)
    assert np.nextafter(np.float32(UNIX_S), np.float32(np.inf)) - np.float32(UNIX_S) == 128
