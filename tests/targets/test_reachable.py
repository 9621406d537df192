"""What is refused before the long work: limits that even the narrowest network is far above, and no nearer ones."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from made_networks import plain

from spear_deploy.data import EncodedSplit, SplitName
from spear_deploy.errors import BudgetError
from spear_deploy.hardware import SYNOPS, Limit, load_profile, parse_budgets
from spear_deploy.measure import measure
from spear_deploy.search import CandidateFactory, Tuner, TuningPlan
from spear_deploy.search.tuning import plain_phase
from spear_deploy.targets.target import aim_at, check_reachable
from spear_deploy.training import Recipe

PLAN = TuningPlan(Recipe(epochs=1, batch=16, learning_rate=1e-3), Recipe(epochs=1, batch=16, learning_rate=1e-3))


def values(name, count):
    model = plain().model()
    generator = torch.Generator().manual_seed(count)
    inputs = 4 * torch.rand((1, count, *model.network.input_shape), generator=generator)
    inputs = inputs.expand(model.time_steps, *inputs.shape[1:])
    return EncodedSplit(name, inputs, torch.arange(count) % 4, analog=True)


@pytest.fixture(scope="module")
def aimed():
    """A target, and what the narrowest network takes there after a plain fine-tune; none of it is fixed."""
    model, train, validation = plain().model(), values(SplitName.TRAIN, 40), values(SplitName.VALIDATION, 20)
    factory = CandidateFactory(model, train)
    dense = measure(model, validation.inputs, validation.labels, analog_input=True)
    target = aim_at(load_profile("loihi2"), factory, validation, dense, parse_budgets(["p99=100%"]), 100)
    _, narrowest = plain_phase(Tuner(factory, target, PLAN, 0), factory.smallest)
    assert factory.fixed_share(narrowest.model) == 0
    return target, factory, narrowest


def check(aimed, target):
    check_reachable(Tuner(aimed[1], target, PLAN, 0), target, Path("model.pt"))


@pytest.mark.parametrize(("share", "refused"), [(0.49, True), (0.52, False), (0.9, False), (1.1, False)])
def test_a_budget_is_refused_only_where_half_of_the_spikes_would_break_it_too(aimed, share, refused):
    """The bound is to use 98.5 % of the budget at half of the spikes: at 0.5 / .985 = 0.508 of what is taken now."""
    target, _, narrowest = aimed
    target = target.with_synops_limit(Limit(SYNOPS, share * narrowest.synops_bound, "budget"))
    if not refused:
        check(aimed, target)
        return
    with pytest.raises(BudgetError, match="is out of reach: one channel in every layer still takes") as told:
        check(aimed, target)
    tried = float(re.search(r"budgets from ([\d.]+)% on are tried", str(told.value))[1]) / 100
    least = 0.5 / 0.985 * narrowest.synops_bound / target.dense.synops
    assert least <= tried < least + 0.001
    check(aimed, target.with_synops_limit(Limit(SYNOPS, tried, "budget", share=True)))


@pytest.mark.parametrize(("share", "refused"), [(0.45, True), (0.9, False)])
def test_another_limit_on_activity_is_refused_likewise(aimed, share, refused):
    target, _, narrowest = aimed
    (use,) = narrowest.uses
    target = replace(target, limits=(target.limits[0], replace(use.limit, allowed=share * use.used)))
    if not refused:
        check(aimed, target)
        return
    with pytest.raises(
        BudgetError, match=r"not even one channel .* no later one is held to less than 50% of its spikes"
    ):
        check(aimed, target)
