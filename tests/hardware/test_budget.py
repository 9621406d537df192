import pytest

from spear_deploy.errors import BudgetError
from spear_deploy.hardware import BudgetKind, Limit, limit_of, parse_budget, parse_budgets


@pytest.mark.parametrize(
    ("text", "kind", "value", "unit"),
    [
        ("50%", BudgetKind.SHARE, 0.5, "fraction"),
        ("12.5%", BudgetKind.SHARE, 0.125, "fraction"),
        ("120k", BudgetKind.SYNOPS, 120_000, "SynOps"),
        ("1.2M", BudgetKind.SYNOPS, 1_200_000, "SynOps"),
        ("4500", BudgetKind.SYNOPS, 4500, "SynOps"),
        ("synops=4.5k", BudgetKind.SYNOPS, 4500, "SynOps"),
        ("p99=60%", BudgetKind.P99, 0.6, "fraction"),
        ("p99=90k", BudgetKind.P99, 90_000, "SynOps"),
        ("step=20k", BudgetKind.STEP, 20_000, "SynOps"),
        ("cores=4", BudgetKind.CORES, 4, "cores"),
        ("neurons=2k", BudgetKind.NEURONS, 2000, "neurons"),
        ("synapse-memory=64KiB", BudgetKind.SYNAPSE_MEMORY, 65_536, "B"),
        ("3uJ", BudgetKind.ENERGY, 3e6, "pJ"),
        ("3 µJ", BudgetKind.ENERGY, 3e6, "pJ"),
        ("energy=800nJ", BudgetKind.ENERGY, 8e5, "pJ"),
        ("2ms", BudgetKind.TIME, 2e6, "ns"),
        ("power=20mW", BudgetKind.POWER, 20, "mW"),
    ],
)
def test_a_budget_is_read_with_its_unit(text, kind, value, unit):
    budget = parse_budget(text)
    assert (budget.kind, budget.value, budget.unit, budget.text) == (kind, pytest.approx(value), unit, text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not understood; understood are 50%"),
        ("half", "is not understood"),
        ("-3", "is not understood"),
        ("3 apples", "unknown unit 'apples'"),
        ("corse=4", "unknown name 'corse'; known: synops, p99, step, cores"),
        ("power=20ms", "unknown unit 'ms' for power; valid: 'uW'"),
        ("cores=2.5", "whole numbers"),
        ("0%", "grants nothing"),
        ("0.5", "less than one SynOp; for a share of the dense SynOps write 50%"),
        ("150%", "between 0% and 100%"),
        ("p99=150%", "between 0% and 100%"),
        ("step=0.5", "less than one SynOp; for a share of the dense SynOps write 50%"),
        ("cores=50%", "unknown unit '%' for cores"),
    ],
)
def test_what_is_not_understood_says_what_is(text, message):
    with pytest.raises(BudgetError, match=message):
        parse_budget(text)


def test_two_budgets_must_not_speak_of_the_same():
    with pytest.raises(BudgetError, match="'50%' and '120k' both speak of SynOps"):
        parse_budgets(["50%", "cores=3", "120k"])


def test_a_share_becomes_an_absolute_limit():
    limit = limit_of(parse_budget("50%"), dense_synops=240_000)
    assert limit == Limit("SynOps per inference", "synops", 120_000, "SynOps", "budget 50%")


def test_other_budgets_are_limits_as_they_stand():
    limit = limit_of(parse_budget("cores=4"), dense_synops=1)
    assert limit == Limit("cores", "cores", 4, "cores", "budget cores=4")


def test_shares_of_tails_are_taken_of_the_dense_networks_own_tails():
    found = [
        limit_of(parse_budget(text), dense_synops=1e5, dense_p99=2e5, dense_step=4e4)
        for text in ("p99=60%", "step=25%", "p99=90k")
    ]
    assert found == [
        Limit("SynOps of the 99th percentile inference", "p99", 120_000, "SynOps", "budget p99=60%"),
        Limit("SynOps of the busiest time step", "step", 10_000, "SynOps", "budget step=25%"),
        Limit("SynOps of the 99th percentile inference", "p99", 90_000, "SynOps", "budget p99=90k"),
    ]


def test_mean_and_tails_may_be_limited_together():
    assert [budget.text for budget in parse_budgets(["50%", "p99=60%", "step=20k"])] == ["50%", "p99=60%", "step=20k"]
