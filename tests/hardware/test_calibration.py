"""Prices fitted to made-up measurements whose true prices are known."""

import numpy as np
import pytest

from spear_deploy.errors import DataError, ProfileError
from spear_deploy.hardware import load_profile
from spear_deploy.hardware.calibration import Row, calibrate
from spear_deploy.hardware.calibration_files import calibrated_profile, read_rows

TRUE = {
    "energy.synaptic_operation": 24.0,
    "energy.neuron_update_active": 80.0,
    "energy.static_per_chip": 104.0,
    "time.barrier": 400.0,
    "time.synaptic_operation": 3.5,
}


def made(seed, count=12, noise=0.05):
    """Rows of networks of many sizes, each measured with an error of 5 %."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        synops, updates = 10 ** rng.uniform(5, 7), 10 ** rng.uniform(4, 6.5)
        steps, chips = float(rng.integers(20, 400)), float(rng.integers(1, 4))
        core = synops / rng.uniform(3, 30)
        ns = (steps * TRUE["time.barrier"] + core * TRUE["time.synaptic_operation"]) * (1 + noise * rng.normal())
        dynamic = synops * TRUE["energy.synaptic_operation"] + updates * TRUE["energy.neuron_update_active"]
        idle = chips * ns * TRUE["energy.static_per_chip"]
        dynamic *= 1 + noise * rng.normal()
        values = {"synops": synops, "updates": updates, "steps": steps, "chips": chips, "core_synops": core}
        measured = {
            "ms": ns / 1e6,
            "mj_dynamic": dynamic / 1e9,
            "mj_total": (dynamic + idle * (1 + noise * rng.normal())) / 1e9,
        }
        rows.append(Row(f"net {number}", values | measured))
    return rows


def without_time(row):
    return {key: value for key, value in row.values.items() if key not in ("steps", "core_synops")}


def test_the_interval_of_each_price_holds_the_true_one_in_at_least_90_of_100_sets():
    held = dict.fromkeys(TRUE, 0)
    for seed in range(100):
        for price in calibrate(made(seed)).prices:
            held[price.key] += price.low <= TRUE[price.key] <= price.high
    assert min(held.values()) >= 90, held


def test_without_errors_the_true_prices_come_back():
    found = {price.key: price.value for price in calibrate(made(1, noise=0.0)).prices}
    assert found == pytest.approx(TRUE)


def test_what_rows_cannot_tell_apart_is_named_and_not_given():
    """Where every network updates ten neurons a SynOp only the sum of both prices shows."""
    rows = [Row(row.network, dict(row.values) | {"updates": 10 * row.values["synops"]}) for row in made(2)]
    found = calibrate(rows)
    assert found.together == (("energy.neuron_update_active", "energy.synaptic_operation"),)
    assert "energy.synaptic_operation" not in {price.key for price in found.prices}
    assert "energy.static_per_chip" in {price.key for price in found.prices}


def test_each_measurement_has_its_residual():
    found = calibrate(made(3))
    assert len(found.residuals) == 3 * 12
    assert all(each.predicted == pytest.approx(each.measured, rel=0.3) for each in found.residuals)


def test_fewer_measurements_than_prices_are_refused_naming_how_many_are_needed():
    with pytest.raises(DataError, match=r"2 measurements for 2 prices.*at least 3 are needed"):
        calibrate([Row("a", {"synops": 1e6, "updates": 1e5, "mj_dynamic": 1.0})] * 2)


def test_prices_that_no_row_joins_are_fitted_apart_and_each_needs_measurements_enough():
    """Two rows for two prices fit exactly: how well totals fit static power says nothing of their errors."""
    with pytest.raises(DataError, match=r"2 measurements for 2 prices .*synaptic_operation.*at least 3 are needed"):
        calibrate([Row(row.network, without_time(row)) for row in made(6)[:2]])


def test_a_measurement_that_lacks_what_it_needs_is_named_with_it():
    rows = [Row(row.network, without_time(row)) for row in made(7)]
    rows.append(Row("no time", {"synops": 1e6, "updates": 1e5, "mj_dynamic": 0.05, "mj_total": 0.1}))
    rows.append(Row("no counts", {"mj_dynamic": 0.05, "ms": 1.0}))
    counts = "a count (synops, updates, spikes, messages, input_events)"
    assert calibrate(rows).unused == (
        "no time: mj_total is not used: ms is missing",
        f"no counts: mj_dynamic is not used: {counts} is missing",
        "no counts: ms is not used: mj_total, or core_synops or core_updates is missing",
    )
    assert calibrate(made(7)).unused == ()


def test_a_total_below_its_dynamic_part_is_refused():
    rows = [Row(row.network, dict(row.values) | {"mj_total": row.values["mj_dynamic"] / 2}) for row in made(4)]
    with pytest.raises(DataError, match=r"net \d+: mJ total - dynamic must be above zero"):
        calibrate(rows)


HEADER = "network,chips,synops,updates,mj_total,mj_dynamic,ms\n"


def test_a_cell_of_any_length_is_told_in_few_words():
    for cell in ("9" * 5000, "-" + "9" * 300, "x" * 9000):
        with pytest.raises(DataError) as told:
            read_rows(f"{HEADER}a,1,{cell},,,,\n", "rows.csv")
        assert len(str(told.value)) < 200


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column 'network'; known are network, chips, synops"),
        ("network;watts\na;3\n", "unknown columns 'watts'; known are"),
        ("network;synops\na;1.234,5\n", "line 2: synops is no number: '1.234,5'"),
        ('network,synops\na,"1,5"\n', "line 2: synops is no number: '1,5'"),
        ("network,watts\na,3\n", "unknown columns 'watts'; known are"),
        (HEADER, "no rows; needed is a line for each measured inference"),
        (HEADER + "a,1,-5,,,,\n", "line 2: synops must be a number from 0 on, found -5"),
        (HEADER + "a,1,2,3,4,5,6,7\n", "line 2: more cells than columns"),
        ("network,ms,ms\na,1,2\n", "columns that stand there twice: 'ms'"),
        ("network,ms\na," + "9" * 200_000 + "\n", "rows.csv: no CSV .field larger than field limit"),
        (HEADER + "a,1,x,,,,\n" * 5000, "line 11: synops is no number: 'x'\nand 4,990 more"),
        (HEADER + "a,1,many,,,,nan\n", "line 2: synops is no number: 'many'\n.*line 2: ms must be a number"),
    ],
)
def test_rows_that_cannot_be_read_are_named(text, message):
    with pytest.raises(DataError, match=message):
        read_rows(text, "rows.csv")


@pytest.mark.parametrize(
    "text",
    [
        "network,synops,mj_dynamic\na,5000,1.5\nb,7e3,2.1\n",
        "\ufeffnetwork,synops,mj_dynamic\r\na,5000,1.5\r\nb,7e3,2.1\r\n",
        "network;synops;mj_dynamic\na;5000;1,5\nb;7e3;2.1\n",
        "\ufeffNetwork;SynOps ; mj_Dynamic\r\na; 5000;1,5\r\nb;7e3;2,1\r\n",
        "network\tsynops\tmj_dynamic\na\t5000\t1.5\nb\t7e3\t2.1\n",
        "\nnetwork,synops,mj_dynamic\n\na,5000,1.5\n\nb,7e3,2.1",
    ],
)
def test_rows_are_read_as_spreadsheets_write_them(text):
    found = [(row.network, dict(row.values)) for row in read_rows(text, "rows.csv")]
    assert found == [("a", {"synops": 5000, "mj_dynamic": 1.5}), ("b", {"synops": 7000, "mj_dynamic": 2.1})]


def test_what_is_measured_is_told_in_its_own_unit():
    rows = [Row(row.network, dict(row.values) | {"mj_total": row.values["mj_dynamic"] - 0.25}) for row in made(4)]
    with pytest.raises(DataError, match=r"mJ total - dynamic must be above zero, found -0.25$"):
        calibrate(rows)


def test_fitted_prices_become_a_profile_that_inherits_with_status_measured(tmp_path):
    text = calibrated_profile(
        load_profile("loihi1"),
        "loihi1",
        "mine",
        calibrate(made(5)),
        rows="rows.csv",
        date="2026-05-01",
        instrument='a "scope"',
    )
    path = tmp_path / "mine.toml"
    path.write_text(text)
    profile = load_profile(path)
    price = profile.energy.synaptic_operation
    assert (price.status, price.date, price.instrument) == ("measured", "2026-05-01", 'a "scope"')
    assert price.spread.low < price.spread.typical < price.spread.high
    assert "energy.synaptic_operation" not in profile.inherited
    assert profile.core.neurons == load_profile("loihi1").core.neurons


def test_a_measurement_without_date_and_instrument_is_refused(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(
        'name = "mine"\ntitle = "Mine"\n[energy.spike]\nvalue = 3\nunit = "pJ"\nstatus = "measured"\nsource = "me"\n'
    )
    with pytest.raises(ProfileError, match=r"energy\.spike: status is measured: give date and instrument too"):
        load_profile(path)
