"""Numbers with units are worth what they say, to the last bit."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spear_deploy.hardware import parse_budget
from spear_deploy.hardware.chip.figures import Memory, Rate, Time, TimeCurve
from spear_deploy.hardware.chip.spellings import product


@given(digits=st.integers(1, 10**9), places=st.integers(0, 9), worth=st.sampled_from([0.01, 0.125, 1.0, 1e3, 1024.0]))
def test_a_number_times_its_unit_is_the_float_next_to_what_is_written(digits, places, worth):
    written = Fraction(digits, 10**places)
    assert product(str(digits / 10**places), worth) == float(written * Fraction(str(worth)))


@pytest.mark.parametrize(
    ("split", "whole"),
    [
        ("1.005k", "1005"),
        ("neurons=1.005k", "neurons=1005"),
        ("core-step=1.003k", "core-step=1003"),
        ("synapse-memory=1.001kB", "synapse-memory=1001B"),
        ("energy=1.001nJ", "energy=1001pJ"),
        ("1.001us", "1001ns"),
        ("throughput=1.001k/s", "throughput=1001/s"),
        ("power=1.001W", "power=1001mW"),
    ],
)
def test_a_budget_is_the_same_in_either_unit(split, whole):
    assert parse_budget(split).allowed == parse_budget(whole).allowed


@pytest.mark.parametrize("percent", range(1, 101))
def test_a_percentage_of_a_hundred_synops_is_as_many(percent):
    assert parse_budget(f"{percent}%").absolute(100.0).allowed == percent


@pytest.mark.parametrize(
    ("kind", "value", "unit", "amount"),
    [(Memory, 1.001, "kB", 1001), (Time, 1.001, "us", 1001), (Rate, 8.1, "M/s", 8.1e6)],
)
def test_a_figure_of_a_chip_is_the_same_in_either_unit(kind, value, unit, amount):
    figure = kind(
        value=value, low=value, high=value, unit=unit, status="estimated", basis="assumption", source="made up"
    )
    spread = figure.spread
    assert (spread.low, spread.typical, spread.high, figure.amount) == (amount,) * 4


def test_a_time_that_depends_on_a_number_is_the_same_in_either_unit():
    pairs = ((1.0, 1.001), (2.0, 2.0))
    curve = TimeCurve(value=pairs, unit="us", status="estimated", basis="assumption", source="made up")
    assert [curve.amount_at(number) for number in (1, 2)] == [1001, 2000]
