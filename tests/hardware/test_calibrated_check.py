"""What `calibrate` writes, `check` predicts the measured times with."""

import csv

import nir
import numpy as np
import pytest

from spear_deploy.hardware import Activity, estimate, load_profile, place
from spear_deploy.jobs.calibrate import calibrate

TIMES = {"barrier": 400, "synaptic_operation": 3.5, "neuron_update_active": 30}
FIGURES = {
    "chip.cores_per_chip": (4, "cores"),
    "core.neurons": (1000, "neurons"),
    "energy.synaptic_operation": (1, "pJ"),
    **{f"time.{key}": (value, "ns") for key, value in TIMES.items()},
}


def costs(build, profile):
    """Of one core each: 20 inputs with 1 to 60 events over 10 steps, to 3 to 40 neurons."""
    found = []
    for neurons, events in ((3, 40), (5, 3), (8, 60), (12, 25), (20, 1), (30, 9), (40, 50), (16, 15)):
        network = build((20,), nir.Linear(np.ones((neurons, 20))), "lif")
        activity = Activity({"input": np.full(20, float(events)), "n1": np.ones(neurons)}, 10, analog_input=False)
        found.append(estimate(network, place(network, profile), activity))
    return found


def write_rows(path, found, of_terms):
    """As the counts of `check` have them, with the time that `of_terms` makes of updates and SynOps (ns)."""
    with path.open("w") as file:
        rows = csv.writer(file)
        rows.writerow(["network", "steps", "core_updates", "core_synops", "ms"])
        for number, cost in enumerate(found):
            updates, synops = (
                cost.timing.term(name).count * cost.steps for name in ("neuron updates", "synaptic operations")
            )
            own = of_terms(updates * TIMES["neuron_update_active"], synops * TIMES["synaptic_operation"])
            rows.writerow([f"net {number}", cost.steps, updates, synops, (cost.steps * TIMES["barrier"] + own) / 1e6])


def test_times_of_checks_own_law_are_predicted_exactly(build, chip_file, tmp_path):
    base = chip_file(FIGURES)
    found = costs(build, load_profile(base))
    write_rows(tmp_path / "rows.csv", found, max)
    calibrate(str(base), tmp_path / "rows.csv", tmp_path / "mine.toml", instrument="a clock")
    again = costs(build, load_profile(tmp_path / "mine.toml"))
    typical = [cost.time_ns.typical for cost in found]
    assert [cost.time_ns.typical for cost in again] == pytest.approx(typical, rel=1e-3)
    waits = {
        cost.timing.term("neuron updates").count * 30 > cost.timing.term("synaptic operations").count * 3.5
        for cost in found
    }
    assert waits == {True, False}


def test_times_of_another_law_are_predicted_as_residuals_say_and_not_too_short_on_the_whole(build, chip_file, tmp_path):
    base = chip_file(FIGURES)
    write_rows(tmp_path / "rows.csv", costs(build, load_profile(base)), lambda updates, synops: updates + synops)
    told = calibrate(str(base), tmp_path / "rows.csv", tmp_path / "mine.toml", instrument="a clock").residuals
    again = [cost.time_ns.typical for cost in costs(build, load_profile(tmp_path / "mine.toml"))]
    assert again == pytest.approx([each.predicted for each in told], rel=1e-3)
    assert np.mean([each.measured / typical for each, typical in zip(told, again, strict=True)]) == pytest.approx(
        1, abs=1e-3
    )
