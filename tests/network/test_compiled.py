"""Loops as machine code: they run where nothing can be kept, and share their work among threads."""

import itertools
import shutil
import threading

import numpy as np
import pytest

from spear_deploy.network import compiled as room


def doubled(values):
    for place in range(len(values)):
        values[place] *= 2


def test_a_loop_is_compiled_each_time_where_what_is_compiled_cannot_be_kept(monkeypatch):
    def without_a_place(function):
        raise RuntimeError("cannot cache function: no locator available for file")

    monkeypatch.setattr(room, "_Kept", without_a_place)
    values = np.arange(4.0)
    room.compiled(doubled)(values)
    assert values.tolist() == [0, 2, 4, 6]


def multiplied_by(factor):
    @room.compiled
    def loop(values):
        for place in range(len(values)):
            values[place] *= factor

    return loop


def results():
    """What loops of one function make of 1: for two closures and two types."""
    made = []
    for factor, dtype in itertools.product((3, 5), (np.float32, np.float64)):
        values = np.ones(1, dtype)
        multiplied_by(factor)(values)
        made.append(float(values[0]))
    return made


def test_processes_that_compile_at_once_never_take_the_code_of_one_another(monkeypatch, tmp_path):
    """Each of two finds nothing, compiles and writes; of files of one name either may be the one that stays."""
    folders = [tmp_path / "one", tmp_path / "other"]
    for folder, factor in zip(folders, (3, 5), strict=True):
        monkeypatch.setattr("numba.core.config.CACHE_DIR", str(folder))
        multiplied_by(factor)(np.ones(1))
    one, other = (sorted(path.relative_to(folder) for path in folder.rglob("*.nb?")) for folder in folders)
    assert one
    assert other
    shared = sorted({*one} & {*other})
    for stays in itertools.product(folders, repeat=len(shared)):
        both = tmp_path / "both"
        for folder in folders:
            shutil.copytree(folder, both, dirs_exist_ok=True)
        for path, folder in zip(shared, stays, strict=True):
            shutil.copyfile(folder / path, both / path)
        monkeypatch.setattr("numba.core.config.CACHE_DIR", str(both))
        assert results() == [3, 3, 5, 5]
        shutil.rmtree(both)


def test_what_was_kept_is_read_and_what_is_not_whole_is_compiled_again(monkeypatch, tmp_path):
    monkeypatch.setattr("numba.core.config.CACHE_DIR", str(tmp_path))

    def run():
        loop, values = multiplied_by(3), np.ones(1)
        loop(values)
        assert values.tolist() == [3]
        return sum(loop.stats.cache_hits.values())

    assert (run(), run()) == (0, 1)
    (kept,) = tmp_path.rglob("*.nbc")
    whole = kept.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1
    for damaged in (b"", whole[:100], b"none of ours", bytes(flipped)):
        kept.write_bytes(damaged)
        assert (run(), run()) == (0, 1)


@pytest.mark.parametrize("step", ["_open_for_write", "_dump"])
def test_a_loop_runs_where_what_is_compiled_cannot_be_written(monkeypatch, tmp_path, step):
    monkeypatch.setattr("numba.core.config.CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(room._FilePerLoop, step, full_disk)
    values = np.ones(1)
    multiplied_by(3)(values)
    assert values.tolist() == [3]


def test_a_loop_runs_where_the_folder_of_what_is_compiled_cannot_be_made_any_more(monkeypatch, tmp_path):
    monkeypatch.setattr("numba.core.config.CACHE_DIR", str(tmp_path / "kept"))
    loop, values = multiplied_by(3), np.ones(1)
    shutil.rmtree(tmp_path / "kept")
    (tmp_path / "kept").write_text("a file where the folder was")
    loop(values)
    assert values.tolist() == [3]


def full_disk(*_):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize(("count", "threads"), [(0, 2), (1, 2), (7, 1), (7, 2), (7, 3), (3, 8)])
def test_threads_share_all_of_the_work_and_do_nothing_twice(count, threads):
    done, where = np.zeros(count, int), set()

    def run(first, last):
        where.add(threading.get_ident())
        done[first:last] += 1

    room.in_threads(run, count, threads)
    assert (done == 1).all()
    assert len(where) <= threads


def test_what_fails_in_a_thread_fails_for_the_caller():
    def run(first, last):
        raise ValueError(f"{first} to {last}")

    with pytest.raises(ValueError, match="to"):
        room.in_threads(run, 4, 2)
