"""Two runs of one request at the same time keep out of each other's way, and lose nothing."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace

import pytest
from made_task import write_task

from spear_deploy.errors import BackendError, BudgetError, DataError
from spear_deploy.hardware import load_profile
from spear_deploy.jobs.deploy import deploy as deploying
from spear_deploy.jobs.deploy.deploy import deploy
from spear_deploy.jobs.deploy.request import DeployRequest
from spear_deploy.jobs.deploy.resuming import unfinished
from spear_deploy.jobs.progress import Silent
from spear_deploy.search import TuningPlan
from spear_deploy.training import Recipe

RECIPE = Recipe(epochs=1, batch=32, learning_rate=5e-3)
TIMES = {"seconds", "peak_memory_mib", "earlier", "told", "request", "command"}


class Killed(BaseException):
    """Ends a run as a signal that nobody hears."""


class Meanwhile(Silent):
    """Does something when the search has come so far, once; keeps the notices."""

    def __init__(self, do, after=4):
        self.do, self.after, self.notices = do, after, []

    @contextmanager
    def stage(self, name, total):
        done = 0

        def advance(done_so_far=None, detail=None):
            nonlocal done
            done += name == "search"
            if done == self.after and self.do is not None:
                do, self.do = self.do, None
                do()

        yield advance

    def notice(self, text):
        self.notices.append(text)


def kill():
    raise Killed


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_task(tmp_path_factory.mktemp("task"))


@pytest.fixture
def asked(model, tmp_path):
    def make(name):
        return DeployRequest(
            model=model,
            targets=(load_profile("loihi2"),),
            out=tmp_path / name,
            budgets=("30%",),
            lre_samples=8,
            evaluations=8,
            finalists=1,
            plan=TuningPlan(RECIPE, RECIPE, patience=2),
            lava=False,
            cache=tmp_path / "cache",
        )

    return make


def figures(report):
    return report.model_dump(exclude=TIMES)


def results(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".pt", ".nir", ".onnx")}


def test_one_that_ends_takes_no_steps_from_the_other(asked, tmp_path):
    second = {}

    def another_from_beginning_to_end():
        second.update(deploy(asked("second"), told))
        kill()

    told = Meanwhile(None)
    with pytest.raises(Killed):
        deploy(asked("first"), Meanwhile(another_from_beginning_to_end))
    (line,) = [line for line in told.notices if "is at work" in line]
    assert line.startswith(f"process {os.getpid()} on ")
    left = unfinished(asked("first").cache, asked("first").out)
    assert left.steps > 5
    (first,) = deploy(asked("first"), Silent()).values()
    assert first.earlier["evaluation"].steps > 0
    assert figures(first) == figures(next(iter(second.values())))
    assert results(tmp_path / "first") == results(tmp_path / "second")
    assert [path.name for path in (tmp_path / "cache").iterdir() if not path.name.startswith("lre-")] == []


def test_each_of_two_that_are_killed_is_gone_on_with_by_its_own_folder(asked):
    def another():
        with pytest.raises(Killed):
            deploy(asked("second"), Meanwhile(kill, 2))
        kill()

    with pytest.raises(Killed):
        deploy(asked("first"), Meanwhile(another))
    found = {name: unfinished(asked(name).cache, asked(name).out) for name in ("first", "second")}
    assert found["first"].steps > found["second"].steps > 0
    for name in ("second", "first"):
        told = Meanwhile(kill, 1)
        with pytest.raises(Killed):
            deploy(asked(name), told)
        (line,) = [line for line in told.notices if line.startswith("goes on with the unfinished run")]
        assert line.endswith(f"come from {found[name].folder}")


def test_a_model_that_cannot_be_read_for_a_while_costs_no_finished_step(asked):
    request = asked("run")
    with pytest.raises(Killed):
        deploy(request, Meanwhile(kill))
    before = unfinished(request.cache, request.out).steps
    hidden = request.model.with_suffix(".hidden")
    request.model.rename(hidden)
    try:
        with pytest.raises(Exception, match="no such"):
            deploy(request, Silent())
    finally:
        hidden.rename(request.model)
    assert unfinished(request.cache, request.out).steps == before


@pytest.mark.parametrize(
    ("fault", "kept"), [(DataError("cannot be read any more"), True), (BudgetError("none"), False)]
)
def test_steps_are_forgotten_only_where_going_on_would_end_in_the_same_fault(asked, monkeypatch, fault, kept):
    request = asked("run")

    def broken(*args):
        raise fault

    monkeypatch.setattr("spear_deploy.jobs.deploy.deploy.write_result", broken)
    with pytest.raises(type(fault)):
        deploy(request, Silent())
    assert (unfinished(request.cache, request.out) is not None) == kept


@pytest.mark.parametrize(("fault", "kept"), [(BackendError("it failed"), True), (BudgetError("none"), False)])
def test_steps_of_a_chip_without_a_result_are_kept_where_it_may_have_one_later(asked, monkeypatch, fault, kept):
    written = deploying.write_result

    def broken(pruned, target, *rest):
        if target.chip.name == "loihi2":
            raise fault
        return written(pruned, target, *rest)

    request = replace(asked("run"), targets=(load_profile("loihi2"), load_profile("generic-45nm")))
    with monkeypatch.context() as patch:
        patch.setattr(deploying, "write_result", broken)
        assert list(deploy(request, Silent())) == [request.out / "generic-45nm"]
    assert (unfinished(request.cache, request.out) is not None) == kept
    if kept:
        assert set(deploy(request, Silent())) == {request.out / chip for chip in ("loihi2", "generic-45nm")}
        assert unfinished(request.cache, request.out) is None


@pytest.mark.slow
def test_two_processes_of_one_request_that_are_killed_end_alike(model, tmp_path):
    """Killed both in the middle, then gone on with at once."""
    few = ["--budget", "50%", "--lre-samples", "8", "--evaluations", "8", "--finalists", "1", "--plain-epochs", "2"]
    few += ["--epochs", "2"]
    cache = ["--cache", str(tmp_path / "cache")]

    def start(*arguments):
        command = [sys.executable, "-m", "spear_deploy", *arguments, *cache]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    outs = [tmp_path / "first", tmp_path / "second"]
    both = [start(str(model), *few, "--workers", "1", "--no-lava", "--out", str(out)) for out in outs]
    deadline = time.monotonic() + 120
    while len(list((tmp_path / "cache").glob("run-*/*.step"))) < 14 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [process.poll() for process in both] == [None, None]
    for process in both:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    said = [process.communicate()[1] for process in [start("--resume", str(out)) for out in outs]]
    assert all("goes on with the unfinished run" in text for text in said), said
    reports = [json.loads((out / "report.json").read_text()) for out in outs]
    for report in reports:
        for name in TIMES:
            report.pop(name, None)
    assert reports[0] == reports[1]
    assert results(outs[0]) == results(outs[1])
    assert not list((tmp_path / "cache").glob("run-*"))
