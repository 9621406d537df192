"""Evaluations ahead: the same search as without, and most of it done elsewhere."""

from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from made_networks import Chain

from spear_deploy.data import EncodedSplit, SplitName
from spear_deploy.errors import WorkerError
from spear_deploy.search import STRATEGIES, CandidateFactory, Prediction, SearchProblem, scouts
from spear_deploy.search.scouts import NOBODY, Errand, scouting
from spear_deploy.system import executors
from spear_deploy.system.executors import HERE, Processes
from spear_deploy.system.journal import Journal
from spear_deploy.system.lent_journal import LentJournal

EVALUATIONS = 14


@dataclass(frozen=True)
class TenPercent:
    """Predicts SynOps after recalibration, and a tenth more or less."""

    held: object = None
    needs_pruned_synops = False

    def predict(self, features):
        value = features.recalibrated_synops
        return Prediction(value, 0.9 * value, 1.1 * value)


def unlimited(network):
    return ()


@pytest.fixture(scope="module")
def factory():
    chain = Chain((3,), 2)
    for number in range(4):
        chain = chain.linear(f"fc{number}", 24).neurons(f"lif{number}")
    images = torch.rand((40, 3), generator=torch.Generator().manual_seed(0))
    train = EncodedSplit(SplitName.TRAIN, images.expand(5, 40, 3), torch.arange(40) % 4, analog=True)
    return CandidateFactory(chain.linear("read", 4).neurons("out").model(), train)


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.setattr(scouts, "WORTH_S", 0.0)


def problem_of(factory, folder, estimator=None):
    limit = 0.5 * factory.dense.synops
    return SearchProblem(factory, estimator or TenPercent(), limit, unlimited, factory.train, journal=Journal(folder))


def searched(problem, name, executor):
    with scouting(problem, executor, [].append):
        STRATEGIES[name].run(problem, EVALUATIONS, 0)
    assert problem.scouts is NOBODY
    return facts(problem)


def facts(problem):
    return [(tuple(one.ratios), one.accuracy, one.prediction, one.limits, one.reward) for one in problem.history]


@pytest.mark.parametrize("name", ["greedy", "evolution"])
def test_a_search_does_not_depend_on_how_many_processes_evaluate(factory, tmp_path, at_once, made_here, name):
    """And what they found is as much a step of the run as any other: who goes on with it makes nothing again."""
    alone = searched(problem_of(factory, tmp_path / "alone"), name, HERE)
    made_alone = len(made_here)
    made_here.clear()
    assert searched(problem_of(factory, tmp_path / "shared"), name, Processes(2)) == alone
    assert len(alone) == EVALUATIONS
    assert len(made_here) < made_alone / 2  # the first evaluation is always done here
    made_here.clear()
    assert searched(problem_of(factory, tmp_path / "shared"), name, HERE) == alone
    assert made_here == []


@pytest.mark.parametrize("cause", ["short", "alone", "nothing kept"])
def test_no_process_starts_where_it_would_not_pay(factory, tmp_path, monkeypatch, cause):
    monkeypatch.setattr(scouts, "WORTH_S", 3600.0 if cause == "short" else 0.0)
    monkeypatch.setattr(executors, "worker_pool", None)
    problem = problem_of(factory, None if cause == "nothing kept" else tmp_path)
    assert len(searched(problem, "greedy", HERE if cause == "alone" else Processes(2))) == EVALUATIONS


class Gone:
    """An executor whose processes die of every job."""

    slots, elsewhere = 2, False
    left = 0

    @contextmanager
    def pool(self, *_):
        self.left += 1
        yield self
        self.left -= 1

    def run(self, jobs):
        raise WorkerError("a worker process was ended by signal 9, for the second time at the same work")


def test_a_search_goes_on_alone_where_its_processes_end(factory, tmp_path, at_once):
    gone, told = Gone(), []
    problem = problem_of(factory, tmp_path / "shared")

    def tell(text):
        assert gone.left == 0  # as memory may be what they wanted
        told.append(text)

    with scouting(problem, gone, tell):
        STRATEGIES["greedy"].run(problem, EVALUATIONS, 0)
    found = facts(problem)
    assert found == searched(problem_of(factory, tmp_path / "alone"), "greedy", HERE)
    (only,) = told
    assert only.endswith("signal 9, for the second time at the same work: the search goes on in one process")


def test_a_search_goes_on_alone_where_no_process_can_be_given_its_estimator(factory, tmp_path, at_once):
    odd = problem_of(factory, tmp_path / "shared", TenPercent(held=lambda: None))
    assert searched(odd, "greedy", Processes(2)) == searched(problem_of(factory, tmp_path / "alone"), "greedy", HERE)


def test_a_candidate_that_fails_ahead_fails_when_its_turn_comes(factory, tmp_path):
    problem, wrong = problem_of(factory, tmp_path), np.ones(3)
    ahead = scouts._begin(problem_of(factory, None), LentJournal({}, problem.journal.scope), torch.get_num_threads())

    def kept(ratios):
        return {what for _, _, what, *_ in ahead(Errand(ratios, problem.shares, problem.evaluated)).own}

    assert "evaluation" not in kept(wrong)
    assert "evaluation" in kept(np.full(4, 0.7))
    with pytest.raises(ValueError, match="shorter"):
        problem.evaluate(wrong)
