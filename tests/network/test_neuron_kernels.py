"""The compiled loop of a CPU computes what torch does operation by operation, to the last bit."""

import sys

import numpy as np
import pytest
import torch
from network_builders import drawn_neuron

from spear_deploy.network import SURROGATES, Neuron, Reset
from spear_deploy.network import neuron_kernels as choice
from spear_deploy.network.compilers import where_installed
from spear_deploy.network.neuron_layer import NeuronLayer

T, B, SHAPE = 7, 5, (3, 4)


def neuron(reset, delay, **options):
    return drawn_neuron(reset, delay, SHAPE, **options)


def currents_of(dtype):
    return torch.rand(T, B, *SHAPE, dtype=dtype, generator=torch.Generator().manual_seed(0)) * 3 - 1


@pytest.fixture
def uncompiled(monkeypatch):
    """What a layer does where Numba is not installed."""

    def run(work):
        with monkeypatch.context() as without:
            without.setattr("spear_deploy.network.neuron_layer.kernels_for", lambda layer, values: None)
            return work()

    return run


def there_and_back(layer, currents, blame):
    given = currents.clone().requires_grad_()
    output = layer(given)
    (gradient,) = torch.autograd.grad(output, given, blame)
    return output.detach(), gradient


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("alpha", [True, False])
@pytest.mark.parametrize("each", [True, False])
@pytest.mark.parametrize("delay", [True, False])
@pytest.mark.parametrize("reset", [*Reset, "membrane"])
def test_the_loop_gives_every_bit_that_torch_gives(uncompiled, reset, delay, each, alpha, dtype):
    spiking = reset != "membrane"
    layer = NeuronLayer(neuron(reset if spiking else Reset.NONE, delay, each=each, alpha=alpha, spiking=spiking), dtype)
    currents = currents_of(dtype)
    blame = torch.randn(currents.shape, dtype=dtype, generator=torch.Generator().manual_seed(1))
    assert choice.kernels_for(layer, currents) is not None
    output, gradient = there_and_back(layer, currents, blame)
    known, wanted = uncompiled(lambda: there_and_back(layer, currents, blame))
    assert 0 < (output > 0).double().mean() < 1
    assert torch.equal(output, known)
    assert torch.equal(gradient, wanted)
    assert torch.equal(layer(currents), known)


@pytest.mark.parametrize("name", SURROGATES)
def test_every_surrogate_gradient_comes_back_as_torch_has_it(uncompiled, name):
    layer = NeuronLayer(neuron(Reset.ZERO, False, each=False, alpha=False), torch.float32, SURROGATES[name])
    currents, blame = currents_of(torch.float32), torch.ones(T, B, *SHAPE)
    found, wanted = (
        there_and_back(layer, currents, blame),
        uncompiled(lambda: there_and_back(layer, currents, blame)),
    )
    assert torch.equal(found[0], wanted[0])
    assert torch.equal(found[1], wanted[1])


@pytest.mark.parametrize("name", ["atan", "fast_sigmoid"])
@pytest.mark.parametrize("widths", [torch.tensor(8.0), 2.0 ** torch.arange(12).reshape(SHAPE)])
def test_gradients_that_are_wider_come_back_as_torch_has_them(uncompiled, name, widths):
    spike = SURROGATES[name].as_wide_as(widths)
    layer = NeuronLayer(neuron(Reset.SUBTRACT, False, each=False, alpha=True), torch.float32, spike)
    currents, blame = currents_of(torch.float32), torch.ones(T, B, *SHAPE)
    assert choice.kernels_for(layer, currents) is not None
    found, wanted = (
        there_and_back(layer, currents, blame),
        uncompiled(lambda: there_and_back(layer, currents, blame)),
    )
    assert torch.equal(found[0], wanted[0])
    assert torch.equal(found[1], wanted[1])


def test_an_image_that_every_step_shows_and_a_gradient_that_every_step_shares_are_read_once(uncompiled):
    layer = NeuronLayer(neuron(Reset.SUBTRACT, False, each=True, alpha=True), torch.float32)
    currents = currents_of(torch.float32)[:1].expand(T, -1, -1, -1)
    blame = torch.rand(1, B, *SHAPE).expand(T, -1, -1, -1)
    found, wanted = (
        there_and_back(layer, currents, blame),
        uncompiled(lambda: there_and_back(layer, currents, blame)),
    )
    assert torch.equal(found[0], wanted[0])
    assert torch.equal(found[1], wanted[1])


@pytest.mark.parametrize("reset", Reset)
@pytest.mark.parametrize("broken", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_number_stays_in_its_neuron_as_with_torch(uncompiled, reset, broken):
    layer = NeuronLayer(neuron(reset, False, each=False, alpha=False), torch.float64)
    currents = currents_of(torch.float64)
    currents[2, 1, 0, 0] = broken
    assert torch.equal(layer(currents), uncompiled(lambda: layer(currents)))


def test_more_neurons_than_a_block_holds_in_threads_that_share_the_batch(uncompiled):
    shape = (3, 37, 61)  # 6,771, more than a block and no multiple of anything
    rng = np.random.default_rng(3)
    layer = NeuronLayer(
        Neuron(beta=rng.uniform(0.3, 1, shape), gain=np.ones(shape), threshold=rng.uniform(0.3, 1, shape)),
        torch.float32,
    )
    currents = torch.randn(3, 5, *shape, generator=torch.Generator().manual_seed(2))
    blame = torch.randn(currents.shape, generator=torch.Generator().manual_seed(4))
    wanted = uncompiled(lambda: there_and_back(layer, currents, blame))
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 3, 8):
            torch.set_num_threads(threads)
            found = there_and_back(layer, currents, blame)
            assert torch.equal(found[0], wanted[0])
            assert torch.equal(found[1], wanted[1])
    finally:
        torch.set_num_threads(before)


def test_half_precision_and_trained_constants_are_left_to_torch():
    layer = NeuronLayer(neuron(Reset.ZERO, False, each=False, alpha=False), torch.float32)
    assert choice.kernels_for(layer, torch.zeros(T, B, *SHAPE, dtype=torch.bfloat16)) is None
    assert choice.kernels_for(layer, torch.zeros(T, B, *SHAPE, device="meta")) is None


@pytest.fixture
def asked_anew():
    """What is remembered of modules is asked again, before and after."""
    where_installed.cache_clear()
    yield
    where_installed.cache_clear()


@pytest.mark.usefixtures("asked_anew")
def test_without_numba_torch_runs_every_layer(monkeypatch):
    monkeypatch.delitem(sys.modules, "spear_deploy.network.neuron_kernels_cpu", raising=False)
    monkeypatch.delitem(sys.modules, "spear_deploy.network.compiled", raising=False)
    monkeypatch.setitem(sys.modules, "numba", None)
    layer = NeuronLayer(neuron(Reset.ZERO, False, each=False, alpha=False), torch.float32)
    assert choice.kernels_for(layer, currents_of(torch.float32)) is None
    assert layer(currents_of(torch.float32)).sum() > 0


@pytest.mark.usefixtures("asked_anew")
def test_a_module_of_ours_that_cannot_be_imported_is_a_fault_and_no_missing_compiler(monkeypatch):
    monkeypatch.setitem(sys.modules, "spear_deploy.network.neuron_kernels_cpu", None)
    with pytest.raises(ImportError, match="neuron_kernels_cpu"):
        choice.kernels_for(
            NeuronLayer(neuron(Reset.ZERO, False, each=False, alpha=False), torch.float32), torch.zeros(1)
        )
