"""Data as people have them: taken as they are meant, or refused with what was found and the way out."""

import re

import numpy as np
import pytest
import scipy.sparse
import torch
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from spear_deploy.data import Dataset, check_fits, data_of, load_data
from spear_deploy.errors import DataError

SHAPE, CLASSES = (2, 4, 4), 4
RNG = np.random.default_rng(0)
X, Y = RNG.random((40, *SHAPE)), np.arange(40) % CLASSES


def made(x=X, y=Y, **more):
    return Dataset.of_arrays("mine", **{"x_train": x, "y_train": y, "x_test": x, "y_test": y, **more})


def suits(data, encoding="direct"):
    check_fits(data, encoding, SHAPE, CLASSES)
    return data


@pytest.mark.parametrize("held", [np.asfortranarray(X), X.astype(">f8"), X[::-1][::-1], X.tolist()])
@pytest.mark.parametrize("labels", [Y.astype(">i2"), Y.astype(np.uint64), Y.tolist()])
def test_the_order_of_bytes_and_axes_in_memory_changes_nothing(held, labels):
    assert suits(made(held, labels)).sha256 == made().sha256


@pytest.mark.parametrize(
    ("labels", "way_out"),
    [
        (Y + 1, "labels go up to 4, the network has 4 outputs (labels 0 to 3); they start at 1: write y - 1"),
        (np.eye(CLASSES)[Y], "floats of one-hot rows; write y.argmax(1)"),
        (np.eye(CLASSES, dtype=bool)[Y], "found bool of one-hot rows; write y.argmax(1)"),
        (np.array(["cat", "dog", "cow", "hen"])[Y], "found <U3; number the classes, alike in all splits: numpy.sear"),
        (Y.astype(object), "found object; number the classes"),
    ],
)
def test_labels_that_are_no_classes_from_0_are_refused_with_the_way_to_them(labels, way_out):
    with pytest.raises(DataError, match=re.escape(way_out)):
        suits(made(y=labels))


def test_the_way_from_names_to_numbers_numbers_all_splits_alike():
    names = np.array(["cow", "hen", "cat"])
    np.testing.assert_array_equal(np.searchsorted(np.unique(names), ["hen", "cow"]), [2, 1])


def test_labels_that_start_at_1_and_fit_are_told():
    assert made(y=Y % 3 + 1).notices == (
        "labels start at 1, and no sample is of class 0: where they number classes from 1 on, write y - 1",
    )
    assert made(y=Y % 3 + 1, y_test=Y).notices == ()
    assert made(y=2 * (Y % 2)).notices == ()  # a gap is no fault


@pytest.mark.parametrize(
    ("x", "encoding", "way_out"),
    [
        (np.moveaxis(X, 1, -1), "direct", "where channels stand last, write numpy.moveaxis(x, -1, 1)"),
        (np.moveaxis(np.stack([X] * 3, 1), 2, -1), "sequence", "write numpy.moveaxis(x, -1, 2)"),
        (X.reshape(40, 32), "direct", "samples are 32 a time step, .*; write x.reshape(len(x), 2, 4, 4) where"),
        (X.reshape(40, 8, 4)[:, None], "sequence", "write x.reshape(*x.shape[:2], 2, 4, 4) where the order is that"),
        (np.stack([X] * 3, 1), "direct", "samples with time, T first, take another encoding"),
    ],
)
def test_samples_of_another_order_are_refused_with_the_way_to_it(x, encoding, way_out):
    with pytest.raises(DataError, match=re.escape(way_out).replace(r"\.\*", ".*")):
        suits(made(x), encoding)


def test_the_ways_out_lead_to_samples_that_fit():
    suits(made(np.moveaxis(np.moveaxis(X, 1, -1), -1, 1)))
    timed = np.stack([X] * 3, 1)
    suits(made(np.moveaxis(np.moveaxis(timed, 2, -1), -1, 2)), "sequence")
    suits(made(timed.reshape(40, 3, 8, 4).reshape(*timed.shape[:2], *SHAPE)), "sequence")


def test_time_before_samples_is_told_by_the_labels():
    with pytest.raises(DataError, match=r"x_train holds 3 samples and y_train 40 labels: .* write x.swapaxes\(0, 1\)"):
        made(np.stack([X] * 3))
    suits(made(np.stack([X] * 3).swapaxes(0, 1)), "sequence")


def test_the_first_sample_that_is_not_finite_is_named_in_memory_and_in_files(tmp_path):
    x = np.concatenate([X] * 4)
    x[131, 1, 2, 3] = np.nan
    with pytest.raises(DataError, match=r"x_train holds values that are not finite .*, first in sample 131"):
        made(x, np.arange(160) % 4)
    for name in ("x_train", "x_test"):
        np.save(tmp_path / f"{name}.npy", x)
    with pytest.raises(DataError, match=r"x_train holds values that are not finite .*, first in sample 131"):
        load_data(tmp_path)


@pytest.mark.parametrize("x", [(255 * X).astype(np.uint8), 255 * X])
def test_splits_of_which_one_alone_is_scaled_are_told(x):
    (line,) = made(x_train=x, x_test=(X > 0.5).astype(float)).notices
    assert re.fullmatch(r"x_train goes up to 25\d(\.\d+)?, x_test to 1: scale both alike, as by x / 255", line)
    assert made(x).notices == made(X > 0.5).notices == ()


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (X.astype(object), r"must hold numbers, found object; samples of one shape become numbers by x\.astype"),
        (scipy.sparse.csr_array(X.reshape(40, -1)), r"x_train is a sparse matrix: write x_train\.toarray\(\)"),
    ],
)
def test_arrays_that_hold_no_numbers_of_their_own_are_refused(x, said):
    with pytest.raises(DataError, match=f"mine: x_train {said}|mine: {said}"):
        made(x)


def test_an_array_in_columns_is_refused_and_not_called_damaged(tmp_path):
    for name in ("x_train", "x_test"):
        np.save(tmp_path / f"{name}.npy", np.asfortranarray(X))
    with pytest.raises(DataError, match=rf"^{tmp_path}: x_test.npy: is in Fortran order; write it with"):
        load_data(tmp_path)


def test_names_in_a_folder_are_told_as_labels_of_an_npz_are(tmp_path):
    for name, array in {"x_train": X, "x_test": X, "y_train": Y.astype(str), "y_test": Y.astype(str)}.items():
        np.save(tmp_path / f"{name}.npy", array)
    with pytest.raises(DataError, match=r"y_train must hold integers .*found <U21; number the classes"):
        load_data(tmp_path)


@pytest.mark.parametrize("names", [(), ("X_train.npy", "Y_train.npy"), ("a.bin",), ("train_images.npz",)])
def test_a_folder_without_arrays_and_classes_is_told_what_it_lacks_and_holds(tmp_path, names):
    for name in names:
        (tmp_path / name).write_bytes(b"")
    found = ", ".join(names) or "nothing"
    with pytest.raises(DataError, match=rf"holds neither x_train\.npy, .* nor a folder a class .*; found {found}$"):
        load_data(tmp_path)


def test_the_suffix_of_an_npz_may_be_in_capitals(tmp_path):
    np.savez(tmp_path / "mine.npz", x_train=X, x_test=X)
    (tmp_path / "mine.npz").rename(tmp_path / "MINE.NPZ")
    assert load_data(tmp_path / "MINE.NPZ").sample_shape == SHAPE


class Endless(IterableDataset):
    def __iter__(self):
        return iter([(X[0], 0)])


PAIRS = TensorDataset(torch.tensor(X), torch.tensor(Y))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (DataLoader(PAIRS, 8), r"samples by number, found DataLoader; give the set that it loads, loader\.dataset"),
        (Endless(), r"samples by number, found Endless; list\(\.\.\.\) makes one"),
        (iter(PAIRS), "samples by number, found generator|iterator"),
        ([{"image": X[0], "label": 0}] * 9, r"train 0 is a dict, where \(sample, label\) is needed"),
        ([(X[0], 0, "where")] * 9, r"train 0 is a tuple of 3, where \(sample, label\) is needed"),
        ([X[0]] * 9, r"train 0 is a ndarray, where \(sample, label\) is needed"),
    ],
)
def test_what_gives_no_sample_and_label_by_number_is_refused(given, said):
    assert len(data_of(PAIRS, PAIRS).test) == 40
    with pytest.raises(DataError, match=said):
        data_of(given, PAIRS)
