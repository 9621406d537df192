import errno
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path

import numpy as np
import pytest
from shared_memory import left_of, watched
from small_lava import LIMIT_S, inputs, small_model

from spear_deploy.backends.lava import run_lava, runner, status
from spear_deploy.backends.lava.interpreter import WORKER_FOLDER
from spear_deploy.errors import BackendError

linux = pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="looks into /dev/shm and /proc")
MARK = f"SPEAR_DEPLOY_TESTS={uuid.uuid4()}"


@pytest.fixture(autouse=True)
def marked(monkeypatch):
    """Every process that these tests start carries a mark in its environment."""
    monkeypatch.setenv(*MARK.split("="))


def processes():
    """The marked processes that run, by pid, with their parents. Others on the machine do not count."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            environment = (entry / "environ").read_bytes()
        except OSError:
            continue
        if state != "Z" and MARK.encode() in environment:
            found[int(entry.name)] = int(parent)
    return found


def workers_of(parent):
    """Lava's workers among its processes: imports start others, which are gone at once."""
    return {pid for pid, its_parent in processes().items() if its_parent == parent and is_worker(pid)}


def is_worker(pid):
    try:
        return str(WORKER_FOLDER).encode() in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def worker_pid():
    return next(iter(workers_of(os.getpid())))


@pytest.fixture
def nothing_left_behind():
    with watched(processes) as shared:
        yield
    assert not processes()
    assert left_of(shared) == set()


def at_first_progress(action):
    """A progress callback that acts when the first samples are done."""
    calls = []

    def on_progress(done, total):
        calls.append(done)
        if len(calls) == 1:
            action()

    return on_progress


def an_actor():
    leader = worker_pid()
    return max(pid for pid, parent in processes().items() if parent == leader)


@pytest.mark.lava
@linux
@pytest.mark.usefixtures("nothing_left_behind")
class TestFaultsInTheWorker:
    def fault(self, model=None, samples=None, limit_s=LIMIT_S, **options):
        started = time.monotonic()
        with pytest.raises(BackendError) as caught:
            run_lava(model or small_model(), inputs() if samples is None else samples, time_limit_s=limit_s, **options)
        assert time.monotonic() - started < limit_s + 12
        return str(caught.value)

    def sabotage(self, monkeypatch, change):
        """Let `change(folder)` spoil the job after it was written."""
        write = runner.write_job

        def spoiled(folder, *rest):
            write(folder, *rest)
            change(folder)

        monkeypatch.setattr(runner, "write_job", spoiled)

    def test_a_run_that_takes_too_long_is_ended(self):
        assert "no result within 0.3 s" in self.fault(limit_s=0.3)

    def test_arrays_that_are_no_arrays(self, monkeypatch):
        self.sabotage(monkeypatch, lambda folder: (folder / "arrays.npz").write_bytes(b"garbage"))
        assert "the worker failed" in self.fault()

    def test_inputs_that_are_no_array(self, monkeypatch):
        self.sabotage(monkeypatch, lambda folder: (folder / "inputs.npy").write_bytes(b"garbage"))
        assert "the worker failed" in self.fault()

    def test_an_exception_in_a_process_model_comes_with_its_own_traceback(self, monkeypatch):
        wrong = np.zeros((3, 5, 9))
        self.sabotage(monkeypatch, lambda folder: np.save(folder / "inputs.npy", wrong))
        message = self.fault()
        assert "a process model failed" in message
        assert "run_spk" in message

    def test_a_worker_that_is_killed(self):
        kill = at_first_progress(lambda: os.kill(worker_pid(), signal.SIGKILL))
        assert "ended with signal 9" in self.fault(samples=inputs(200_000), on_progress=kill)

    def test_an_actor_that_is_killed_is_noticed(self):
        kill = at_first_progress(lambda: os.kill(an_actor(), signal.SIGKILL))
        message = self.fault(samples=inputs(200_000), on_progress=kill)
        assert "ended by signal 9" in message or "a process model failed" in message

    def test_an_actor_that_is_stopped_hangs_until_the_limit(self):
        stop = at_first_progress(lambda: os.kill(an_actor(), signal.SIGSTOP))
        assert "no result within 6 s" in self.fault(samples=inputs(200_000), limit_s=6, on_progress=stop)

    def test_a_result_that_is_garbage(self, monkeypatch):
        self.sabotage(monkeypatch, lambda folder: (folder / "result.json").write_text("{"))
        assert "cannot be read" in self.fault()

    def test_a_result_that_lacks_what_was_done(self, monkeypatch):
        self.sabotage(monkeypatch, lambda folder: (folder / "result.json").write_text('{"status": "done"}'))
        assert "cannot be read" in self.fault()

    def test_a_progress_report_that_is_garbage_spoils_nothing(self, monkeypatch):
        self.sabotage(monkeypatch, lambda folder: (folder / "progress.json").write_text("{"))
        assert run_lava(small_model(), inputs(), time_limit_s=LIMIT_S).samples == 5

    def test_a_job_that_is_garbage(self, monkeypatch):
        self.sabotage(monkeypatch, lambda folder: (folder / "job.json").write_text("[]"))
        assert "the worker failed" in self.fault()

    def test_a_job_that_is_missing(self, monkeypatch):
        self.sabotage(monkeypatch, lambda folder: (folder / "job.json").unlink())
        assert "job.json" in self.fault()

    def test_a_folder_that_cannot_be_written(self, monkeypatch):
        self.sabotage(monkeypatch, lambda folder: (folder / "l0_output.npy").mkdir())
        assert "l0_output.npy" in self.fault()

    @pytest.mark.parametrize(
        ("script", "message"),
        [
            ("import time; time.sleep(60)", "no result within 2 s"),
            ("import sys; print('out of order'); sys.exit(3)", "exit code 3 and without a result:\nout of order"),
            ("print('{}')", "exit code 0 and without a result"),
            ("import os; os.abort()", "ended with signal 6"),
            (
                "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)",
                "no result within 2 s",
            ),
            (
                "import os, signal, time\nos.fork() or signal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(60)",
                "no result within 2 s",
            ),
            (
                "import pathlib, sys; new = pathlib.Path(sys.argv[-1], 'new'); new.write_text("
                '\'{"status": "done", "samples": 5, "seconds": 1, "versions": {}}\');'
                " new.replace(new.with_name('result.json'))",
                "output cannot be read",
            ),
            (
                # Once all is imported: what an import tells that cannot allocate depends on where it is then.
                "import resource, sys\nfrom multiprocessing import shared_memory\n"
                "def exhausted(**given):\n"
                "    resource.setrlimit(resource.RLIMIT_AS, (1 << 32, 1 << 32))\n"
                "    return bytes(1 << 33)\n"
                "shared_memory.SharedMemory = exhausted\n"
                "sys.argv = sys.argv[-3:]\n"
                "start = sys.argv.pop(1)\n"
                "exec(start)",
                "ran out of memory",
            ),
            (
                "import sys\nfrom multiprocessing import shared_memory\n"
                "def none(**given): raise FileNotFoundError(2, 'No such file or directory')\n"
                "shared_memory.SharedMemory = none\n"
                "sys.argv = sys.argv[-3:]\n"
                "start = sys.argv.pop(1)\n"
                "exec(start)",
                r"^Lava: needs shared memory, as in /dev/shm, and there is none \(No such file or directory\)$",
            ),
        ],
        ids=[
            *("hangs", "fails", "does nothing", "aborts", "ignores SIGTERM", "leaves a child", "lies", "lacks memory"),
            "lacks shared memory",
        ],
    )
    def test_an_interpreter_that(self, tmp_path, script, message):
        path = tmp_path / "python"
        path.write_text(f"#!{sys.executable}\n{script}\n")
        path.chmod(0o755)
        assert re.search(message, self.fault(limit_s=2 if "60" in script else 20, python=path))

    @pytest.mark.parametrize("when", ["starting", "running"])
    def test_the_worker_ends_with_a_parent_that_is_killed(self, tmp_path, when):
        script = tmp_path / "parent.py"
        tests = str(Path(__file__).parent)
        script.write_text(
            f"import sys; sys.path.insert(0, {tests!r})\n"
            "from small_lava import inputs, small_model\n"
            "from spear_deploy.backends.lava import run_lava\n"
            "tell = lambda *_: print('runs', flush=True)\n"
            "run_lava(small_model(), inputs(200_000), time_limit_s=90, on_progress=tell)"
        )
        temporary = Path(tempfile.mkdtemp())  # short: names of sockets are
        env = os.environ | {"TMPDIR": str(temporary)}
        parent = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=env)
        try:
            if when == "running":
                assert parent.stdout.readline() == "runs\n"
            else:
                deadline = time.monotonic() + 90
                while not workers_of(parent.pid) and time.monotonic() < deadline:
                    time.sleep(0.02)
            assert workers_of(parent.pid)
        finally:
            parent.kill()
            parent.wait()
            parent.stdout.close()
        deadline = time.monotonic() + 30
        while (processes() or list(temporary.iterdir())) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not processes()
        temporary.rmdir()  # is empty

    def test_ctrl_c_ends_the_worker_too(self):
        main = threading.main_thread().ident
        timer = threading.Timer(2.5, lambda: signal.pthread_kill(main, signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            run_lava(small_model(), inputs(200_000), time_limit_s=LIMIT_S)
        timer.join()


@pytest.mark.lava
@linux
def test_lava_runs_where_the_folder_for_temporary_files_has_a_path_too_long_for_its_sockets(tmp_path, monkeypatch):
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setenv("TMPDIR", str(long))
    monkeypatch.setattr(tempfile, "tempdir", None)  # found out anew
    assert run_lava(small_model(), inputs(), time_limit_s=LIMIT_S).samples == 5
    assert list(long.iterdir()) == []


def test_a_full_disk_under_the_folder_for_temporary_files_is_told_as_lavas_fault_alone(monkeypatch):
    def full(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(runner, "write_job", full)
    with pytest.raises(BackendError, match=r"^Lava: /.*spear-deploy-lava-.*No space left on device\); set TMPDIR"):
        run_lava(small_model(), inputs(), time_limit_s=LIMIT_S)


def test_a_folder_that_lava_cannot_use_is_told_where_there_is_no_other(tmp_path, monkeypatch):
    long = tmp_path / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    monkeypatch.setattr(os, "access", lambda *arguments: False)
    with pytest.raises(BackendError, match=r"at most 48 bytes, found .*x; set TMPDIR|at most 44 bytes"):
        runner.temporary_folder()


@pytest.mark.lava
def test_lava_imports_nothing_from_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ran = tmp_path / "ran"
    for name in ("signal", "json", "multiprocessing", "numpy", "lava", "asteval"):
        Path(f"{name}.py").write_text(f"open({str(ran)!r}, 'a').write('{name} ')\n")
    Path("worker").mkdir()
    Path("worker", "__init__.py").write_text(f"open({str(ran)!r}, 'a').write('worker ')\n")
    assert status().available
    assert run_lava(small_model(), inputs(), time_limit_s=LIMIT_S).samples == 5
    assert not ran.exists()
