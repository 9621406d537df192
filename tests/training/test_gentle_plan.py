"""Learning rates fit networks of usual sizes; a network that they would wipe out is fine-tuned at lower ones."""

from dataclasses import replace

import pytest
from made_networks import Chain
from made_training import task

from spear_deploy.jobs.deploy.reference import gentle_plan
from spear_deploy.measure import accuracy_on
from spear_deploy.search import CandidateFactory, TuningPlan
from spear_deploy.search.plan import MOST_SLOWER, SLOWER
from spear_deploy.system.journal import Journal
from spear_deploy.training import Recipe, fine_tune

PLAN = TuningPlan(Recipe(4, 32, 5e-3), Recipe(6, 32, 4e-3))
DATA = task((12,), 5, samples=120)


def network():
    return Chain((12,), 3).linear("fc1", 24).neurons("a").linear("out", 4).neurons("b").model()


@pytest.fixture(scope="module")
def factory():
    return CandidateFactory(fine_tune(network(), DATA, Recipe(20, 20, 5e-3), seed=0), DATA)


def at(rate):
    return replace(PLAN, plain=replace(PLAN.plain, learning_rate=rate), final=replace(PLAN.final, learning_rate=rate))


def test_a_plan_that_a_network_bears_stays(factory):
    told = []
    assert gentle_plan(factory, PLAN, 0, told.append) is PLAN
    assert not told


def test_both_phases_are_slower_where_the_first_would_unlearn(factory):
    rate, told = 10.0, []
    wiped_out = fine_tune(factory.model, DATA, at(rate).plain, seed=0)
    assert accuracy_on(factory.model, DATA) > 0.95
    assert accuracy_on(wiped_out, DATA) < 0.6
    found = gentle_plan(factory, at(rate), 0, told.append)
    times = len(told)
    assert 1 <= times <= MOST_SLOWER
    assert found == at(rate * SLOWER**times)
    kept = accuracy_on(fine_tune(factory.model, DATA, found.plain, seed=0), DATA)
    assert kept > 0.85 or times == MOST_SLOWER
    assert "the dense network unlearns in its fine-tune (accuracy on training samples " in told[0]
    assert told[0].endswith(" after): all fine-tunes at a learning rate of 2.5, a quarter")


def test_what_has_learned_nothing_has_nothing_to_unlearn_and_a_plan_without_a_constraint_stays(
    factory,
):
    assert gentle_plan(CandidateFactory(network(), DATA), at(10.0), 0) == at(10.0)
    free = replace(at(10.0), constrained=False)
    assert gentle_plan(factory, free, 0) is free


def test_the_fine_tune_that_was_borne_is_not_made_again(factory, tmp_path):
    def epochs():
        found.append(1)

    found = []
    journal = Journal(tmp_path)
    gentle_plan(factory, PLAN, 0, journal=journal)
    again = fine_tune(factory.model, DATA, PLAN.plain, seed=0, on_epoch=lambda epoch: epochs(), journal=journal)
    assert not found
    assert accuracy_on(again, DATA) > 0.95
