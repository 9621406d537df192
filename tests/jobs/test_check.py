"""Models held against chips from Python: values in, values out, nothing read and nothing printed."""

import numpy as np
import pytest
import torch
from made_networks import Chain
from made_task import arrays, untrained

from spear_deploy.data import load_data
from spear_deploy.hardware import load_profile
from spear_deploy.jobs.check import check, compare, measured
from spear_deploy.jobs.task import Task
from spear_deploy.measure import measure_split
from spear_deploy.network import Encoding, Reset


@pytest.fixture
def task(tmp_path):
    np.savez(tmp_path / "samples.npz", **arrays(test=30))
    return Task(untrained(), load_data(tmp_path / "samples.npz"))


def test_a_model_is_priced_by_what_it_does_on_samples_that_stand_for_all_of_test(task):
    subject = measured("net", task.model, task, samples=20)
    assert subject.origin == {
        "split": "test",
        "samples": 20,
        "held": len(task.data.test),
        "encoding": "direct",
        "backend": "torch",
        "arithmetic": "float32",
    }
    found = check(subject, load_profile("loihi2"))
    assert found.fits
    synops = measure_split(task.model, task.some("test", 20)).synops
    assert found.row.cost.synops == pytest.approx(synops)
    assert (found.adaptations, found.lines) == ([], [])


def test_without_data_it_is_placed_and_not_priced():
    found = check(measured("net", untrained(), None), load_profile("loihi2"))
    assert found.fits
    assert found.row.cost is None


def test_what_a_chip_forbids_is_converted_where_asked_and_said(task):
    chain = Chain((1, 6, 6), seed=2).conv("conv1", 8).neurons("lif1", reset=Reset.SUBTRACT).flatten()
    model = chain.linear("fc", 4).neurons("lif2").model(4, Encoding.RATE)
    subject = measured("net", model, Task(model, task.data))
    loihi1 = load_profile("loihi1")
    assert not check(subject, loihi1).fits
    found = check(subject, loihi1, adapt=True)
    assert found.fits
    assert [(each["layer"], each["to"]) for each in found.adaptations] == [("lif1", "reset zero")]
    assert found.adaptations[0]["spike_change_percent"] is not None
    assert any(line.startswith("lif1: reset subtract became reset zero") for line in found.lines)


def test_what_runs_on_the_host_is_not_placed(task):
    found = check(measured("net", task.model, task), load_profile("loihi1"), adapt=True)
    assert found.on_host
    assert {core.layer for core in found.row.verdict.placement.cores} == {"lif2", "lif3"}
    assert found.lines[-1] == "what the host computes is not priced"


def test_every_model_has_a_row_on_every_chip(task):
    subjects = [measured("one", task.model, task), measured("two", task.model, None)]
    rows = compare(subjects, [load_profile(name) for name in ("loihi1", "loihi2", "spinnaker2")])
    assert [(row.model, row.profile.name) for row in rows] == [
        (model, chip) for model in ("one", "two") for chip in ("loihi1", "loihi2", "spinnaker2")
    ]


def test_torch_is_left_as_it_was(task):
    torch.set_num_threads(2)
    try:
        check(measured("net", task.model, task, samples=5), load_profile("loihi2"))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(1)
