"""What is told of SPEAR's own pipeline, on a network that takes little time."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from made_task import write_task

from benchmarks import spear
from spear_deploy import load_model
from spear_deploy.data import encode, load_data
from spear_deploy.measure import measure_split
from spear_deploy.report.pictures.draw_matplotlib import canvas_bytes


@dataclass(frozen=True)
class Made:
    path: Path
    name: str = "made up"
    data: str | None = None

    def model(self):
        return self.path


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("spear")
    setting = Made(write_task(folder))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spear, "BUILD", folder)
        return setting, [
            spear.run(setting, seed, 8, replace(spear.SPEAR_RECIPE, epochs=2)) | {"seed": seed} for seed in (0, 1)
        ]


def test_each_seed_is_a_search_of_its_own_on_the_same_dense_network_and_samples(found):
    setting, runs = found
    assert all(len(run["shares"]) == len(run["accuracies"]) == 8 for run in runs)
    assert runs[0]["shares"] != runs[1]["shares"]
    assert runs[0]["tuned_dense"] == runs[1]["tuned_dense"]
    model, data = load_model(setting.path), load_data(setting.path.parent / "samples.npz")
    test = measure_split(model, encode(data.test, model.encoding, model.time_steps))
    assert runs[0]["dense"] == pytest.approx({"synops": test.synops, "accuracy": test.accuracy})


def test_what_is_delivered_is_the_best_by_tars_last_weight(found):
    for run in found[1]:
        shares, accuracies = np.array(run["shares"]), np.array(run["accuracies"])
        value = accuracies - run["weight_after"] * np.maximum(shares - 1, 0)
        best = int(np.argmax(value))
        assert run["pruned_accuracy"] == accuracies[best]
        assert run["predicted"] == pytest.approx(shares[best])


def made_up(seed, late, test):
    return {
        "seed": seed,
        "episodes": 10,
        "epochs": 2,
        "rate": 0.1,
        "shares": [2.0, 2.0, *[1.0] * 6, *late],
        "accuracies": [0.5] * 10,
        "pruned_accuracy": 0.4,
        "predicted": 1.0,
        "measured": 1.1,
        "test": {"share": test, "accuracy": 0.8},
        "dense": {"synops": 1.0, "accuracy": 0.9},
        "tuned_dense": {"synops": 1.0, "accuracy": 0.95},
    }


def test_the_page_tells_first_from_last_fifth_and_counts_runs_over_the_budget():
    runs = {"digits": [made_up(0, [0.9, 0.9], 1.2), made_up(1, [0.9, 1.1], 0.9)]}
    (line,) = [line for line in spear.page(runs).splitlines() if line.startswith("| digits")]
    cells = dict(zip(spear.HEAD, line[2:-2].split(" | "), strict=True))
    assert cells["network"] == "digits (2 seeds)"
    assert cells["over, first fifth"] == "100.0 ± 0.0"
    assert cells["over, last fifth"] == "25.0 ± 25.0"
    assert cells["overshoot on test"] == "5.0 ± 15.0"
    assert cells["over on test"] == "1 of 2"
    assert cells["tuned dense"] == "95.0 ± 0.0"


def test_the_figure_has_a_curve_for_each_network_in_both_panels():
    runs = {name: [made_up(0, [0.9, 0.9], 1.0)] for name in ("digits", "mnist")}
    drawn = canvas_bytes(spear.figure(runs), "svg").decode()
    assert drawn.count(">MNIST<") == drawn.count(">digits<") == 2
    assert spear.curve(runs["digits"], "shares")[0] == 2.0
