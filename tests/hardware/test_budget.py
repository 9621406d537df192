import math
from dataclasses import replace

import pytest

from spear_deploy.errors import BudgetError
from spear_deploy.hardware import QUANTITIES, SYNOPS, Follows, Limit, OnChip, Quantity, Use, parse_budget, parse_budgets
from spear_deploy.measure import Answers


@pytest.mark.parametrize(
    ("text", "key", "value", "unit"),
    [
        ("50%", "synops", 0.5, "fraction"),
        ("12.5%", "synops", 0.125, "fraction"),
        ("120k", "synops", 120_000, "SynOps"),
        ("1.2M", "synops", 1_200_000, "SynOps"),
        ("4500", "synops", 4500, "SynOps"),
        ("synops=4.5k", "synops", 4500, "SynOps"),
        ("p99=60%", "p99", 0.6, "fraction"),
        ("p99=90k", "p99", 90_000, "SynOps"),
        ("step=20k", "step", 20_000, "SynOps"),
        ("cores=4", "cores", 4, "cores"),
        ("neurons=2k", "neurons", 2000, "neurons"),
        ("synapse-memory=64KiB", "synapse-memory", 65_536, "B"),
        ("3uJ", "energy", 3e6, "pJ"),
        ("3 µJ", "energy", 3e6, "pJ"),
        ("energy=800nJ", "energy", 8e5, "pJ"),
        ("2ms", "latency", 2e6, "ns"),
        ("latency=40us", "latency", 4e4, "ns"),
        ("time=40us", "latency", 4e4, "ns"),
        ("throughput=5k/s", "throughput", 5000, "1/s"),
        ("throughput=5000", "throughput", 5000, "1/s"),
        ("core-step=5k", "core-step", 5000, "SynOps"),
        ("core-step=40%", "core-step", 0.4, "fraction"),
        ("power=20mW", "power", 20, "mW"),
        ("min-accuracy=92.5%", "min-accuracy", 92.5, "%"),
        ("max-drop=1.5", "max-drop", 1.5, "points"),
        ("max-drop=0", "max-drop", 0, "points"),
    ],
)
def test_a_budget_is_read_with_its_unit(text, key, value, unit):
    limit = parse_budget(text)
    assert (limit.quantity, limit.allowed, limit.unit) == (QUANTITIES[key], pytest.approx(value), unit)
    assert (limit.granted, limit.origin) == (text, f"budget {text}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not understood; understood are 50%"),
        ("half", "is not understood"),
        ("-3", "is not understood"),
        ("3 apples", "unknown unit 'apples'"),
        ("corse=4", "unknown name 'corse'; known: synops, p99, step, core-step, cores"),
        ("synapse-memory=64KB", "unit 'KB' may mean 1,000 or 1,024 bytes: write kB or KiB"),
        ("power=20ms", "unknown unit 'ms' for power; valid: 'uW'"),
        ("cores=2.5", "whole numbers"),
        ("0%", "grants nothing"),
        ("0.5", "less than one SynOp; for a share of the dense SynOps write 50%"),
        ("150%", "between 0% and 100%"),
        ("p99=150%", "between 0% and 100%"),
        ("step=0.5", "less than one SynOp; for a share of the dense SynOps write 50%"),
        ("min-accuracy=0.9", "unknown unit '' for min-accuracy; valid: '%'"),
        ("min-accuracy=120%", "accuracy is at most 100%"),
        ("cores=50%", "unknown unit '%' for cores"),
        ("9" * 400, "is more than can be counted"),
        (f"cores={'9' * 400}", "is more than can be counted"),
    ],
)
def test_what_is_not_understood_says_what_is(text, message):
    with pytest.raises(BudgetError, match=message):
        parse_budget(text)


def test_two_budgets_must_not_speak_of_the_same():
    with pytest.raises(BudgetError, match="'50%' and '120k' both speak of SynOps"):
        parse_budgets(["50%", "cores=3", "120k"])


def test_a_share_becomes_absolute_by_what_the_dense_network_uses():
    half = parse_budget("50%")
    assert half.absolute(240_000) == Limit(SYNOPS, 120_000, "budget 50%")
    assert half.absolute(240_000).unit == "SynOps"


def test_other_budgets_are_limits_as_they_stand():
    four = parse_budget("cores=4")
    assert four.absolute(9) is four
    assert (four.name, four.allowed, four.unit) == ("cores", 4, "cores")


def test_mean_and_tails_may_be_limited_together():
    limits = parse_budgets(["50%", "p99=60%", "step=20k"])
    assert [limit.granted for limit in limits] == ["50%", "p99=60%", "step=20k"]


@pytest.mark.parametrize(("used", "share", "overshoot"), [(50, 0.5, 0), (100, 1, 0), (125, 1.25, 0.25), (0, 0, 0)])
def test_a_limit_is_broken_by_what_is_used_beyond_it_and_not_by_using_it_up(used, share, overshoot):
    use = Use(Limit(SYNOPS, 100, "budget 100"), used)
    assert (use.share, use.overshoot) == (share, overshoot)


def test_anything_used_of_nothing_allowed_is_endless():
    nothing = parse_budget("cores=1").absolute(1)
    assert Use(Limit(nothing.quantity, 0, "made up"), 1).overshoot == math.inf
    assert Use(Limit(nothing.quantity, 0, "made up"), 0).overshoot == 0


def test_a_quantity_that_someone_adds_is_read_and_told_to_those_who_mistype(monkeypatch):
    row = Quantity("spikes", "spikes", "spikes", Follows.ACTIVITY, float, {"k": 1e3}, share=True, example="spikes=3k")
    monkeypatch.setitem(QUANTITIES, "spikes", row)
    assert parse_budget("spikes=3k") == Limit(row, 3000, "budget spikes=3k")
    assert parse_budget("spikes=40%").absolute(200).allowed == 80
    with pytest.raises(BudgetError, match="spikes=3k"):
        parse_budget("half")


def test_keys_and_bare_units_tell_quantities_apart():
    assert [row.key for row in QUANTITIES.values()] == list(QUANTITIES)
    bare = [unit for row in QUANTITIES.values() if row.bare for unit in row.units]
    assert len(bare) == len(set(bare))


@pytest.mark.parametrize(("used", "share"), [(95, 90 / 95), (90, 1), (45, 2)])
def test_a_limit_from_below_is_broken_by_what_is_missing(used, share):
    assert Use(parse_budget("min-accuracy=90%"), used).share == pytest.approx(share)


@pytest.mark.parametrize(("used", "overshoot"), [(-3, 0), (0, 0), (0.25, math.inf)])
def test_where_nothing_may_be_lost_a_gain_is_welcome(used, overshoot):
    assert Use(parse_budget("max-drop=0"), used).overshoot == overshoot


@pytest.mark.parametrize(
    ("budget", "used", "silent", "spikes"),
    [("100", 140, 0, 5 / 7), ("100", 140, 60, 0.5), ("100", 90, 60, 4 / 3), ("throughput=100", 50, 200, 1 / 3)],
)
def test_so_many_spikes_fill_a_limit_of_which_silence_uses_a_part(budget, used, silent, spikes):
    assert Use(parse_budget(budget), used, silent).spikes_for(1.0) == pytest.approx(spikes)


def test_no_spikes_fill_a_limit_that_silence_breaks_and_any_number_one_that_spikes_do_not_touch():
    assert Use(parse_budget("100"), 140, 120).spikes_for(1.0) == 0
    assert Use(parse_budget("100"), 90, 90).spikes_for(1.0) == math.inf
    assert Use(parse_budget("100"), 110, 110).spikes_for(1.0) == 0


@pytest.mark.parametrize("budget", ["100", "throughput=100"])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.25])
def test_a_share_is_told_of_limits_from_above_and_from_below_alike(budget, share):
    assert Use.of_share(parse_budget(budget), share).share == share


@pytest.mark.parametrize("typed", ["min-accuracy={}%", "max-drop={}"])
def test_answers_that_are_just_as_many_as_asked_for_keep_the_limit(typed):
    for number in range(1, 1000):
        limit = parse_budget(typed.format(number / 10))
        enough = Answers(1000, number, number, 0, 0.1)
        worse = replace(enough, right=number - 1, lost=number + 1)
        used, over = (limit.quantity.value(OnChip(None, None, answers=each)) for each in (enough, worse))
        assert used == limit.allowed
        assert Use(limit, used).overshoot == 0 < Use(limit, over).overshoot


def test_a_limit_that_a_sum_of_prices_meets_is_kept_and_one_that_it_exceeds_by_a_millionth_is_not():
    energy, rate = parse_budget("0.3pJ"), parse_budget("throughput=0.1")
    assert (Use(energy, 0.1 + 0.1 + 0.1).share, Use(rate, 0.3 - 0.2).share) == (1, 1)
    assert Use(energy, 0.3 * (1 + 1e-6)).overshoot > 0 < Use(rate, 0.1 * (1 - 1e-6)).overshoot
