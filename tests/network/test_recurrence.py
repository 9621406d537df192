"""A layer that hears itself: all steps in one function, beside autograd's way through the same steps one by one."""

import numpy as np
import pytest
import torch
from made_networks import Chain

from spear_deploy.network import SURROGATES, Reset, Simulation
from spear_deploy.network.recurrence import echoing

STEPS, BATCH, INPUTS, NEURONS = 11, 5, 4, 6
PER_NEURON = np.linspace(0.2, 0.8, NEURONS)
KINDS = {
    "zero": {},
    "zero, late": {"reset_delay": True},
    "to another value": {"reset_value": np.full(NEURONS, -0.1)},
    "hold": {"reset": Reset.ZERO_HOLD},
    "subtract": {"reset": Reset.SUBTRACT},
    "subtract, late": {"reset": Reset.SUBTRACT, "reset_delay": True},
    "subtract once": {"reset": Reset.SUBTRACT_ONCE},
    "none": {"reset": Reset.NONE},
    "synaptic": {"alpha": PER_NEURON},
    "synaptic, with an offset": {"alpha": PER_NEURON[::-1], "offset": PER_NEURON / 10, "beta": PER_NEURON},
}


def recurrent(bias=True, **options):
    """Dense, neurons that hear themselves, dense, neurons."""
    chain = Chain((INPUTS,)).linear("in", NEURONS)
    chain.neurons("hidden", each_its_own=True, **options).linear("again", NEURONS, bias=bias)
    chain.edges.append(("again", "hidden"))
    chain.last = "hidden"
    return chain.linear("out", 3).neurons("told").model(time_steps=STEPS)


def inputs(dtype):
    return 2 * torch.rand((STEPS, BATCH, INPUTS), generator=torch.Generator().manual_seed(0)).to(dtype)


def passed(model, dtype, spike, *, at_once):
    """Outputs of all layers, and the gradients of all that is trained and of the inputs."""
    simulation, x = Simulation(model.graph, dtype, spike), inputs(dtype).requires_grad_()
    trace = simulation(x) if at_once else simulation(x, heard=lambda *_: None)
    weights = torch.linspace(-1, 1, STEPS * BATCH * 3, dtype=dtype).reshape(STEPS, BATCH, 3)
    ((trace.output * weights).sum() + trace.outputs["hidden"].square().sum()).backward()
    gradients = {name: each.grad for name, each in simulation.named_parameters()}
    return trace.outputs, gradients | {"x": x.grad}


@pytest.mark.parametrize("spike", SURROGATES)
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_that_autograd_finds_step_by_step(kind, spike):
    model = recurrent(**KINDS[kind])
    assert echoing(model.network, ["again", "hidden"]) == ("hidden", "again")
    (sent, found), (expected, wanted) = (
        passed(model, torch.float64, SURROGATES[spike], at_once=each) for each in (True, False)
    )
    assert 0 < float(expected["hidden"].detach().mean()) < 1
    for layer, each in expected.items():
        assert torch.equal(sent[layer], each), layer
    for name, each in wanted.items():
        torch.testing.assert_close(found[name], each, rtol=1e-9, atol=1e-12, msg=name)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_spikes_in_float32_are_those_of_the_steps_bit_by_bit(kind, bias):
    model = recurrent(bias=bias, **KINDS[kind])
    simulation = Simulation(model.graph)
    with torch.no_grad():
        at_once, by_step = simulation(inputs(torch.float32)), simulation(inputs(torch.float32), heard=lambda *_: None)
    for layer, each in by_step.outputs.items():
        assert torch.equal(at_once.outputs[layer], each), layer


def test_a_layer_that_does_not_spike_hears_its_membrane():
    chain = Chain((INPUTS,)).linear("in", NEURONS).neurons("hidden", threshold=None, reset=Reset.NONE)
    chain.linear("again", NEURONS)
    chain.edges.append(("again", "hidden"))
    chain.last = "hidden"
    model = chain.linear("out", 3).neurons("told").model(time_steps=STEPS)
    (_, found), (_, wanted) = (passed(model, torch.float64, SURROGATES["atan"], at_once=each) for each in (True, False))
    for name, each in wanted.items():
        torch.testing.assert_close(found[name], each, rtol=1e-9, atol=1e-12, msg=name)


def test_a_static_input_is_heard_in_every_step():
    simulation = Simulation(recurrent().graph)
    x = torch.rand((BATCH, INPUTS), generator=torch.Generator().manual_seed(1)).expand(STEPS, BATCH, INPUTS)
    with torch.no_grad():
        assert torch.equal(simulation(x).output, simulation(x.contiguous()).output)


def test_who_looks_at_the_matrix_step_by_step_sees_every_step():
    simulation, seen = Simulation(recurrent().graph), []
    simulation.module("again").register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    simulation(inputs(torch.float32))
    assert len(seen) == STEPS


def test_a_matrix_that_others_hear_too_is_run_step_by_step():
    chain = Chain((INPUTS,)).linear("in", NEURONS).neurons("hidden").linear("again", NEURONS)
    chain.edges.append(("again", "hidden"))
    model = chain.neurons("told").model(time_steps=STEPS)
    assert echoing(model.network, ["again", "hidden"]) is None
    assert Simulation(model.graph)(inputs(torch.float32)).outputs.keys() == {"hidden", "told"}


def test_training_in_half_precision_goes_step_by_step_as_torch_casts_it():
    simulation = Simulation(recurrent().graph)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        at_once = simulation(inputs(torch.float32)).output
        by_step = simulation(inputs(torch.float32), heard=lambda *_: None).output
    assert torch.equal(at_once, by_step)
