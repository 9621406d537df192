from dataclasses import replace
from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest
import torch

from spear_deploy.data import EncodedSplit, SplitName
from spear_deploy.jobs.deploy import ahead
from spear_deploy.jobs.deploy.ahead import MADE, Costs, forecast, stages
from spear_deploy.jobs.deploy.request import DeployConfig, quickened
from spear_deploy.jobs.progress import Recorded, Silent
from spear_deploy.training import Recipe

COSTS = Costs(step_s=1.0, counted_s=0.01, judged_s=3.0, candidate_s=2.0, answered_s=0.5)


def split(count):
    return EncodedSplit(SplitName.TRAIN, torch.zeros(1, count, 2), torch.zeros(count, dtype=torch.int64), analog=False)


def config(**changes):
    plan = replace(DeployConfig().plan, plain=Recipe(4, 50), final=Recipe(10, 50), fewest_steps=0)
    return DeployConfig(plan=plan, lre_samples=10, evaluations=30, finalists=2, **changes)


def test_stages_take_what_their_steps_take():
    # 100 samples are 2 steps an epoch: the first phase takes 8 s, the second 20 s, counting 1 s
    assert stages(COSTS, config(), split(100), runs=1) == {
        "LRE samples": 10 * (8 + 1),
        "dense, same fine-tune": 8 + 20,
        "search": pytest.approx(30 * (MADE * 2 + 0.5)),
        "fine-tune": 3 * (8 + 3) + 2 * (20 + 3),
    }


@pytest.mark.parametrize(("samples", "begun_s", "step_s"), [(40, 0, 3.5), (90, 3, 0.5), (1000, 3, 0.5)])
def test_what_a_fine_tune_begins_with_is_not_taken_for_its_steps(monkeypatch, samples, begun_s, step_s):
    now = 0.0

    def fine_tune(model, data, recipe, seed):
        nonlocal now
        now += 3 + 0.5 * -(-len(data) // recipe.batch)

    monkeypatch.setattr(ahead, "fine_tune", fine_tune)
    monkeypatch.setattr(ahead, "accuracy_on", lambda model, data: 1.0)
    monkeypatch.setattr(ahead.time, "monotonic", lambda: now)
    request = SimpleNamespace(plan=config().plan)
    factory = MagicMock(train=split(samples), groups=[1, 2], probe=split(4))
    found = ahead.measured_costs(request, factory, MagicMock())
    assert (found.begun_s, found.step_s) == (begun_s, step_s)


def test_a_candidate_that_is_not_projected_is_made_once():
    assert stages(COSTS, config(projection=False), split(100), runs=1)["search"] == 30 * (2 + 0.5)


def test_beginning_counts_once_for_every_fine_tune():
    begun = stages(replace(COSTS, begun_s=5.0), config(), split(100), runs=1)
    assert begun["LRE samples"] == 10 * (5 + 8 + 1)
    assert begun["dense, same fine-tune"] == 5 + 8 + 5 + 20


def test_a_network_that_has_not_learned_its_samples_is_fine_tuned_for_longer():
    long = replace(config(), plan=replace(config().plan, rounds=2))
    known, hard = (stages(replace(COSTS, learned=each), long, split(100), runs=1) for each in (0.97, 0.96))
    assert known == stages(COSTS, config(), split(100), runs=1)
    assert hard["dense, same fine-tune"] == 8 + 3 * 20
    assert hard["fine-tune"] == 3 * (8 + 3) + 2 * (3 * 20 + 3)
    assert hard["search"] == known["search"]


def test_workers_share_samples_and_fine_tunes_and_every_budget_has_its_own_search():
    alone, more = stages(COSTS, config(), split(100), runs=1), stages(COSTS, config(workers=4), split(100), runs=2)
    assert more["LRE samples"] == 3 * (8 + 1)
    assert more["search"] == 2 * alone["search"]
    assert more["fine-tune"] == 2 * (1 * (8 + 3) + 1 * (20 + 3))  # three finalists and then two, side by side
    assert more["dense, same fine-tune"] == alone["dense, same fine-tune"]


def test_many_budgets_are_searched_for_side_by_side():
    alone, more = stages(COSTS, config(), split(100), runs=1), stages(COSTS, config(workers=4), split(100), runs=8)
    assert more["search"] == 2 * alone["search"]
    assert more["fine-tune"] == 2 * alone["fine-tune"]  # eight budgets, four at a time, each as in one process


def test_machines_do_what_workers_do():
    here, there = (stages(COSTS, config(workers=each), split(100), 1, slots) for each, slots in ((12, None), (2, 12)))
    assert there == here


def test_the_pipeline_spear_fine_tunes_once():
    found = stages(COSTS, DeployConfig(pipeline="spear"), split(128), runs=1)
    epochs = DeployConfig(pipeline="spear").plan.plain.epochs
    assert found["fine-tune"] == 2 * epochs + COSTS.judged_s


@pytest.mark.parametrize("pipeline", ["spear+", "spear"])
def test_the_quick_preset_takes_a_fraction_of_the_time(pipeline):
    whole = DeployConfig(pipeline=pipeline)
    long, short = (sum(stages(COSTS, each, split(1000), 1).values()) for each in (whole, quickened(whole)))
    assert short < long / 2


def test_the_quick_preset_asks_for_no_more_than_was_asked_for():
    little = DeployConfig(lre_samples=8, evaluations=5, finalists=1)
    assert quickened(little).evaluations == 5
    assert quickened(quickened(DeployConfig())) == quickened(DeployConfig())


def test_what_is_named_stays_in_the_quick_preset():
    found = quickened(DeployConfig(evaluations=60), but=("evaluations", "epochs"))
    assert found.evaluations == 60
    assert found.plan == DeployConfig().plan
    assert found.lre_samples < DeployConfig().lre_samples


def test_what_holds_on_this_machine_alone_is_told_and_not_kept():
    class Heard(Silent):
        def notice(self, text):
            heard.append(text)

    heard = []
    progress = Recorded(Heard())
    progress.hint("ahead: 3 s")
    progress.notice("one class is rare")
    assert heard == ["ahead: 3 s", "one class is rare"]
    assert progress.notices == ["one class is rare"]


def test_an_agent_is_named_where_one_is_trained():
    greedy, ddpg = (forecast(COSTS, config(strategy=each), split(100), runs=1) for each in ("greedy", "ddpg"))
    assert "agent" not in greedy
    assert "and the agent's own training" in ddpg
