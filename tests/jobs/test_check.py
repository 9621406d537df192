"""Models held against chips from Python: values in, values out, nothing read and nothing printed."""

import numpy as np
import pytest
import torch
from made_networks import Chain
from made_task import arrays, untrained

from spear_deploy.data import load_data
from spear_deploy.hardware import load_profile, parse_budget
from spear_deploy.jobs.check import check, check_all, compare, measured
from spear_deploy.jobs.simulate import simulate
from spear_deploy.jobs.task import Task
from spear_deploy.measure import measure_split
from spear_deploy.network import Encoding, Reset


@pytest.fixture
def task(tmp_path):
    np.savez(tmp_path / "samples.npz", **arrays(test=30))
    return Task(untrained(), load_data(tmp_path / "samples.npz"))


def test_a_model_is_priced_by_what_it_does_on_samples_that_stand_for_all_of_test(task):
    found = check(measured("net", task.model, task, samples=20), load_profile("spinnaker2"))
    assert found.origin == {
        "split": "test",
        "samples": 20,
        "held": len(task.data.test),
        "encoding": "direct",
        "backend": "torch",
        "arithmetic": "float32",
    }
    synops = measure_split(task.model, task.some("test", 20)).synops
    assert found.row.cost.synops == pytest.approx(synops)
    assert (found.adaptations, found.lines) == ([], [])


@pytest.mark.parametrize(("asked", "told"), [(30, 0), (31, 1), (None, 0)])
def test_fewer_samples_than_were_asked_for_are_told(task, asked, told):
    heard = []
    subject = measured("net", task.model, task, asked, tell=heard.append)
    assert len(subject.data) == 30
    assert heard == [f"{task.data.name} has 30 test samples, 31 were asked for"] * told


@pytest.fixture
def coarse():
    """Loihi 2, were its weights of 3 bits."""
    loihi2 = load_profile("loihi2")
    bits = loihi2.synapses.weight_bits.model_copy(update={"value": 3.0})
    synapses = loihi2.synapses.model_copy(update={"weight_bits": bits})
    return loihi2.model_copy(update={"name": "coarse", "synapses": synapses})


def test_where_a_chip_computes_in_integers_a_model_is_priced_and_held_in_them(task, coarse):
    subject = measured("net", task.model, task)
    in_integers = simulate(task, coarse, ("chip",)).simulated.results["chip"].measurement.synops
    in_torch = measure_split(task.model, task.test).synops
    assert in_integers != pytest.approx(in_torch, rel=0.02)
    between = parse_budget(f"{(in_integers + in_torch) / 2:.1f}")
    on_coarse, on_spinnaker = check_all([subject], [coarse, load_profile("spinnaker2")], [between])
    assert on_coarse.row.cost.synops == in_integers
    assert on_spinnaker.row.cost.synops == pytest.approx(in_torch)
    assert on_coarse.held[0].kept == (in_integers < in_torch)
    assert on_spinnaker.held[0].kept == (in_torch < in_integers)
    assert (on_coarse.origin["backend"], on_coarse.origin["arithmetic"]) == ("chip", "loihi, 3-bit weights")


def test_the_weights_that_round_to_zero_are_those_of_the_chips_integers(task, coarse):
    found = check(measured("net", task.model, task), coarse)
    notes = {each.node: each.found for each in found.row.verdict.findings if each.rule == "weight bits"}
    losses = simulate(task, coarse, ("chip",)).simulated.results["chip"].losses
    assert notes == {
        f"{each.source} to {each.layer}": f"{each.vanished / each.weights:.1%} of the weights round to zero"
        for each in losses
        if each.vanished
    }
    assert notes


def test_a_model_that_a_chips_integers_cannot_hold_is_priced_in_torch_and_said(task):
    found = check(measured("net", task.model, task), load_profile("loihi1"))
    assert found.origin["backend"] == "torch"
    assert "the input holds values" in found.origin["instead"]
    assert "the chip's integers cannot hold it" in found.origin_text


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
