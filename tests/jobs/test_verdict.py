"""What makes a run OK, and each way in which it is not, on values made by hand."""

import pytest

from spear_deploy.jobs.deploy.verdict import basis_of, judge
from spear_deploy.report import Agreement, FirstDifference, LimitReport, LreCheck
from spear_deploy.report.schema import MaxDrop

DENSE = 1000.0
SYNOPS = LimitReport(
    name="SynOps per inference",
    unit="SynOps",
    allowed=500,
    dense=DENSE,
    pruned=480,
    origin="budget 50%",
    binds=True,
)
CORES = LimitReport(name="cores", unit="cores", allowed=4, dense=9, pruned=4, origin="budget cores=4", binds=False)
CHECK = LreCheck(
    arithmetic="int", samples=100, synops=600, predicted=606, low=560, high=650, covered=True, error_percent=1.0
)
EQUAL = Agreement(samples=100, layers=["lif1"], equal=True)
AT = FirstDifference(layer="lif1", step=2, sample=7, neuron=3, spikes={"loihi": 9, "lava": 8})
DIFFERENT = Agreement(samples=100, layers=["lif1"], equal=False, first_difference=AT)


def using(limit, pruned):
    return limit.model_copy(update={"pruned": pruned})


def verdict(limits=(SYNOPS, CORES), check=CHECK, agreement=None, **more):
    agreement = {"torch_lava": EQUAL, "loihi_lava_fixed": EQUAL} if agreement is None else agreement
    return judge("loihi", check, limits, DENSE, agreement, **more)


def test_a_network_that_keeps_every_limit_and_runs_alike_everywhere_is_ok():
    found = verdict()
    assert (found.ok, found.reason, found.within_budget) == (True, "", True)
    assert (found.basis, found.covered, found.prediction_error_percent) == ("loihi", True, 1.0)


def test_all_that_a_limit_allows_may_be_used():
    assert verdict((using(SYNOPS, 500), using(CORES, 4))).ok


def test_one_operation_more_than_the_budget_is_over_it_and_the_budget_that_would_do_is_named():
    found = verdict((using(SYNOPS, 501), CORES))
    assert not found.ok
    assert not found.within_budget
    assert found.reason == (
        "501 SynOps on test exceed the budget of 500; the nearest budget that this network keeps is 50.1%"
    )


def test_the_nearest_budget_is_rounded_up_so_that_it_is_kept():
    assert "is 50.2%" in verdict((using(SYNOPS, 501.1), CORES)).reason


@pytest.mark.parametrize("place", [1, 2])
def test_every_other_limit_must_be_kept_too_and_the_budget_of_synops_is_another_matter(place):
    limits = [SYNOPS, CORES, CORES.model_copy(update={"name": "neurons", "origin": "profile loihi2"})]
    limits[place] = using(limits[place], 5)
    found = verdict(limits)
    assert not found.ok
    assert found.within_budget
    assert found.reason == f"{limits[place].name}: 5 cores exceed the 4 of {limits[place].origin}"


@pytest.mark.parametrize("names", ["torch_lava", "loihi_lava_fixed"])
def test_a_backend_that_does_not_repeat_its_reference_is_named_with_the_first_place(names):
    agreement = {"torch_lava": EQUAL, "loihi_lava_fixed": EQUAL} | {names: DIFFERENT}
    found = verdict(agreement=agreement)
    assert not found.ok
    assert found.reason == f"Lava's spikes differ from {names.split('_')[0]}'s from layer lif1, step 2"


def test_what_was_to_be_verified_and_was_not_is_not_ok():
    found = verdict(agreement={}, unverified="not verified in Lava: it ended")
    assert (found.ok, found.reason) == (False, "not verified in Lava: it ended")


def test_without_a_wish_to_verify_nothing_is_missing():
    assert verdict(agreement={}).ok


@pytest.mark.parametrize(("drop", "ok"), [(1.0, True), (1.01, False)])
def test_accuracy_may_drop_as_far_as_was_allowed(drop, ok):
    found = verdict(max_drop=MaxDrop(points=1, test_drop_points=drop, tried=[]))
    assert found.ok == ok
    assert ok or "drops by 1.01 points" in found.reason


def test_all_faults_are_told_at_once():
    found = verdict(
        (using(SYNOPS, 600), using(CORES, 5)),
        agreement={"torch_lava": DIFFERENT},
        unverified="no fixed point",
        max_drop=MaxDrop(points=1, test_drop_points=2, tried=[]),
    )
    assert [part in found.reason for part in ("600 SynOps", "cores: 5", "no fixed point", "lif1", "2.00 points")] == [
        True
    ] * 5


def test_a_prediction_that_missed_is_told_and_no_fault_of_the_network():
    missed = CHECK.model_copy(update={"covered": False, "error_percent": -30.0})
    found = verdict(check=missed)
    assert (found.ok, found.covered, found.prediction_error_percent) == (True, False, -30.0)


@pytest.mark.parametrize(
    ("backend", "checks", "basis"),
    [
        ("loihi", ("torch", "loihi", "lava"), "loihi"),
        ("torch", ("torch", "lava"), "lava"),
        ("torch", ("torch",), "torch"),
    ],
)
def test_the_target_s_own_arithmetic_is_judged_then_lava_then_torch(backend, checks, basis):
    assert basis_of(backend, dict.fromkeys(checks, CHECK)) == basis
