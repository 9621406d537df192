"""Prices fitted to made-up measurements whose true prices are known."""

import numpy as np
import pytest

from spear_deploy.errors import DataError, ProfileError
from spear_deploy.hardware import load_profile
from spear_deploy.hardware.calibration import DYNAMIC, Row, calibrate
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


PACE_TRUE = {"time.barrier": 400.0, "time.synaptic_operation": 3.5, "time.neuron_update_active": 30.0}


def paced(seed, count=12, noise=0.05):
    """Rows whose steps wait for the longer of updates and SynOps; in some it is these, in others those."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        steps = float(rng.integers(5, 60))
        updates = steps * rng.uniform(20, 200)
        synops = updates * 10 ** rng.uniform(0, 1.8)
        longer = max(updates * PACE_TRUE["time.neuron_update_active"], synops * PACE_TRUE["time.synaptic_operation"])
        ns = (steps * PACE_TRUE["time.barrier"] + longer) * (1 + noise * rng.normal())
        rows.append(
            Row(f"net {number}", {"steps": steps, "core_updates": updates, "core_synops": synops, "ms": ns / 1e6})
        )
    return rows


COLLINEAR = {"synops": 8.0, "updates": 50.0, "spikes": 3.0, "messages": 1.7}


def collinear(seed):
    """Rows whose counts grow together, so that a fit without bounds makes some prices negative; errors of 10 %."""
    rng = np.random.default_rng(seed)
    rows = []
    for number in range(10):
        spikes = 10 ** rng.uniform(3, 5)
        ratios = {"synops": (40, 80), "updates": (3, 12), "messages": (1, 3)}
        counts = {column: spikes * rng.uniform(*between) for column, between in ratios.items()} | {"spikes": spikes}
        pj = sum(count * COLLINEAR[column] for column, count in counts.items()) * (1 + 0.1 * rng.normal())
        rows.append(Row(f"net {number}", counts | {"mj_dynamic": pj / 1e9}))
    return rows


def without_time(row):
    return {key: value for key, value in row.values.items() if key not in ("steps", "core_synops")}


def test_the_interval_of_each_price_holds_the_true_one_in_at_least_90_of_100_sets():
    held = dict.fromkeys(TRUE, 0)
    for seed in range(100):
        for price in calibrate(made(seed)).prices:
            held[price.key] += price.low <= TRUE[price.key] <= price.high
    assert min(held.values()) >= 90, held


def test_times_that_go_on_side_by_side_have_such_intervals_too():
    held = [
        price.low <= PACE_TRUE[price.key] <= price.high for seed in range(30) for price in calibrate(paced(seed)).prices
    ]
    assert len(held) == 3 * 30
    assert sum(held) >= 81


def test_the_prices_that_are_given_are_those_that_residuals_are_of_and_fit_the_rows_on_the_whole():
    cut = 0
    for seed in range(20):
        rows, found = collinear(seed), calibrate(collinear(seed))
        price = {each.key: each.value for each in found.prices}
        cut += min(price.values()) == 0
        assert all(each.low <= each.value <= each.high and each.high > 0 for each in found.prices)
        of_prices = [sum(row.values[column] * price[DYNAMIC[column]] for column in COLLINEAR) for row in rows]
        assert [each.predicted for each in found.residuals] == pytest.approx(of_prices)
        assert np.mean([each.measured / each.predicted for each in found.residuals]) == pytest.approx(1, abs=1e-6)
    assert cut > 10


def test_a_price_that_is_not_given_counts_as_the_profile_has_it():
    rows = [Row(row.network, dict(row.values) | {"updates": 10 * row.values["synops"]}) for row in made(2)]
    keys = ("energy.neuron_update_active", "energy.synaptic_operation")
    found = calibrate(rows, dict(zip(keys, (2.0, 30.0), strict=True)))
    first = next(each for each in found.residuals if each.what == "mJ dynamic")
    assert first.predicted == pytest.approx(rows[0].values["synops"] * (30.0 + 10 * 2.0))
    unpriced = next(each for each in calibrate(rows).residuals if each.what == "mJ dynamic")
    assert unpriced.predicted is None


def test_a_chip_with_steps_of_fixed_length_has_that_length_fitted():
    rows = [Row(f"{at}", {"steps": at, "core_synops": at**3, "ms": 2.5 * at}) for at in (1.0, 2.0, 4.0, 9.0)]
    (price,) = calibrate(rows, {"time.step": 1e6}).prices
    assert (price.key, price.value) == ("time.step", pytest.approx(2.5e6))


def test_without_errors_the_true_prices_come_back():
    found = {price.key: price.value for price in calibrate(made(1, noise=0.0)).prices}
    assert found == pytest.approx(TRUE)
    found = {price.key: price.value for price in calibrate(paced(1, noise=0.0)).prices}
    assert found == pytest.approx(PACE_TRUE)


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
        calibrate([Row(name, {"synops": 1e6, "updates": 1e5, "mj_dynamic": 1.0}) for name in "ab"])


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


def test_a_count_that_is_not_known_is_not_zero():
    rows = made(7)
    rows[0] = Row("half", {column: value for column, value in rows[0].values.items() if column != "updates"})
    rows[1] = Row("timeless", {column: value for column, value in rows[1].values.items() if column != "steps"})
    found = calibrate(rows)
    assert found.unused == (
        "half: mj_dynamic is not used: updates is missing",
        "timeless: ms is not used: steps is missing",
    )
    assert ("half", "mJ dynamic") not in {(each.network, each.what) for each in found.residuals}


def test_a_row_that_stands_there_twice_counts_once():
    rows = made(8)
    found = calibrate([*rows, rows[3], rows[3]])
    assert found.prices == calibrate(rows).prices
    assert found.unused == ("net 3: stands there 3 times with the same values: counted once",)


@pytest.mark.parametrize(
    ("column", "value", "needs"),
    [
        ("chips", 0, "from 1 on"),
        ("chips", 1.5, "a whole number"),
        ("steps", 0, "from 1 on"),
        ("ms", 0, "above 0"),
        ("mj_total", 0, "above 0"),
        ("mj_dynamic", -1, "above 0"),
        ("synops", -1, "from 0 on"),
        ("synops", float("nan"), "from 0 on"),
        ("core_synops", float("inf"), "from 0 on"),
        ("updates", 1e300, r"from 1e-30 to 1e\+30"),
    ],
)
def test_what_a_column_cannot_have_is_refused_with_its_line(column, value, needs):
    with pytest.raises(DataError, match=rf"rows.csv, line 3: {column} must be .*{needs}"):
        read_rows(f"network,{column}\na,3\nb,{value}\n", "rows.csv")
    with pytest.raises(DataError, match=rf"b: {column} must be .*{needs}"):
        Row("b", {column: value})


def test_a_time_without_any_count_is_not_fitted():
    rows = [*made(9), Row("idle", {"core_synops": 0.0, "steps": 3.0, "chips": 1.0, "ms": 2.0})]
    assert calibrate(rows).unused == ()
    rows = [Row(f"{at}", {"core_synops": 0.0, "synops": at, "mj_dynamic": at, "ms": 2.0}) for at in (1.0, 2.0)]
    lines = calibrate(rows).unused
    assert (
        lines[0] == "1.0: ms is not used: a count above 0 (steps, core_synops, core_updates, input_events) is missing"
    )


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
    rows = [Row(row.network, dict(row.values) | {"mj_dynamic": row.values["mj_total"] + 0.25}) for row in made(4)]
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
