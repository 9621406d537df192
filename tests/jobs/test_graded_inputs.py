"""Samples that reach farther than those that a chip's levels were chosen on are run all the same, and told."""

import json

import numpy as np
import pytest
from made_networks import Chain
from made_task import arrays, write_task
from small_runs import run

from spear_deploy.backends.backend import CALIBRATION_SAMPLES
from spear_deploy.data import Dataset
from spear_deploy.errors import BackendError, DataError
from spear_deploy.hardware import load_profile
from spear_deploy.jobs.check import check, measured
from spear_deploy.jobs.export.export import run_export
from spear_deploy.jobs.export.request import ExportRequest
from spear_deploy.jobs.graded_inputs import cut_on
from spear_deploy.jobs.progress import Silent
from spear_deploy.jobs.simulate import simulate
from spear_deploy.jobs.task import Task
from spear_deploy.network import Encoding, save_model_file


class Listening(Silent):
    def __init__(self):
        self.heard = []

    def notice(self, text):
        self.heard.append(text)


@pytest.fixture
def task():
    """Event counts up to 2 in training, with one of 40 in test."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 3, (30, 4, 6)).astype(np.uint8)
    test = x[:8].copy()
    test[2, 1, 3] = 40
    data = Dataset.of_arrays(x_train=x, x_test=test)
    model = Chain((6,)).linear("dense", 5).neurons("lif").model(4, Encoding.COUNTS)
    return Task(model, data)


def test_simulate_runs_them_and_says_how_many_are_cut(task):
    progress = Listening()
    found = simulate(task, load_profile("loihi2"), ("torch", "chip"), progress=progress)
    assert set(found.simulated.results) == {"torch", "chip"}
    (line,) = (text for text in progress.heard if "lie outside" in text)
    assert line.startswith(f"1 of {int((task.data.test.x[:] != 0).sum())} input values of test lie outside 0 to 8.")


def test_what_a_split_holds_beyond_them_is_known_before_the_long_work(task):
    loihi2 = load_profile("loihi2")
    assert cut_on(loihi2, task.model, task.train, [task.validation]) == []
    (line,) = cut_on(loihi2, task.model, task.train, [task.validation, task.test])
    assert "of test lie outside" in line
    assert cut_on(load_profile("generic-45nm"), task.model, task.train, [task.test]) == []


def test_counts_of_test_have_room_above_those_that_training_shows(task):
    """Eight events in a step where training has two: their currents are those of eight single events."""
    test = task.data.test.x[:8].clone()
    test[2, 1, 3] = 8
    more = Task(task.model, Dataset.of_arrays(x_train=task.data.train.x[:].numpy(), x_test=test.numpy()))
    assert cut_on(load_profile("loihi2"), task.model, more.train, [more.test]) == []


def late_values(rng):
    """Images of 0 and 1, as many as scales are chosen on, and greys behind them."""
    x = rng.integers(0, 2, (CALIBRATION_SAMPLES + 40, 6)).astype(np.float32)
    x[CALIBRATION_SAMPLES + 10 :] = rng.random((30, 6), dtype=np.float32)
    return x


def test_values_that_only_later_samples_hold_are_seen():
    x = late_values(np.random.default_rng(1))
    model = Chain((6,)).linear("dense", 5).neurons("lif").model(4, Encoding.DIRECT)
    task = Task(model, Dataset.of_arrays(x_train=x, x_val=x[-8:], x_test=x[-8:]))
    found = simulate(task, load_profile("loihi2"), ("torch", "chip"))
    torch_, chip = (found.simulated.results[name].measurement for name in ("torch", "chip"))
    assert torch_.synops_analog == chip.synops_analog > 0
    assert cut_on(load_profile("loihi2"), model, task.train, [task.train, task.test]) == []


def test_the_samples_that_integers_are_chosen_on_are_named_as_they_are():
    rng = np.random.default_rng(3)
    model = Chain((6,)).linear("dense", 5).neurons("lif").model(4, Encoding.DIRECT)
    for x, named in (
        (rng.random((300, 6), dtype=np.float32), "256 of 300 training samples, spread over them at random (seed 0)"),
        (rng.random((40, 6), dtype=np.float32), "all 40 training samples"),
    ):
        task = Task(model, Dataset.of_arrays(x_train=x, x_val=x[-8:], x_test=x[-8:]), seed=5)
        assert task.calibration_name(CALIBRATION_SAMPLES) == f"{task.data.name}, {named}, seed 5"


def task_of(train, test):
    model = Chain((6,)).linear("dense", 5).neurons("lif").model(4, Encoding.DIRECT)
    return Task(model, Dataset.of_arrays(x_train=train, x_val=test[:8], x_test=test))


def test_one_sample_far_above_all_others_takes_their_levels_and_that_is_told():
    x = np.random.default_rng(4).random((60, 6), dtype=np.float32)
    task = task_of(x, x)
    assert cut_on(load_profile("loihi2"), task.model, task.train, [task.test]) == []
    far = x.copy()
    far[3, 2] = 400
    task = task_of(far, x)
    (line,) = cut_on(load_profile("loihi2"), task.model, task.train, [task.test])
    assert line.endswith(
        "input values of test are sent as 0: they lie below 0.7843, because training samples reach up to 400,"
        " and the chip's spikes carry 255 levels"
    )
    vanished, held = (4 * int(each.sum()) for each in ((x < 200 / 255) & (x != 0), x != 0))  # in each of four steps
    assert line.startswith(f"{vanished:,} of {held:,} ")


def test_every_verb_that_uses_a_chips_integers_says_what_they_lose_of_the_inputs(tmp_path):
    x = np.random.default_rng(4).random((60, 6), dtype=np.float32)
    far = x.copy()
    far[3, 2] = 400
    task, loihi2 = task_of(far, x), load_profile("loihi2")
    (line,) = cut_on(loihi2, task.model, task.train, [task.test])
    assert line in simulate(task, loihi2, ("chip",)).told
    checking, exporting = Listening(), Listening()
    subject = measured("net", task.model, task)
    assert check(subject, loihi2, tell=checking.notice).told == (*task.notices, f"net on loihi2: {line}")
    assert check(subject, load_profile("generic-45nm"), tell=checking.notice).told == task.notices
    assert checking.heard == [f"net on loihi2: {line}"]
    request = ExportRequest(tmp_path / "net.pt", ("nir",), tmp_path / "out", options={"fixed": True})
    save_model_file(task.model, request.model)
    (entry,) = run_export(request, exporting, task)
    assert entry.integers.cut == (line,)
    assert f"loihi2: {line}" in exporting.heard


def test_values_that_no_training_sample_shows_are_refused_before_the_long_work():
    train = np.random.default_rng(5).integers(0, 2, (60, 6)).astype(np.float32)
    test = train[:20].copy()
    assert cut_on(load_profile("loihi2"), *seen(task_of(train, test))) == []
    test[11, 2] = 0.5
    with pytest.raises(DataError, match="test holds inputs other than 0 and 1, and train holds none"):
        cut_on(load_profile("loihi2"), *seen(task_of(train, test)))
    with pytest.raises(BackendError, match="training samples that integers are chosen on have to show such values"):
        simulate(task_of(train, test), load_profile("loihi2"), ("chip",))


def seen(task):
    return task.model, task.train, [task.validation, task.test]


@pytest.mark.slow
def test_a_network_whose_inputs_the_chip_no_longer_tells_apart_is_not_ok(tmp_path):
    """What is left of both networks is alike; only the dense one in floating point says what was lost."""
    model = write_task(tmp_path)
    held = arrays()
    held["x_train"][5, 0, 0, 0] = 450
    np.savez(tmp_path / "samples.npz", **held)
    (report,) = run(model, tmp_path / "out", budgets=["80%"])
    assert not report.verdict.ok
    assert not report.verdict.works
    assert report.measured["torch"].accuracy > 0.95 > report.measured["chip"].accuracy + 0.1
    (line,) = (line for line in report.told if "are sent as 0" in line and " of test " in line)
    exports = json.loads((tmp_path / "out" / "export.json").read_text())["exports"]
    assert {f"loihi2: {cut}" for each in exports if "integers" in each for cut in each["integers"]["cut"]} == {line}
