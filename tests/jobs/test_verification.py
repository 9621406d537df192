"""A backend that must repeat another one's spikes: what it says is held against them, and no failure is lost."""

import json
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from made_networks import Chain, spike_input

from spear_deploy.backends.backend import Backend, Executable, ToolStatus
from spear_deploy.backends.torch import TorchBackend
from spear_deploy.data import EncodedSplit, SplitName
from spear_deploy.errors import BackendError
from spear_deploy.hardware import QUANTITIES, Limit, Use
from spear_deploy.jobs.deploy.lre_check import check_limits, check_prediction, for_images, plain_on_test
from spear_deploy.jobs.deploy.verification import check_runs, verify
from spear_deploy.jobs.progress import Clock
from spear_deploy.network import Encoding
from spear_deploy.report.measured import distribution
from spear_deploy.search import Prediction
from spear_deploy.system.journal import NOTHING

MODEL = Chain((8,), seed=3).linear("a", 10).neurons("first").linear("b", 4).neurons("out").model(6, Encoding.SPIKES)
DATA = EncodedSplit(SplitName.TEST, spike_input(MODEL, 20), torch.arange(20) % 4, analog=False)
REFERENCES = {"torch": TorchBackend().prepare(MODEL)}


class Notices:
    def __init__(self):
        self.said = []

    @contextmanager
    def stage(self, name, total):
        yield lambda done=None, detail=None: None

    def notice(self, text):
        self.said.append(text)


class Other(Backend):
    """Another simulator: torch, whose recordings are changed on the way."""

    name, reference, arithmetic = "other", "torch", "float64"

    def __init__(self, change=lambda recording: recording, status=ToolStatus(), refuses=""):  # noqa: B008
        self.change, self._status, self.refuses = change, status, refuses

    @classmethod
    def of(cls, setting):
        return cls()

    def status(self):
        return self._status

    def prepare(self, model, *, reference=None):
        if self.refuses:
            raise BackendError(self.refuses)
        ready, change = TorchBackend().prepare(model), self.change

        class Ready(Executable):
            def run(self, inputs, **options):
                return change(ready.run(inputs, **options))

        return Ready()


def changed(layer, change):
    return lambda recording: replace(recording, outputs={**recording.outputs, layer: change(recording.outputs[layer])})


def without(layer):
    return lambda recording: replace(
        recording, outputs={name: sent for name, sent in recording.outputs.items() if name != layer}
    )


def first(count):
    return lambda recording: replace(
        recording, outputs={name: sent[:, :count] for name, sent in recording.outputs.items()}
    )


def verified(*backends):
    progress = Notices()
    return verify(MODEL, REFERENCES, backends, DATA, Clock(progress)), progress.said


def test_one_that_repeats_every_spike_is_equal_and_measured_on_its_own():
    found, said = verified(Other())
    (each,) = found.found
    assert each.agreement.equal
    assert each.agreement.samples == each.measured.samples == 20
    assert each.measured.synops == each.reference.synops > 0
    assert (found.missing, said) == ("", [])


def test_one_that_ran_the_first_samples_alone_is_held_against_those():
    (each,) = verified(Other(first(7)))[0].found
    assert each.agreement.equal
    assert each.agreement.samples == each.measured.samples == each.reference.samples == 7


@pytest.mark.parametrize("silent", ["first", "out"])
def test_one_that_is_silent_where_the_reference_is_not_differs(silent):
    (each,) = verified(Other(changed(silent, torch.zeros_like)))[0].found
    assert not each.agreement.equal
    assert each.agreement.first_difference.layer == silent
    assert each.agreement.layers[silent].spikes[1] == 0 < each.agreement.layers[silent].spikes[0]


@pytest.mark.parametrize(
    ("backend", "fault"),
    [
        (Other(refuses="other: first: no such neuron"), "other: first: no such neuron"),
        (Other(without("first")), "other: gives no output of first"),
        (Other(changed("out", lambda sent: sent[:-1])), r"other: gives outputs [5, 20, 4] of out"),
    ],
)
def test_what_fails_is_told_counts_as_missing_and_keeps_no_other_from_running(backend, fault):
    found, said = verified(backend, Other())
    assert found.missing.startswith(f"not verified in other: {fault}")
    assert len(found.found) == 1
    assert len(said) == 1
    assert said[0].startswith(fault)


class Broken(Other):
    def status(self):
        raise BackendError("other: its status cannot be told")


def test_one_that_cannot_say_whether_it_is_there_keeps_no_other_from_running():
    found, said = verified(Broken(), Other())
    assert found.missing == "not verified in other: other: its status cannot be told"
    assert (len(found.found), said) == (1, ["other: its status cannot be told"])


def test_a_program_that_is_not_there_is_told_once_with_the_way_out():
    lacking = Other(status=ToolStatus(missing="no module", advice="pip install other"))
    found, said = verified(lacking, lacking)
    assert found.found == ()
    assert found.missing.count("not verified in other, which cannot be used: no module (pip install other") == 1
    assert said == ["other cannot be used (no module), so the result is not verified in it; pip install other"]


def test_what_a_backend_cannot_run_is_known_before_the_long_work(tmp_path):
    check_runs(tmp_path / "net.pt", MODEL, [Other()])
    with pytest.raises(BackendError, match=r"net\.pt: first: no such neuron"):
        check_runs(tmp_path / "net.pt", MODEL, [Other(), Other(refuses="first: no such neuron")])
    with pytest.raises(BackendError, match=r"net\.pt, for loihi2, akd1000: first: no such neuron"):
        check_runs(tmp_path / "net.pt", MODEL, [Other(refuses="first: no such neuron")], ["loihi2", "akd1000"])


def checked(*backends):
    finalist = SimpleNamespace(plain=SimpleNamespace(model=MODEL), prediction=Prediction(100.0, 50.0, 150.0))
    said = []
    target = SimpleNamespace(backend=TorchBackend(torch.float32), dense=None)
    plain = plain_on_test(finalist, target, DATA, NOTHING)
    return check_prediction(finalist, target, DATA, 1000, plain, backends, said.append), said


def measured(each):
    return SimpleNamespace(samples=len(each), synops=float(each.mean()), per_sample=torch.from_numpy(each))


@pytest.mark.parametrize(("trained_on", "tested_on"), [(30, 500), (1000, 40), (60, 60)])
def test_the_interval_holds_as_often_as_it_says_what_samples_are_drawn(trained_on, tested_on):
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(1000):
        trained, tested = (rng.gamma(16.0, 1000.0, number) for number in (trained_on, tested_on))
        mean = trained.mean()  # LRE knows that of the training samples to the last operation
        found = for_images(Prediction(mean, mean, mean), measured(tested), trained_on, measured(tested))
        held += found.low <= tested.mean() <= found.high
    assert 0.93 <= held / 1000 <= 0.97


def test_how_far_a_single_tested_sample_may_lie_is_seen_on_others():
    one, others = measured(np.array([100.0])), measured(np.array([80.0, 100.0, 120.0]))
    found = for_images(Prediction(100.0, 100.0, 100.0), one, 100, others)
    assert found.high == pytest.approx(100 + 1.959964 * 20 * (1 + 1 / 100) ** 0.5)


def test_a_single_inference_has_no_bound_of_its_mean():
    one = SimpleNamespace(per_sample=torch.tensor([3.0]), p99_synops=3.0, busiest_step_synops=1.0)
    assert distribution(one).bound99 is None
    assert "Infinity" not in json.dumps(distribution(one).model_dump(mode="json"))


def test_the_prediction_is_held_against_every_backend_in_floating_point():
    found, said = checked(Other())
    assert set(found) == {"torch", "other"}
    assert found["other"].synops == found["torch"].synops
    assert found["other"].predicted == pytest.approx(100.0)
    assert said == []


def test_a_prediction_for_fewer_samples_is_that_of_those_samples():
    few = checked(Other(first(3)))[0]
    assert few["other"].samples == 3
    assert few["other"].error_percent == pytest.approx(few["torch"].error_percent)


def test_a_failure_in_that_check_is_told():
    found, said = checked(Other(refuses="first: no such neuron"))
    assert set(found) == {"torch"}
    assert said == ["LRE's prediction is not held against other: first: no such neuron"]


def test_limits_are_predicted_of_the_network_that_was_fine_tuned_plainly_not_of_the_narrower_one_it_was_closed_to():
    limit = Limit(QUANTITIES["step"], 200.0, "budget")
    predicted = {(1.0,): Prediction(150.0, 140.0, 160.0), (0.5,): Prediction(80.0, 70.0, 90.0)}
    problem = SimpleNamespace(
        activity_limits=[SimpleNamespace(limit=limit, predict=lambda candidate: predicted[candidate])],
        factory=SimpleNamespace(candidate=lambda ratios: tuple(ratios)),
    )
    winner = SimpleNamespace(
        ratios=[0.5], features=SimpleNamespace(keep_ratios=[1.0]), plain=SimpleNamespace(model=MODEL)
    )
    target = SimpleNamespace(
        activity=lambda model, tested: None, activity_uses=lambda network, activity: (Use(limit, 155.0),)
    )
    pruned = SimpleNamespace(problem=problem, choice=SimpleNamespace(winner=winner))
    found = check_limits(pruned, target, None)["step"]
    assert (found.predicted, found.measured, found.kept) == (150.0, 155.0, True)
