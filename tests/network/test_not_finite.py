"""Membranes and gradients that are no numbers any more: what is fast on a CPU gives what the mask gives."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from spear_deploy.network import Neuron, Reset
from spear_deploy.network.neuron_layer import NeuronLayer, _filled, _masked, _multiplied, _run_back_with, _run_with

SHAPE = (7, 5)
NEURON = Neuron(np.full(SHAPE, 0.8), np.full(SHAPE, 0.9), threshold=np.full(SHAPE, 0.5))
KINDS = {
    "zero": NEURON,
    "to another value": replace(NEURON, reset_value=np.full(SHAPE, -0.1)),
    "hold": replace(NEURON, reset=Reset.ZERO_HOLD),
    "without memory": replace(NEURON, beta=np.zeros(SHAPE)),
    "synaptic": replace(NEURON, alpha=np.full(SHAPE, 0.5)),
}
CURRENTS = torch.randn((6, 11, *SHAPE), generator=torch.Generator().manual_seed(0))


def run(kind, currents, reset):
    layer = NeuronLayer(KINDS[kind], torch.float32)
    outputs, above = torch.empty_like(currents), torch.empty_like(currents)
    finite = _run_with(reset, layer, currents, outputs, above)
    return layer, outputs, above, finite


@pytest.mark.parametrize("kind", KINDS)
def test_a_reset_by_multiplication_is_that_by_the_mask_bit_by_bit(kind):
    _, fast, above_fast, finite = run(kind, CURRENTS, _multiplied)
    _, slow, above_slow, _ = run(kind, CURRENTS, _filled)
    assert finite
    assert torch.equal(fast, slow)
    assert torch.equal(above_fast, above_slow)


@pytest.mark.parametrize("bad", [float("inf"), float("-inf"), float("nan"), 3e38])
@pytest.mark.parametrize("kind", KINDS)
def test_a_current_that_is_no_number_is_noticed_and_does_what_it_did(kind, bad):
    currents = CURRENTS.clone()
    currents[2, 3, 4, 1] = currents[3, 3, 4, 1] = bad
    layer, slow, _, _ = run(kind, currents, _filled)
    assert torch.equal(layer(currents), slow)
    assert run(kind, currents, _multiplied)[3] is False or torch.equal(run(kind, currents, _multiplied)[1], slow)


@pytest.mark.parametrize("bad", [0.0, float("inf"), float("nan")])
@pytest.mark.parametrize("kind", KINDS)
def test_so_are_gradients(kind, bad):
    layer, _, above, _ = run(kind, CURRENTS, _filled)
    gradient = torch.randn(CURRENTS.shape, generator=torch.Generator().manual_seed(1))
    gradient[4, 3] += bad
    slow, found = torch.empty_like(gradient), CURRENTS.clone().requires_grad_()
    _run_back_with(_masked, layer, gradient, slow, above)
    layer(found).backward(gradient)
    assert torch.equal(found.grad.nan_to_num(123.0), slow.nan_to_num(123.0))
