"""Limits and predictions on a chip, and in torch's arithmetic, in which the search works."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from made_limits import limit
from made_networks import plain

from spear_deploy.data import EncodedSplit, SplitName
from spear_deploy.errors import BudgetError
from spear_deploy.hardware import SYNOPS, Follows, Limit, OnChip, activity_of, load_profile, parse_budgets
from spear_deploy.measure import measure
from spear_deploy.search import CandidateFactory, Prediction, collect_samples
from spear_deploy.search.bounds import largest_bound, p99_bound, prediction_bound
from spear_deploy.search.claims import expected, upper_end
from spear_deploy.targets.target import Target, limits_of
from spear_deploy.training import Recipe

LOIHI1 = load_profile("loihi1")
BUDGET = Limit(SYNOPS, 500, "budget 500")


def target(*limits, factor=0.8, dense=None):
    return Target(load_profile("loihi2"), None, (BUDGET, *limits), dense, factor, None, 100)


def bright(count, most, split):
    inputs = most * torch.rand(
        (1, count, *plain().model().network.input_shape), generator=torch.Generator().manual_seed(count)
    )
    inputs = inputs.expand(plain().model().time_steps, *inputs.shape[1:])
    return EncodedSplit(split, inputs, torch.arange(count) % 4, analog=True)


@pytest.fixture(scope="module")
def dense():
    """A dense network on Loihi 2 with what it did."""
    model = plain().model()
    inputs = torch.rand((1, 20, *model.network.input_shape), generator=torch.Generator().manual_seed(0))
    inputs = inputs.expand(model.time_steps, *inputs.shape[1:])
    found = measure(model, inputs, torch.zeros(20, dtype=torch.long), analog_input=True)
    activity = activity_of(found, model.time_steps, analog_input=True)
    return OnChip(model.network, load_profile("loihi2"), activity), found


def test_what_the_chip_allows_is_more_in_torch_where_the_chip_counts_less():
    assert target(factor=0.8).to_torch(400) == 500


def test_a_prediction_made_in_torch_is_held_against_the_chip_s_figures():
    assert target(factor=0.8).from_torch(Prediction(100.0, 90.0, 120.0)) == Prediction(80.0, 72.0, 96.0)


def test_into_torch_and_back_nothing_changes():
    one = target(factor=0.93)
    assert one.from_torch(Prediction(*3 * [one.to_torch(350.0)])).value == pytest.approx(350)


def test_another_budget_of_synops_leaves_the_other_limits_alone(dense):
    cores = limit("cores", 4)
    half = Limit(SYNOPS, 0.5, "budget 50%", share=True)
    found = target(cores, dense=dense[1]).with_synops_limit(half)
    assert found.limits == (Limit(SYNOPS, 0.5 * dense[1].synops, "budget 50%"), cores)
    assert found.budget_synops == 0.5 * dense[1].synops


def test_limits_are_told_apart_by_what_they_follow_from():
    cores, energy = limit("cores", 4, follows=Follows.STRUCTURE), limit("energy", 3)
    found = target(cores, energy)
    assert [found.limits_on(follows) for follows in Follows] == [[BUDGET], [cores], [energy], []]


def test_mean_synops_come_first_and_are_the_dense_networks_own_where_nobody_limits_them(dense):
    on_chip, measured = dense
    found = limits_of(parse_budgets(["cores=4"]), on_chip)
    assert [(one.quantity.key, one.allowed, one.granted) for one in found] == [
        ("synops", measured.synops, "100%"),
        ("cores", 4, "cores=4"),
    ]
    assert [one.quantity.key for one in limits_of(parse_budgets(["cores=4", "30%"]), on_chip)] == ["synops", "cores"]


def test_shares_are_taken_of_what_the_dense_network_does_there(dense):
    on_chip, measured = dense
    found = limits_of(parse_budgets(["50%", "p99=60%", "step=25%"]), on_chip)
    assert [one.allowed for one in found] == [
        pytest.approx(0.5 * measured.synops),
        pytest.approx(0.6 * measured.p99_synops),
        pytest.approx(0.25 * measured.busiest_step_synops),
    ]
    assert {one.unit for one in found} == {"SynOps"}


def test_a_limit_that_rests_on_estimated_prices_says_so(dense):
    (_, energy) = limits_of(parse_budgets(["3uJ"]), dense[0])
    assert energy.name == f"energy per inference, high end ({dense[0].cost.energy_status})"
    assert energy.quantity.value(dense[0]) == dense[0].cost.energy_pj.high


def test_a_limit_says_which_end_is_held_and_how_sure_what_it_follows_from_is(dense):
    """Loihi 1's barrier between one router and all is derived, and so is the static power that its energy rests on."""
    spikes = replace(dense[0].activity, analog_input=False, mean_analog_operations=0.0)
    found = limits_of(
        parse_budgets(["2ms", "throughput=5/s", "1J", "1W"]), replace(dense[0], chip=LOIHI1, activity=spikes)
    )
    assert [one.name for one in found[1:]] == [
        "latency of an inference, high end (derived)",
        "throughput of a full pipeline, low end (derived)",
        "energy per inference, high end (derived)",
        "power, high end (derived)",
    ]


@pytest.mark.parametrize("budget", ["p99=50%", "core-step=50%", "latency=1us", "throughput=1/s", "1uJ", "power=1W"])
def test_what_lre_s_samples_were_measured_to_use_is_told_as_networks_are_judged(budget):
    """Validation is busier than training, of which few samples are recorded: of the dense network both are known."""
    train, validation = bright(40, 0.4, SplitName.TRAIN), bright(60, 1.0, SplitName.VALIDATION)
    model = plain().model()
    factory = CandidateFactory(model, train)
    measured = factory.measure(model, validation)
    one = Target(load_profile("loihi2"), None, (), measured, 1.0, validation, 100)
    one = replace(one, limits=limits_of(parse_budgets([budget]), one.plain_on_chip(model)))
    samples = collect_samples(factory, 4, Recipe(epochs=1, batch=16, learning_rate=1e-3), seed=0)
    (predicted,) = one.predicted_limits(factory, samples)
    (judged,) = one.uses(model, measured)
    assert predicted.value(model.network, factory.activity(factory.dense)) == pytest.approx(judged.used)


def test_a_limit_that_nobody_can_know_is_refused(dense):
    on_chip = OnChip(dense[0].network, load_profile("speck2f"), dense[0].activity)
    with pytest.raises(BudgetError, match="budget '3uJ' cannot be held on speck2f"):
        limits_of(parse_budgets(["50%", "3uJ"]), on_chip)


def test_a_network_is_chosen_by_what_the_busiest_core_will_do_on_the_samples_ahead():
    model, validation = plain().model(), bright(80, 1.0, SplitName.VALIDATION)
    measured = CandidateFactory(model, validation).measure(model, validation)
    one = Target(load_profile("loihi2"), None, (), measured, 1.0, validation, 400)
    one = replace(one, limits=limits_of(parse_budgets(["core-step=90%"]), one.plain_on_chip(model)))
    (use,) = one.uses(model, measured)
    each = one.plain_on_chip(model).cost.timing.synops_each
    assert len(each) == 80
    assert use.used == pytest.approx(largest_bound(np.array(each), 400))
    assert use.used > max(each)
    assert one.limits[1].allowed == pytest.approx(0.9 * max(each))


@pytest.mark.parametrize(
    ("budget", "each", "bound"),
    [
        ("p99=90%", lambda found, cost: found.per_sample.numpy(), p99_bound),
        ("step=90%", lambda found, cost: found.peak_step_synops.numpy(), largest_bound),
        ("latency=1ms", lambda found, cost: np.array(cost.timing.latency_each_ns), prediction_bound),
        ("throughput=1/s", lambda found, cost: np.array(cost.timing.interval_each_ns), prediction_bound),
        ("energy=1mJ", lambda found, cost: np.array(cost.energy_each_pj), prediction_bound),
        ("power=1W", lambda found, cost: np.array(cost.power_each_mw), prediction_bound),
    ],
)
def test_whatever_follows_from_single_samples_is_held_at_its_bound_on_those_ahead(budget, each, bound):
    model, validation = plain().model(), bright(80, 1.0, SplitName.VALIDATION)
    measured = CandidateFactory(model, validation).measure(model, validation)
    one = Target(load_profile("loihi2"), None, (), measured, 1.0, validation, 400)
    plainly = one.plain_on_chip(model)
    one = replace(one, limits=limits_of(parse_budgets([budget]), plainly))
    (use,) = one.uses(model, measured)
    used = use.limit.quantity.value(plainly)
    values = each(measured, plainly.cost)
    assert len(values) == 80
    expected = bound(values, 400)
    if use.limit.quantity.least:
        assert used == pytest.approx(1e9 / values.mean())
        assert use.used == pytest.approx(1e9 / expected)
        assert use.used < used
    else:
        over = {"p99": np.sort(values)[-1], "step": values.max()}.get(use.limit.quantity.key, values.mean())
        assert used == pytest.approx(over)
        assert use.used == pytest.approx(expected)
        assert use.used > used


@pytest.mark.parametrize("budget", ["p99=60%", "step=60%", "core-step=60%", "latency=15us", "throughput=100k/s", "1uJ"])
def test_a_search_may_leave_above_a_limit_what_the_last_fine_tune_takes_of_the_spikes(budget):
    """Twice what spikes add to silence is allowed; where nothing is taken later, the share is that of the whole."""
    train, validation = bright(40, 1.0, SplitName.TRAIN), bright(60, 1.0, SplitName.VALIDATION)
    model = plain().model()
    factory = CandidateFactory(model, train)
    one = Target(load_profile("loihi2"), None, (), factory.measure(model, validation), 1.0, validation, 100)
    one = replace(one, limits=limits_of(parse_budgets([budget]), one.plain_on_chip(model)))
    samples = collect_samples(factory, 4, Recipe(epochs=1, batch=16, learning_rate=1e-3), seed=0)
    (predicted,) = one.predicted_limits(factory, samples)
    candidate = factory.candidate(np.full(len(factory.groups), 0.8))
    silent = predicted.silent(candidate.model.network, candidate.activity)
    value = predicted.predict(candidate).value
    inverse = (lambda each: 1 / each) if predicted.limit.quantity.least else float
    after = inverse(silent) + (inverse(value) - inverse(silent)) / 2
    allowed, least = inverse(predicted.limit.allowed), inverse(predicted.least)
    assert inverse(silent) < inverse(value)
    if least < allowed:
        assert predicted.share(candidate, expected, 2.0) == pytest.approx((after - least) / (allowed - least))
    in_a_row = [predicted.share(candidate, expected, multiple) for multiple in (1.0, 1.4, 2.0)]
    assert in_a_row == sorted(in_a_row, reverse=True)
    assert predicted.share(candidate, upper_end, 1.0) >= in_a_row[0]


@pytest.mark.parametrize(("allowed", "moves"), [(3, False), (1.001, True)])
def test_a_chosen_network_lies_on_more_cores_only_where_its_bound_on_the_samples_ahead_needs_them(
    dense, allowed, moves
):
    """Twenty samples that keep a limit barely do not promise that a hundred will."""
    on_chip, measured = dense
    (busiest,) = parse_budgets(["core-step=1"])
    granted = allowed * busiest.quantity.value(on_chip)
    limits = limits_of(parse_budgets([f"core-step={granted:.2f}"]), on_chip)
    model = plain().model()
    held = dict.fromkeys(model.network.layers, 4)
    before = Target(on_chip.chip, None, limits, measured, 1.0, bright(20, 1.0, SplitName.VALIDATION), 100, held)
    found = before.settled(model, measured)
    (use,) = found.uses(model, measured)
    assert use.share <= 1
    assert bool(found.least_cores) == moves
