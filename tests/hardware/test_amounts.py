"""Amounts as they are printed: three digits and a unit that a reader need not convert."""

import pytest

from spear_deploy.hardware import QUANTITIES, Use, parse_budget
from spear_deploy.hardware.amounts import amount_text, both_texts, keep_text, share_text
from spear_deploy.hardware.chip.figures import Spread
from spear_deploy.hardware.gates import Held


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (60_260.0, "ns", "60.3 us"),
        (12_897_564.0, "pJ", "12.9 uJ"),
        (5e9, "ns", "5.00 s"),
        (0.0243, "mW", "24.3 uW"),
        (0.0, "pJ", "0 pJ"),
        (0.031, "pJ", "0.031 pJ"),
        (5423.6, "SynOps", "5,424 SynOps"),
        (12.34, "SynOps", "12.3 SynOps"),
        (4.0, "cores", "4 cores"),
        (65536.0, "B", "65,536 B"),
        (7403.8, "1/s", "7,404 /s"),
        (1.5, "points", "1.50 points"),
        (Spread(1.2e6, 2e6, 3.4e6), "pJ", "1.20 to 3.40 uJ"),
        (Spread(2e3, 2e4, 9e6), "ns", "0.002 to 9.00 ms"),
        (Spread(104.0, 104.0, 104.0), "mW", "104 mW"),
    ],
)
def test_an_amount_has_three_digits_and_a_short_unit(value, unit, text):
    assert amount_text(value, unit) == text


@pytest.mark.parametrize(
    ("used", "allowed", "texts"),
    [
        (60_260.0, 50_000.0, ("60.3", "50.0", "us")),
        (50_020.0, 50_000.0, ("50.02", "50", "us")),
        (900.0, 50_000.0, ("0.9", "50.0", "us")),
        (50_000.0, 50_000.0, ("50.0", "50.0", "us")),
    ],
)
def test_what_is_used_and_what_is_allowed_are_in_one_unit_and_never_look_alike_when_they_differ(used, allowed, texts):
    assert both_texts(used, allowed, "ns") == texts


USED = {"energy": 12_897_564.0, "latency": 60_260.0, "throughput": 4210.7, "power": 31.4, "core-step": 5423.4}


@pytest.mark.parametrize(
    ("budget", "text"),
    [
        ("50us", "budget 50us: BROKEN (latency of an inference, high end: 60.3 of 50.0 us)"),
        ("15uJ", "budget 15uJ: kept (energy per inference, high end: 12.9 of 15.0 uJ)"),
        (
            "throughput=5000/s",
            "budget throughput=5000/s: BROKEN (throughput of a full pipeline, low end: 4,211 of 5,000 /s)",
        ),
        ("power=20mW", "budget power=20mW: BROKEN (power, high end: 31.4 of 20.0 mW)"),
        (
            "core-step=5k",
            "budget core-step=5k: BROKEN (operations of the busiest core in a step: 5,423 of 5,000 SynOps)",
        ),
    ],
)
def test_a_budget_is_told_in_units_that_are_typed(budget, text):
    limit = parse_budget(budget)
    assert Held(limit, Use(limit, USED[limit.quantity.key])).text == text


def test_no_quantity_is_ever_printed_with_an_exponent():
    for quantity in QUANTITIES.values():
        for value in (1.0, 1234.5, 6.026e4, 1.3e7, 4e11):
            assert "e+" not in amount_text(value, quantity.unit)


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0%"),
        (0.874, "87%"),
        (1.0, "100%"),
        (273 / 272, "100.4%"),
        (1 + 2e-7, "100.00002%"),
        (0.9996, "99.96%"),
        (1.326, "133%"),
        (float("inf"), "inf%"),
    ],
)
def test_a_share_reads_100_percent_where_it_is_all_and_only_there(share, text):
    assert share_text(share) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [(1.0, "100%"), (0.9996, "99%"), (50 / 51, "98%"), (0.29, "29%"), (0.0049, "0.4%"), (1 / 4096, "0.02%")],
)
def test_what_may_stay_is_rounded_down_and_never_to_nothing(share, text):
    assert keep_text(share) == text
