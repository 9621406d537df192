"""Fine-tunes and evaluations on other machines: the same results and kept steps as here, though they see no folder."""

import pickle

import numpy as np
import pytest
from made_cluster import two_machines
from made_tuner import facts, tuner_of

from spear_deploy.network.fingerprint import fingerprint
from spear_deploy.search import STRATEGIES, choose, scouts
from spear_deploy.search.crew import Alone, crew
from spear_deploy.search.finalists import PlainPhase
from spear_deploy.search.scouts import scouting
from spear_deploy.system.cluster import joined
from spear_deploy.system.executors import HERE
from spear_deploy.system.journal import Journal

pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")  # Ray's own cluster for tests leaves files open

JOBS = [PlainPhase(np.array(each)) for each in ([0.9, 0.5], [0.5, 0.9], [0.7, 0.7])]


@pytest.fixture(scope="module")
def machines():
    with two_machines() as (address, end_second), joined(address) as cluster:
        yield cluster, end_second


def kept_in(folder):
    return {path.name for path in folder.iterdir()}


def test_finalists_are_those_of_one_process(machines, posed, tmp_path):
    here, told_here = tuner_of(posed, Journal(tmp_path / "here"))
    alone = choose(posed[1], here, 3, lambda one: None)
    there, told_there = tuner_of(posed, Journal(tmp_path / "there"))
    with crew(there, machines[0]) as at_work:
        shared = choose(posed[1], there, 3, lambda one: None, crew=at_work)
    assert facts(shared) == facts(alone)
    assert told_there == told_here != []
    assert kept_in(tmp_path / "there") == kept_in(tmp_path / "here")
    assert there.journal.own == here.journal.own


def test_what_was_kept_here_is_not_done_again_there(machines, posed, tmp_path):
    tuner, _ = tuner_of(posed, Journal(tmp_path))
    before = dict(Alone(tuner).run(JOBS))
    again, _ = tuner_of(posed, Journal(tmp_path))
    with crew(again, machines[0]) as at_work:
        found = dict(at_work.run(JOBS))
    assert again.journal.recalled["fine-tune"].steps == 3
    assert [fingerprint(found[place][1].model) for place in range(3)] == [
        fingerprint(before[place][1].model) for place in range(3)
    ]


def test_what_is_no_longer_waited_for_is_ended_and_other_work_is_answered(machines, posed):
    tuner, _ = tuner_of(posed)
    with crew(tuner, machines[0]) as at_work:
        running = at_work.run(JOBS)
        next(running)
        running.close()
        assert sorted(place for place, _ in at_work.run(JOBS[:2])) == [0, 1]


def test_a_search_is_that_of_one_process(machines, posed, tmp_path, monkeypatch, made_here):
    monkeypatch.setattr(scouts, "WORTH_S", 0.0)
    found, made = [], []
    for place, executor in (("here", HERE), ("there", machines[0])):
        problem = pickle.loads(pickle.dumps(posed[1]))
        problem.journal = Journal(tmp_path / place)
        with scouting(problem, executor, [].append):
            STRATEGIES["evolution"].run(problem, 6, 0)
        found.append([(tuple(one.ratios), one.accuracy, one.reward) for one in problem.history])
        made.append(len(made_here))
        made_here.clear()
    assert found[0] == found[1]
    assert kept_in(tmp_path / "here") <= kept_in(tmp_path / "there")
    assert made[1] < made[0]


def test_where_the_cluster_is_gone_the_rest_is_done_here(machines, posed):
    tuner, told = tuner_of(posed)
    with joined(machines[0].address) as cluster, crew(tuner, cluster) as at_work:
        running = at_work.run(JOBS)
        next(running)
        cluster._driver.process.kill()
        assert len(list(running)) == 2
        assert sorted(place for place, _ in at_work.run(JOBS[:2])) == [0, 1]
    (only,) = told
    assert only.startswith("the process that speaks to the Ray cluster was ended by signal 9: fine-tunes go on one")


def test_a_machine_that_is_gone_leaves_its_work_to_the_others(machines, posed):
    tuner, _ = tuner_of(posed)
    with crew(tuner, machines[0]) as at_work:
        running = at_work.run(JOBS)
        next(running)
        machines[1]()
        assert len(list(running)) == 2
