"""What the tables of chips on the terminal say of limits that are just or far exceeded."""

import nir
import numpy as np
import pytest
from made_chips import unit_of
from rich.console import Console

from spear_deploy.hardware.chip.profile import Profile
from spear_deploy.hardware.comparison import compare
from spear_deploy.hardware.cost.activity import Activity
from spear_deploy.report.chip_json import row_json
from spear_deploy.report.terminal.check import check_text
from spear_deploy.report.terminal.compare import COLUMNS, cells, csv_columns, csv_row


def row_of(network, activity=None, **figures):
    """The row of a network on a made-up chip; keys have a double underscore for the dot."""
    content = {}
    for key, value in figures.items():
        section, name = key.split("__")
        figure = {"value": value, "unit": unit_of(f"{section}.{name}"), "status": "estimated", "source": "made up"}
        content.setdefault(section, {})[name] = figure
    profile = Profile.model_validate({"name": "made-up", "title": "Made up", **content})
    (row,) = compare("net", network, [profile], activity, analog_input=False)
    return row


def dense(outputs, inputs):
    return nir.Linear(np.ones((outputs, inputs)))


@pytest.fixture
def wide(build):
    """10 neurons of 80 inputs, each before 45 neurons."""
    return build((80,), dense(10, 80), "lif", dense(45, 10), "lif")


@pytest.mark.parametrize(
    ("fan_in", "binds", "used", "allowed"), [(37, "fan-in per neuron", 80, 37), (79, "fan-out", 45, 36)]
)
def test_what_binds_is_what_is_exceeded_most_in_the_table_and_as_csv(wide, fan_in, binds, used, allowed):
    """A fan-out of 45 is 125 % of 36; a fan-in of 80 is 216 % of 37 and 101 % of 79."""
    row = row_of(wide, core__fan_in=fan_in, core__fan_out=36)
    shown = dict(zip(COLUMNS, cells(row), strict=True))
    assert shown["binding limit"] == f"{binds}: {used} synapses and 1 more"
    written = dict(zip(csv_columns(()), csv_row(row, "spikes", ()), strict=True))
    assert [written[name] for name in ("binding", "binding_used", "binding_allowed")] == [binds, used, allowed]


def test_a_rule_without_an_amount_is_told_where_no_limit_is_exceeded(build):
    row = row_of(build((2,), dense(2, 2), "lif", loops=[("n1", dense(2, 2))]), layers__recurrence=False, core__fan_in=9)
    assert dict(zip(COLUMNS, cells(row), strict=True))["binding limit"].startswith("recurrence: ")


def printed(row):
    console = Console(width=200, record=True)
    with console.capture() as captured:
        console.print(check_text(row))
    return captured.get()


def test_limits_that_are_exceeded_by_little_do_not_look_kept(wide):
    text = printed(row_of(wide, chip__synapses=1249))
    assert "100.1%" in text
    assert "prune the network to 99% of that" in text


def test_cores_of_a_layer_of_which_a_neuron_is_too_much_are_not_told_as_known(wide):
    figures = {"core__in_axons": 79, "chip__cores_per_chip": 9}
    lines = printed(row_of(wide, **figures)).splitlines()
    assert any("cores" in line and "at least 2" in line and "9 cores" in line for line in lines)
    assert any("n1" in line and "not known" in line for line in lines)
    assert dict(zip(COLUMNS, cells(row_of(wide, **figures)), strict=True))["cores"] == "at least 2 of 9"
    assert row_json(row_of(wide, **figures))["uncut"] == ["n1"]
    assert row_json(row_of(wide))["uncut"] == []


@pytest.mark.parametrize(
    ("figures", "shown", "least"),
    [
        ({"core__neurons": 20}, "3", False),
        ({"core__neurons": 20, "chip__cores_per_chip": 9}, "3 of 9", False),
        ({"core__in_axons": 79}, "at least 3", True),
    ],
    ids=["of a chip whose cores are not counted", "of one whose cores are", "that no limit cuts"],
)
def test_cores_are_told_alike_in_the_table_as_csv_and_as_json(build, figures, shown, least):
    row = row_of(build((80,), dense(20, 80), "lif", dense(25, 20), "lif"), **figures)
    written = dict(zip(csv_columns(()), csv_row(row, "spikes", ()), strict=True))
    content = row_json(row)
    needed = row.verdict.placement.cores_needed
    assert dict(zip(COLUMNS, cells(row), strict=True))["cores"] == shown.replace("3", f"{needed}")
    assert (written["cores"], written["cores_at_least"]) == (content["cores"], content["cores_at_least"])
    assert (content["cores"], content["cores_at_least"]) == (needed, least)


def test_a_time_that_is_a_lower_bound_is_told_so_in_the_table_as_csv_and_as_json(build):
    """Spikes that are known as means alone: every step is taken to do the same."""
    network = build((2,), dense(2, 2), "lif")
    activity = Activity({network.input: np.ones(2), "n1": np.ones(2)}, 4, analog_input=False)
    prices = {"time__neuron_update_active": 1, "time__synaptic_operation": 1}
    row = row_of(network, activity, **prices)
    assert dict(zip(COLUMNS, cells(row), strict=True))["time"].startswith("at least ")
    assert dict(zip(csv_columns(()), csv_row(row, "spikes", ()), strict=True))["time_at_least"] is True
    assert row_json(row)["cost"]["timing"]["at_least"] is True
