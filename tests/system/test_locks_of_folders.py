"""Two processes, one folder: the second is told, or gets another one."""

import errno
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from spear_deploy.errors import OutputError
from spear_deploy.system.locks import locked, own_name


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


HOLDS = """
import sys, time
from pathlib import Path
from spear_deploy.system.locks import locked, own_name
with {"locked": locked, "own_name": own_name}[sys.argv[1]](Path(sys.argv[2])) as got:
    print(got, flush=True)
    time.sleep(600)
"""


@contextmanager
def another_process(lock, folder):
    """One that holds a lock of the folder; gives it and what it got, and kills it in the end."""
    other = subprocess.Popen([sys.executable, "-c", HOLDS, lock, str(folder)], stdout=subprocess.PIPE, text=True)
    try:
        yield other, other.stdout.readline().strip()
    finally:
        other.kill()
        other.wait()
        other.stdout.close()


def test_two_processes_never_work_for_one_folder(tmp_path):
    folder = tmp_path / "deep" / "run"
    with another_process("locked", folder) as (other, _):
        with (
            pytest.raises(OutputError, match=rf"run: process {other.pid} on \S+ is at work for this folder"),
            locked(folder),
        ):
            pass
        with locked(tmp_path / "another"):
            pass
    with locked(folder):  # a lock dies with its holder
        pass
    assert names(tmp_path) == []


def test_nor_where_the_folder_above_was_made_by_a_third_one_meanwhile(tmp_path):
    folder = tmp_path / "runs" / "first"
    with another_process("locked", folder):
        (tmp_path / "runs" / "second").mkdir(parents=True)  # the result of another run
        with pytest.raises(OutputError, match="is at work for this folder"), locked(folder):
            pass


def test_of_two_processes_that_begin_in_the_same_second_each_has_a_folder_of_its_own(tmp_path):
    folder = tmp_path / "runs" / "model-loihi2-20260304-050607"
    with another_process("own_name", folder) as (_, first), own_name(folder) as second:
        assert (first, second) == (str(folder), folder.with_name(f"{folder.name}-2"))
        with locked(second), own_name(folder) as third:
            assert third == folder.with_name(f"{folder.name}-3")
    with own_name(folder) as free:
        assert free == folder
    assert names(tmp_path) == []


def test_a_name_that_a_result_has_is_not_given_again(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run-2").symlink_to("nowhere")
    with own_name(tmp_path / "run") as folder:
        assert folder == tmp_path / "run-3"


def test_where_no_folder_can_be_made_the_name_is_as_it_was(tmp_path):
    (tmp_path / "file").write_text("")
    for above in (tmp_path / "file", Path("/proc/none")):
        with own_name(above / "run") as folder:
            assert folder == above / "run"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("plant", [Path.symlink_to, Path.hardlink_to])
def test_a_file_of_ours_under_the_name_of_a_lock_keeps_its_content(tmp_path, plant):
    with locked(tmp_path / "run"):
        (name,) = names(tmp_path)
    (tmp_path / "precious").write_text("kept")
    plant(tmp_path / name, tmp_path / "precious")
    with locked(tmp_path / "run"):
        pass
    assert (tmp_path / "precious").read_text() == "kept"


def test_on_a_full_disk_a_lock_is_one_all_the_same(tmp_path, monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    for _ in range(2):
        with (
            locked(tmp_path / "run"),
            pytest.raises(OutputError, match="another process is at work"),
            locked(tmp_path / "run"),
        ):
            pass
    assert names(tmp_path) == []
