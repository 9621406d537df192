"""Fine-tunes side by side: the same finalists, notices and kept steps as one after the other."""

import os
import pickle
import signal
from copy import deepcopy
from dataclasses import dataclass, replace

import numpy as np
import pytest
from made_tuner import facts, tuner_of

from spear_deploy.hardware.quantity import QUANTITIES, SYNOPS, Quantity
from spear_deploy.network.fingerprint import fingerprint
from spear_deploy.search import choose
from spear_deploy.search import crew as crews
from spear_deploy.search.crew import Alone, Together, crew
from spear_deploy.search.finalists import FinalPhase, PlainPhase
from spear_deploy.search.tuning import tune_plain
from spear_deploy.system import executors
from spear_deploy.system.executors import Processes
from spear_deploy.system.journal import Journal


@pytest.fixture
def at_once(monkeypatch):
    monkeypatch.setattr(crews, "WORTH_S", 0.0)


def test_finalists_do_not_depend_on_how_many_processes_tune_them(posed, tmp_path, at_once):
    found, told, kept = [], [], []
    for count in (1, 2):
        tuner, notices = tuner_of(posed, Journal(tmp_path / str(count)))
        with crew(tuner, Processes(count)) as processes:
            found.append(choose(posed[1], tuner, 3, lambda one: None, crew=processes))
        told.append(notices)
        kept.append((sorted(path.name for path in (tmp_path / str(count)).iterdir()), tuner.journal.own))
    assert facts(found[0]) == facts(found[1])
    assert told[0] == told[1] != []
    assert kept[0] == kept[1]


@pytest.mark.parametrize("count", [1, 2])
def test_who_fine_tunes_begins_no_further_round_once_the_user_wishes_to_end(posed, tmp_path, at_once, count):
    tuner, told = tuner_of(posed)
    tuner = replace(tuner, stopped=(tmp_path / "wish").exists)
    jobs = [
        FinalPhase(tune_plain(tuner, np.array(each), posed[1].estimator), 0.01) for each in ([0.9, 0.5], [0.7, 0.7])
    ]
    rounds = []
    for _ in range(2):
        with crew(tuner, Processes(count)) as processes:
            found = dict(processes.run(jobs))
        rounds.append(([found[place][0].whole for place in range(2)], sum("epochs more" in text for text in told)))
        told.clear()
        (tmp_path / "wish").touch()
    assert rounds == [([True, True], 2), ([False, False], 0)]


def test_what_was_kept_is_not_done_again_in_another_process(posed, tmp_path, at_once):
    jobs = [PlainPhase(np.array(each)) for each in ([0.9, 0.5], [0.5, 0.9], [0.7, 0.7])]
    tuner, _ = tuner_of(posed, Journal(tmp_path))
    before = dict(Alone(tuner).run(jobs))
    again, _ = tuner_of(posed, Journal(tmp_path))
    with crew(again, Processes(2)) as processes:
        found = dict(processes.run(jobs))
    assert again.journal.recalled["fine-tune"].steps == 3
    assert [fingerprint(found[place][1].model) for place in range(3)] == [
        fingerprint(before[place][1].model) for place in range(3)
    ]


def test_short_fine_tunes_are_not_worth_a_process(posed, monkeypatch):
    monkeypatch.setattr(crews, "WORTH_S", 3600.0)
    monkeypatch.setattr(executors, "worker_pool", None)
    tuner, _ = tuner_of(posed)
    with crew(tuner, Processes(2)) as processes:
        assert isinstance(processes, Together)
        assert len(dict(processes.run([PlainPhase(np.ones(2)), PlainPhase(np.full(2, 0.5))]))) == 2


def test_a_target_that_no_process_can_be_given_is_tuned_for_here(posed, at_once):
    target, problem = posed
    odd = replace(target.limits[1].quantity, value=lambda on_chip: 0.0)
    unsent = replace(target, limits=(target.limits[0], replace(target.limits[1], quantity=odd)))
    tuner, _ = tuner_of((unsent, problem))
    with pytest.raises(pickle.PicklingError, match="99th"):
        pickle.dumps(unsent)
    jobs = [PlainPhase(np.array(each)) for each in ([0.9, 0.5], [0.5, 0.9], [0.7, 0.7])]
    with crew(tuner, Processes(2)) as processes:
        assert [place for place, _ in processes.run(jobs)] == [0, 1, 2]


def test_what_is_no_longer_waited_for_is_ended_and_the_rest_goes_on(posed, at_once):
    jobs = [PlainPhase(np.array(each)) for each in ([0.9, 0.5], [0.5, 0.9], [0.7, 0.7], [0.6, 0.8])]
    tuner, _ = tuner_of(posed)
    with crew(tuner, Processes(2)) as processes:
        running = processes.run(jobs)
        first = [next(running)[0], next(running)[0]]
        running.close()
        assert first[0] == 0
        (only,) = processes.run(jobs[:1])
        assert only[0] == 0
        assert sorted(place for place, _ in processes.run(jobs)) == [0, 1, 2, 3]


@dataclass(frozen=True)
class Fatal:
    """Ends every process but the first one."""

    first: int

    def __call__(self, tuner):
        if os.getpid() != self.first:
            os.kill(os.getpid(), signal.SIGKILL)
        return "done here"


def test_what_ends_a_process_twice_is_done_here(posed, at_once):
    tuner, told = tuner_of(posed)
    with crew(tuner, Processes(2)) as processes:
        found = dict(processes.run([Fatal(os.getpid())] * 3))
        more = dict(processes.run([Fatal(os.getpid())] * 2))
    assert found == dict.fromkeys(range(3), "done here")
    assert more == dict.fromkeys(range(2), "done here")
    (only,) = told
    assert only.startswith("a worker process was ended by signal 9, for the second time at the same work: fine-tunes")


@pytest.mark.parametrize("key", QUANTITIES)
def test_another_process_knows_a_quantity_by_its_key(key):
    known = QUANTITIES[key]
    assert pickle.loads(pickle.dumps(known)) is known
    named = replace(known, name=f"{known.name}, high end (estimated)")
    assert pickle.loads(pickle.dumps(named)) == named
    assert deepcopy(named) == named


def test_a_quantity_that_is_not_among_those_known_is_not_handed_over():
    other = Quantity("synops", SYNOPS.name, "SynOps", SYNOPS.follows, lambda on_chip: 1.0, {})
    with pytest.raises(pickle.PicklingError, match="SynOps per inference"):
        pickle.dumps(other)
