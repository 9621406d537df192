"""A folder for each class: what is read of it, what is told, and what is refused."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from made_recordings import SHAPE, events, write

from spear_deploy.data import Frames, load_data
from spear_deploy.errors import DataError


def folder(root, *, split):
    for part in ("Train", "Test") if split else ("",):
        for label in (0, 2, 10):
            (root / part / str(label)).mkdir(parents=True)
            for number in range(5):
                write(events(seed=label * 10 + number), root / part / str(label) / f"{number}.bin")
    return root


def test_folders_by_class_are_a_data_set(tmp_path):
    data = load_data(folder(tmp_path, split=True), input_shape=SHAPE, time_steps=6)
    assert (len(data.train), len(data.validation), len(data.test)) == (12, 3, 15)
    assert data.test.y.tolist() == [0] * 5 + [1] * 5 + [2] * 5
    np.testing.assert_array_equal(data.test.x[10], Frames(6, SHAPE).of(events(seed=100), "a"))


def test_of_folders_without_test_a_fifth_of_each_class_is_held_out(tmp_path):
    data = load_data(folder(tmp_path, split=False), input_shape=SHAPE, time_steps=6)
    assert data.test.y.bincount().tolist() == [1, 1, 1]
    with pytest.raises(DataError, match="say its input_shape and time_steps"):
        load_data(tmp_path)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"binning": "Count"}, "'Count': no such binning; known: time, count"),
        ({"binning": ""}, "'': no such binning; known: time, count"),
        ({"time_steps": 0}, r"at least 1 time step of .* found time_steps = 0, input_shape = 2 x 4 x 5"),
        ({"input_shape": (2, 0, 5)}, r"found time_steps = 6, input_shape = 2 x 0 x 5"),
        ({"input_shape": (2, 4, -5)}, r"found time_steps = 6, input_shape = 2 x 4 x -5"),
    ],
)
def test_frames_that_no_network_takes_are_refused(tmp_path, asked, said):
    with pytest.raises(DataError, match=said):
        load_data(folder(tmp_path, split=False), **{"input_shape": SHAPE, "time_steps": 6} | asked)


@pytest.mark.parametrize("name", ["validation", "Val", "valid", "dev"])
def test_a_folder_of_validation_is_what_choices_are_made_on(tmp_path, name):
    path = folder(tmp_path, split=True)
    for label in (0, 2, 10):
        (path / name / str(label)).mkdir(parents=True)
        write(events(seed=50 + label), path / name / str(label) / "a.bin")
    data = load_data(path, input_shape=SHAPE, time_steps=6)
    assert (len(data.train), len(data.validation), len(data.test)) == (15, 3, 15)
    assert data.validation.y.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(data.validation.x[2], Frames(6, SHAPE).of(events(seed=60), "a"))


def test_a_class_may_be_called_by_a_digit_that_is_no_number(tmp_path):
    names = ("2", "10", "²")
    for seed, name in enumerate(names):
        (tmp_path / name).mkdir()
        for number in range(5):
            write(events(seed=seed), tmp_path / name / f"{number}.bin")
    data = load_data(tmp_path, input_shape=SHAPE, time_steps=6)
    for label in range(3):
        np.testing.assert_array_equal(data.test.x[label], Frames(6, SHAPE).of(events(seed=label), "a"))


@pytest.mark.parametrize(
    ("split", "more", "said"),
    [
        (
            True,
            "extra/0",
            ": extra is read by no one: beside train and test stands validation; move other folders away",
        ),
        (True, "val/7", ": 0, 10, 2, 7: a class that Test, Train or val lacks"),
        (True, "train/0", ": Train and train are the same part of the data; keep one of them"),
        (True, "Train/0/monday", "/Train/0: its folder monday is read by no one: recordings stand in the folder of"),
        (False, "validation/0", "/validation: its folder 0 is read by no one: .* train, test and validation"),
    ],
)
def test_a_folder_that_is_read_by_no_one_is_refused(tmp_path, split, more, said):
    path = folder(tmp_path, split=split)
    (path / more).mkdir(parents=True)
    (path / ".cache").mkdir()
    with pytest.raises(DataError, match=f"^{path}{said}"):
        load_data(path, input_shape=SHAPE, time_steps=6)


@pytest.mark.parametrize("split", [True, False])
@pytest.mark.parametrize("name", ["a.bin", "a.npy", "a.H5", "a.npz", "a.raw"])
def test_recordings_of_no_class_are_refused_by_how_many_and_one_of_them(tmp_path, split, name):
    path = folder(tmp_path, split=split)
    for place in ("Train", "Test") if split else ("",):
        (path / place / name).write_bytes(b"events")
    how_many, one = (r"2 recordings lie", f"Test/{name}") if split else ("1 recording lies", name)
    with pytest.raises(
        DataError, match=f"^{path}: {how_many} in no folder of a class, such as {one}, and .* move them"
    ):
        load_data(path, input_shape=SHAPE, time_steps=6)


def test_other_files_of_no_class_are_told_and_hidden_ones_are_not(tmp_path):
    path = folder(tmp_path, split=True)
    for name in (".DS_Store", "Train/.hidden.bin"):
        (path / name).write_bytes(b"")
    assert load_data(path, input_shape=SHAPE, time_steps=6).notices == ()
    for name in ("README.txt", "Test/7.png"):
        (path / name).write_bytes(b"")
    (line,) = load_data(path, input_shape=SHAPE, time_steps=6).notices
    assert line == "2 files are passed over that lie in no folder of a class, such as README.txt"


@pytest.mark.parametrize("split", [True, False])
def test_a_class_that_holds_no_recording_to_learn_from_is_refused(tmp_path, split):
    path = folder(tmp_path, split=split)
    for place in ("Train", "Test") if split else ("",):
        (path / place / "7").mkdir()
    named = path / "Train" / "7" if split else path / "7"
    with pytest.raises(DataError, match=f"^{named}: holds no recordings, so that its class cannot be learned"):
        load_data(path, input_shape=SHAPE, time_steps=6)


def test_a_link_that_leads_nowhere_is_not_passed_over(tmp_path):
    path = folder(tmp_path, split=False)
    (path / "2" / "9.bin").symlink_to(tmp_path / "gone.bin")
    with pytest.raises(DataError, match=f"^{path}/2/9.bin: no file that can be read, but a link that leads nowhere"):
        load_data(path, input_shape=SHAPE, time_steps=6)


def test_a_folder_of_a_class_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    path = folder(tmp_path, split=False)
    listed = os.listdir

    def forbidden(place):
        if Path(place) == path / "2":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(place))
        return listed(place)

    monkeypatch.setattr(os, "listdir", forbidden)
    with pytest.raises(DataError, match=rf"^{path}/2: cannot be read \(Permission denied\)$"):
        load_data(path, input_shape=SHAPE, time_steps=6)
