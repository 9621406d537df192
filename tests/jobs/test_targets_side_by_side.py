"""The budgets of a front, and several chips, each in a process of its own: the same results, and the same words."""

import os
import signal
from dataclasses import replace

import pytest
from made_task import write_task
from small_runs import run

from spear_deploy.errors import BudgetError
from spear_deploy.hardware import parse_budget
from spear_deploy.jobs.deploy import side_by_side
from spear_deploy.jobs.deploy.side_by_side import STAGE
from spear_deploy.network import load_model_file
from spear_deploy.network.fingerprint import fingerprint
from spear_deploy.search import TuningPlan
from spear_deploy.training import Recipe

CHIPS = ("loihi2", "generic-45nm")
FRONT = ("60%", "30%")
RECIPE = Recipe(epochs=1, batch=32, learning_rate=5e-3)
FEW = {"evaluations": 4, "plan": TuningPlan(RECIPE, RECIPE)}
OF_THE_PROCESSES = {"seconds", "peak_memory_mib", "request", "command"}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_task(tmp_path_factory.mktemp("task"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """With LRE's samples, once the budgets were searched for one by one."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def one_by_one(model, cache, tmp_path_factory):
    return found(model, tmp_path_factory.mktemp("alone") / "out", cache, workers=1)


@pytest.fixture(autouse=True)
def short_work_is_worth_a_process(monkeypatch):
    monkeypatch.setattr(side_by_side, "WORTH_S", 0.0)


def found(model, out, cache, **options):
    """Each budget's report but for times, and its network's hash; and the stages that took time."""
    reports = run(model, out, budgets=(), pareto=FRONT, cache=cache, **FEW, **options)
    networks = [fingerprint(load_model_file(path)) for path in sorted(out.rglob("pruned.pt"))]
    return [report.model_dump(exclude=OF_THE_PROCESSES) for report in reports], networks, set(reports[0].seconds)


def test_a_front_is_the_same_where_every_budget_has_a_process(model, one_by_one, tmp_path):
    reports, networks, stages = found(model, tmp_path / "out", tmp_path / "cache", workers=2)
    assert reports == one_by_one[0]
    assert networks == one_by_one[1]
    assert stages - one_by_one[2] == {STAGE}


def kills_itself(place):
    os.kill(os.getpid(), signal.SIGKILL)


def _fatal(*start):
    return kills_itself


def test_where_processes_die_the_budgets_are_searched_for_one_after_the_other(
    model, one_by_one, cache, tmp_path, monkeypatch
):
    monkeypatch.setattr(side_by_side, "_begin", _fatal)
    reports, networks, _ = found(model, tmp_path / "out", cache, workers=2)
    assert networks == one_by_one[1]
    told = [line for report in reports for line in report["told"] if "one after the other" in line]
    assert [line.partition(" for the second")[0] for line in told] == ["a worker process was ended by signal 9,"] * 2


def test_short_work_is_not_worth_a_process(model, one_by_one, cache, tmp_path, monkeypatch):
    monkeypatch.setattr(side_by_side, "WORTH_S", 3600.0)
    assert STAGE not in found(model, tmp_path / "out", cache, workers=2)[2]


def test_chips_without_an_answer_are_told_as_in_one_process(model, one_by_one, cache, tmp_path, monkeypatch):
    better = replace(parse_budget("max-drop=0"), allowed=-90.0)  # by 90 points than the dense network
    monkeypatch.setattr("small_runs.parse_budget", lambda given: given)
    refusals = []
    for workers in (1, 2):
        with pytest.raises(BudgetError) as refused:
            run(
                model,
                tmp_path / str(workers),
                *CHIPS,
                budgets=(better,),
                workers=workers,
                cache=cache,
                evaluations=4,
                plan=TuningPlan(RECIPE, RECIPE, rounds=1),
            )
        assert not list(cache.glob("run-*"))  # nothing that one of them found is there for the other
        refusals.append(str(refused.value))
    assert refusals[0] == refusals[1]
    assert refusals[0].startswith(f"{CHIPS[-1]}: no budget that was tried keeps")  # what others lack was told before
