"""Recordings of events: read from every kind of file, checked, and binned as the model says."""

import base64
import sys
import zlib
from importlib.metadata import EntryPoint
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from made_recordings import INTEGERS, KINDS, SHAPE, columns, events, structured, write

from spear_deploy.data import Binning, Frames, data_of, load_data, recordings
from spear_deploy.data.events import Recording
from spear_deploy.data.recordings import read_recording, recording_of
from spear_deploy.errors import DataError
from tests.unreadable import forbid


def by_hand(recording, steps, frame_of):
    found = np.zeros((steps, *SHAPE), dtype=int)
    for number in range(len(recording)):
        place = recording.polarity[number], recording.y[number], recording.x[number]
        found[(frame_of(number), *place)] += 1
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_a_recording_is_the_same_in_every_kind_of_file(tmp_path, kind):
    wanted = events()
    found = read_recording(write(wanted, tmp_path / f"a.{kind}"))
    for field, values in vars(wanted).items():
        np.testing.assert_array_equal(getattr(found, field), values)


def test_frames_are_of_equal_duration_or_of_equally_many_events():
    recording = events()
    last, first = recording.time_us[-1], recording.time_us[0]
    by_time = by_hand(recording, 6, lambda number: (recording.time_us[number] - first) * 6 // (last - first + 1))
    by_count = by_hand(recording, 6, lambda number: number * 6 // len(recording))
    np.testing.assert_array_equal(Frames(6, SHAPE).of(recording, "a"), by_time)
    np.testing.assert_array_equal(Frames(6, SHAPE, Binning.COUNT).of(recording, "a"), by_count)
    np.testing.assert_array_equal(Frames(6, (1, 4, 5)).of(recording, "a")[:, 0], by_time.sum(1))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"x": 9}, "a: event 3 has x = 9, the network's input has 0 to 4"),
        ({"y": -1}, "a: event 3 has y = -1, the network's input has 0 to 3"),
        ({"time_us": 0}, "a: the clock runs backwards after event 2"),
    ],
)
def test_events_that_cannot_be_are_refused_by_number(change, said):
    recording = events()
    for field, value in change.items():
        getattr(recording, field)[3] = value
    recording.time_us[2] = max(recording.time_us[2], 1)
    with pytest.raises(DataError, match=said):
        Frames(6, SHAPE).of(recording, "a")


@pytest.mark.parametrize(("first", "last"), [(0, 2**62), (-(2**62), 2**62), (-(2**63), 2**63 - 1)])
def test_a_clock_that_no_recording_runs_is_refused(first, last):
    ones = np.ones(3, np.int64)
    recording = recording_of({"x": ones, "y": ones, "t": np.array([first, 0, last]), "p": ones}, "a")
    with pytest.raises(DataError, match=rf"a: the clock goes from {first} to {last} us, [\d,]+ years; a time in it"):
        Frames(6, SHAPE).of(recording, "a")
    assert Frames(3, SHAPE, Binning.COUNT).of(recording, "a").sum() == 3


@pytest.mark.parametrize(
    ("times", "said"),
    [
        (np.array([2**63 + 5, 1], np.uint64), "t holds 9223372036854775813; times are whole"),
        (np.array([[0], [1]]), r"t has the shape \(2, 1\), not one number an event"),
    ],
)
def test_times_that_no_clock_tells_are_refused(times, said):
    ones = np.ones(2, np.int64)
    with pytest.raises(DataError, match=said):
        recording_of({"x": ones, "y": ones, "t": times, "p": ones}, "a")


@pytest.mark.parametrize("kind", KINDS[1:])
@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("t", 0.25, "event 3 has ts? = 0.25; times are whole microseconds: of seconds, numpy.rint"),
        ("t", np.nan, "event 3 has ts? = nan; times are whole"),
        ("t", 1e19, r"event 3 has ts? = 1e\+19; times are whole"),
        ("x", 1.5, "event 3 has xs? = 1.5; whole numbers are needed"),
        ("y", 0.5, "event 3 has ys? = 0.5; whole numbers are needed"),
        ("p", 0.5, "event 3 has ps? = 0.5; whole numbers are needed"),
    ],
)
def test_times_in_seconds_and_other_fractions_are_refused_in_every_kind_of_file(tmp_path, kind, field, value, said):
    found = {name: values.astype(float) for name, values in columns(events()).items()}
    path = tmp_path / f"a.{kind}"
    write(Recording(*found.values()), path, ("f8",) * 4)
    np.testing.assert_array_equal(read_recording(path).time_us, events().time_us)  # whole floats are as good
    found[field][3] = value
    write(Recording(*found.values()), path, ("f8",) * 4)
    with pytest.raises(DataError, match=f"^{path}: {said}"):
        read_recording(path)


def test_columns_of_other_things_than_numbers_are_refused():
    with pytest.raises(DataError, match=r"^a{}: p holds <U2; whole numbers are needed"):
        recording_of({"x": [1], "y": [1], "t": [1], "p": np.array(["on"])}, "a{}")


def test_fractions_from_another_packages_reader_are_refused(monkeypatch, tmp_path):
    seconds = Recording(*(values * 1e-6 for values in columns(events()).values()))
    monkeypatch.setattr(recordings, "_offered", lambda entry: lambda path: seconds)
    monkeypatch.setattr(recordings, "entry_points", lambda group: [EntryPoint("board", "board:read", group)])
    with pytest.raises(DataError, match=r"events\.board: event \d+ has x = "):
        read_recording(tmp_path / "events.board")


def test_every_event_counts_however_many_a_pixel_has_in_a_frame(tmp_path):
    for count, kind in ((10, np.uint8), (300, np.uint16), (70_000, np.uint32)):
        zeros = np.zeros(count, int)
        frames = Frames(1, SHAPE).of(Recording(zeros, zeros + 1, np.arange(count), zeros), "a")
        assert (int(frames[0, 0, 1, 0]), int(frames.sum()), frames.dtype) == (count, count, kind)
        for label in ("0", "1"):
            for number in range(10):
                (tmp_path / label).mkdir(exist_ok=True)
                np.savez(tmp_path / label / f"{number}.npz", x=zeros, y=zeros, t=np.arange(count), p=zeros)
        data = load_data(tmp_path, input_shape=SHAPE, time_steps=1)
        assert {int(part.x[:].max()) for part in data.splits} == {count}


def test_truncated_and_unknown_files_are_refused_with_a_way_out(tmp_path):
    path = write(events(), tmp_path / "a.bin")
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(DataError, match="truncated: 198 bytes are no whole number of events"):
        read_recording(path)
    for suffix, said in (("aedat4", r"aedat is installed .*dv-processing"), ("aedat", r"by sensor: read_dvs_128")):
        if suffix == "aedat" or find_spec("aedat") is None:
            (tmp_path / f"a.{suffix}").write_bytes(b"#!AER-DAT4.0")
            with pytest.raises(DataError, match=rf"no reader for \.{suffix}; known: .*\.bin, .*{said}"):
                read_recording(tmp_path / f"a.{suffix}")
    np.savez(tmp_path / "b.npz", x=[1, 2], y=[1, 2], t=[1], p=[0, 0])
    with pytest.raises(DataError, match="truncated: 2 of x, 2 of y, 1 of time_us"):
        read_recording(tmp_path / "b.npz")
    (tmp_path / "cut.npz").write_bytes((tmp_path / "b.npz").read_bytes()[:-40])
    with pytest.raises(DataError, match=r"a damaged recording \(BadZipFile: [^:]*\)$"):  # its cause alone
        read_recording(tmp_path / "cut.npz")
    (tmp_path / "c.h5").write_bytes(b"no")
    with pytest.raises(DataError, match="a damaged recording"):
        read_recording(tmp_path / "c.h5")


AEDAT4 = zlib.decompress(
    base64.b64decode(
        "eNqNU91OE0EU/rDLTzaCVbiAxItxIF5pdyHEq3ZDgRKbWInaADbebLoDTqQzm9nZJnhFfAifxwfyhvACnl13tZQ19iQzOWf3+5m/s/ms3Xn/8r"
        "Dd3234y+5WDVgH0D1+3UEeLtUOHmKJMmCORp3G9xr+xM8HQDMas7EwidSqxXcaPg9cRtFUOhJMhSPR4jq1XXWuOYtD+7nFvaL2Cug03L8H9Ceh"
        "OTy01rAv4qrFh3oUG5Fk/pzZq5gEEmukuuDBm8Fu08uQ/yRrIy+kCi97OkovxVuyn9boaaUP6LsJT420wswoeJzaOLVVgmIslE3+I5NRDkUyND"
        "K2FRs7SBOrRywKbZj/YTq3a8yg2o3IXp5LYaZFOyf9D5UCE1cjq67R9+TUbVZ4J/KrOCstpbI82PGr3CpoH+/Qtl/NQtOpGd47+mE4qtygl+1w"
        "4i1O1GXe9KJx4Jbv/oyGw3vre3s/upTeup+K5sjOEFiglnFoJpADPk+tc1qjaa6ObeDRBh4fLeAdsAowrA7quF4kQhmF7gmlN89L3aN+e/+Obt"
        "GQazllBS+oTR2qnmILK2v49nuJQW0ZT5xFbGJ+CdeDv32LX4FH8vA="
    )
)
"""Four events, as dv-processing writes them."""

STAND_IN = """
import numpy as np

def Decoder(path):
    events = np.array([(5, 3, 1, 1), (5, 0, 15, 0)], [("t", "u8"), ("x", "u2"), ("y", "u2"), (("p", "on"), "?")])
    if path.endswith("damaged.aedat4"):
        raise RuntimeError("failed to fill whole buffer")
    return [{"stream_id": 1, "frame": {}}] if path.endswith("frames.aedat4") else [{"stream_id": 0, "events": events}]
"""


def test_aedat_4_files_are_read_through_the_package_aedat(tmp_path):
    pytest.importorskip("aedat", reason="aedat is missing: pip install aedat")
    path = tmp_path / "a.aedat4"
    path.write_bytes(AEDAT4)
    found = read_recording(path)
    assert found.time_us.tolist() == [5, 5, 70, 90]
    assert (found.x.tolist(), found.y.tolist()) == ([3, 0, 19, 7], [1, 15, 0, 8])
    assert found.polarity.tolist() == [1, 0, 1, 0]
    path.write_bytes(AEDAT4[:700])
    with pytest.raises(DataError, match="a damaged recording"):
        read_recording(path)


def test_what_the_package_aedat_gives_is_a_recording_or_refused(tmp_path, monkeypatch):
    (tmp_path / "aedat.py").write_text(STAND_IN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "aedat", raising=False)
    for name in ("a", "damaged", "frames"):
        (tmp_path / f"{name}.aedat4").write_bytes(b"#!AER-DAT4.0")
    found = read_recording(tmp_path / "a.aedat4")
    assert [values.tolist() for values in vars(found).values()] == [[3, 0], [1, 15], [5, 5], [1, 0]]
    with pytest.raises(DataError, match=r"a damaged recording .*failed to fill whole buffer"):
        read_recording(tmp_path / "damaged.aedat4")
    with pytest.raises(DataError, match="holds no stream of events"):
        read_recording(tmp_path / "frames.aedat4")
    monkeypatch.delitem(sys.modules, "aedat")


@pytest.mark.parametrize("kind", ["bin", "npy", "npz"])
def test_a_recording_that_may_not_be_read_is_not_called_damaged(tmp_path, monkeypatch, kind):
    path = write(events(), tmp_path / f"a.{kind}")
    forbid(monkeypatch, path)
    with pytest.raises(DataError, match=rf"^{path}: cannot be read \(Permission denied\)$"):
        read_recording(path)


@pytest.mark.parametrize("kind", [*KINDS, "aedat4"])
def test_a_folder_or_a_file_that_is_gone_is_no_damaged_recording(tmp_path, monkeypatch, kind):
    (tmp_path / "aedat.py").write_text(STAND_IN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "aedat", raising=False)
    path = tmp_path / f"damaged.{kind}"
    with pytest.raises(DataError, match=rf"^{path}: cannot be read \(No such file or directory\)$"):
        read_recording(path)
    path.mkdir()
    with pytest.raises(DataError, match=rf"^{path}: cannot be read \(Is a directory\)$"):
        read_recording(path)


class Tonic(torch.utils.data.Dataset):
    """A map-style data set of structured events, as tonic's are."""

    def __len__(self):
        return 20

    def __getitem__(self, index):
        return structured(events(seed=index), INTEGERS), index % 2


def test_sets_of_samples_are_taken_from_python():
    data = data_of(Tonic(), Tonic(), input_shape=SHAPE, time_steps=6, binning="count")
    np.testing.assert_array_equal(data.test.x[7], Frames(6, SHAPE, Binning.COUNT).of(events(seed=7), "a"))
    plain = data_of([(torch.full((3,), 0.5), 1)] * 10, [(torch.zeros(3), 0)])
    assert plain.sample_shape == (3,)
    with pytest.raises(DataError, match="test 1 is of shape \\(4,\\), the first of \\(3,\\); pad all to one length"):
        data_of([(np.zeros(3), 0)] * 10, [(np.zeros(3), 0), (np.zeros(4), 1)])
    with pytest.raises(DataError, match="'evenly': no such binning; known: time, count"):
        data_of(Tonic(), Tonic(), input_shape=SHAPE, time_steps=6, binning="evenly")


CASES = Path(__file__).parents[3] / "shared" / "cases" / "nmnist" / "recordings.zip"


@pytest.mark.cases
@pytest.mark.skipif(not CASES.is_file(), reason="the folder of real recordings is not beside the checkout")
def test_real_recordings_are_read_and_keep_every_event(tmp_path):
    import zipfile

    with zipfile.ZipFile(CASES) as archive:
        names = [name for name in archive.namelist() if name.endswith(".bin")][::100]
        for name in names:
            path = Path(archive.extract(name, tmp_path))
            recording = read_recording(path)
            assert 1000 < len(recording) < 9000
            assert 250_000 < recording.time_us[-1] - recording.time_us[0] < 330_000
            assert int(Frames(10, (2, 34, 34)).of(recording, name).sum(dtype=int)) == len(recording)


@pytest.mark.parametrize("fault", [ModuleNotFoundError("No module named 'board'", name="board"), ValueError("no key")])
def test_a_reader_of_another_package_that_cannot_be_imported_is_named(monkeypatch, tmp_path, fault):
    def load(entry):
        raise fault

    monkeypatch.setattr(EntryPoint, "load", load)
    monkeypatch.setattr(recordings, "entry_points", lambda group: [EntryPoint("board", "board:read", group)])
    with pytest.raises(DataError, match=rf"^the reader of \.board cannot be imported \({type(fault).__name__}: "):
        read_recording(tmp_path / "events.board")
