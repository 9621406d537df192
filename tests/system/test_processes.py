import errno
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from spear_deploy.errors import WorkerError
from spear_deploy.system.processes import worker_pool

linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")

ORDINARY_NAMES = ("signal", "struct", "json", "pickle", "numpy", "worker", "spear_deploy", "torch", "multiprocessing")


@pytest.fixture
def foreign_modules(tmp_path, monkeypatch):
    """The current folder holds modules with the names of ours, which say so when they are run."""
    monkeypatch.chdir(tmp_path)
    ran = tmp_path / "ran"
    for name in ORDINARY_NAMES:
        Path(f"{name}.py").write_text(f"open({str(ran)!r}, 'a').write({name!r} + ' ')\nraise SystemExit(3)\n")
    return ran


def squared(offset):
    return lambda number: number**2 + offset


def test_workers_share_numbered_jobs_and_import_nothing_from_the_current_folder(foreign_modules):
    with worker_pool(2, squared, 1) as pool:
        assert dict(pool.run([3, 4, 5])) == {0: 10, 1: 17, 2: 26}
    assert not foreign_modules.exists()
    assert "PYTHONSAFEPATH" not in os.environ


@linux
def test_workers_are_all_that_is_started_and_nothing_is_left_of_them():
    before = children()
    with worker_pool(2, own_pid) as pool:
        workers = {pid for _, pid in pool.run([0.5, 0.5])}
        assert children() - before == workers
    assert children() == before


@linux
def test_workers_at_jobs_that_nobody_waits_for_are_ended_and_others_are_started():
    before = children()
    with worker_pool(2, own_pid) as pool:
        running = pool.run([0.0, 60.0])
        place, quick = next(running)
        running.close()
        pool.abandon()
        assert place == 0
        assert children() - before == {quick}
        assert {number for number, _ in pool.run([0.0, 0.0])} == {0, 1}
    assert children() == before


def own_pid():
    def work(seconds):
        time.sleep(seconds)
        return os.getpid()

    return work


def children():
    """Processes that this one started and that are not gone."""
    return set(map(int, Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()))


def dies_at_its_first_try(folder):
    def work(name):
        if not (folder / name).exists():
            (folder / name).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return name

    return work


def test_a_worker_that_is_killed_at_work_is_replaced(tmp_path):
    with worker_pool(1, dies_at_its_first_try, tmp_path) as pool:
        assert list(pool.run(["a"])) == [(0, "a")]


def dies_while_it_starts(signal_number, ballast):
    os.kill(os.getpid(), signal_number)


def test_a_worker_that_is_killed_while_it_starts_is_told_however_much_it_was_given():
    started = time.monotonic()
    with (
        worker_pool(1, dies_while_it_starts, signal.SIGKILL, bytes(1 << 20)) as pool,
        pytest.raises(WorkerError, match=r"^a worker process was ended by signal 9, for the second time"),
    ):
        list(pool.run([1]))
    assert time.monotonic() - started < 60


def raises(kind):
    def work(text):
        raise kind(text)

    return work


def test_a_disk_that_is_full_is_named_by_the_file_that_found_no_room(monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pickle, "dump", full)
    with (
        pytest.raises(OSError, match=r"No space left on device: '/.*spear-deploy-workers-.*start'"),
        worker_pool(1, int),
    ):
        raise AssertionError


def test_what_a_job_raises_is_raised_here():
    with worker_pool(1, raises, KeyError) as pool, pytest.raises(KeyError, match="missing"):
        list(pool.run(["missing"]))


def sleeps(seconds):
    def work(name):
        time.sleep(seconds)
        return name

    return work


def test_what_is_in_flight_may_still_end():
    with worker_pool(2, sleeps, 0.5) as pool:
        numbered = pool.run(["a", "b", "c", "d"])
        first = next(numbered)
        numbered.close()
        assert len({first, *pool.late(60)}) >= 2


ENDLESS = """
import sys, time
sys.path.insert(0, {tests!r})
from test_processes import announces
from spear_deploy.system.processes import worker_pool
with worker_pool(1, announces, {folder!r}) as pool:
    list(pool.run(["a"]))
"""


def announces(folder):
    def work(name):
        (Path(folder) / name).write_text(str(os.getpid()))
        time.sleep(600)

    return work


def running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@linux
def test_workers_end_with_whoever_started_them_even_if_that_is_killed(tmp_path):
    script = tmp_path / "endless.py"
    script.write_text(ENDLESS.format(tests=str(Path(__file__).parent), folder=str(tmp_path)))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    env = os.environ | {"TMPDIR": str(temporary)}
    process = subprocess.Popen([sys.executable, str(script)], stderr=subprocess.DEVNULL, env=env)
    at_work = tmp_path / "a"
    try:
        deadline = time.monotonic() + 120
        while not (at_work.exists() and at_work.read_text()) and time.monotonic() < deadline:
            time.sleep(0.05)
        pid = int(at_work.read_text())
    finally:
        process.kill()
        process.wait()
    deadline = time.monotonic() + 10
    while running(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not running(pid)
    assert list(temporary.iterdir()) == []
