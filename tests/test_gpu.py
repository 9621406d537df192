"""What a GPU computes is what the CPU computes: integers bit by bit, spikes but for ties, SynOps nearly."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from made_networks import ALL, recurrent, strided_and_padded

from spear_deploy.backends.fixed_point import LoihiExecution, States, quantize
from spear_deploy.data import EncodedSplit, SplitName
from spear_deploy.errors import BackendError
from spear_deploy.measure import effective_operations, measure_split
from spear_deploy.network import Neuron, Reset, Simulation
from spear_deploy.network.device import device_named, exact_products, known_devices
from spear_deploy.network.neuron_layer import NeuronLayer
from spear_deploy.network.surrogate import SURROGATES
from spear_deploy.search import CandidateFactory
from spear_deploy.training import Recipe, fine_tune

pytestmark = pytest.mark.gpu

TIE = 1e-9
"""How near to its threshold (relative) a membrane may be told to be on either side of it: the order of float64 sums."""


@pytest.fixture(scope="module")
def gpu():
    exact_products()
    return device_named("cuda")


def images(model, samples, seed=0):
    drawn = torch.rand((samples, *model.network.input_shape), generator=torch.Generator().manual_seed(seed))
    return EncodedSplit(
        SplitName.TRAIN, drawn.expand(model.time_steps, *drawn.shape), torch.arange(samples) % 4, analog=True
    )


def events(model, samples, seed=0):
    shape = (model.time_steps, samples, *model.network.input_shape)
    drawn = torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < 0.4
    return EncodedSplit(SplitName.TRAIN, drawn.to(torch.uint8), torch.arange(samples) % 4, analog=False)


def test_a_gpu_is_among_the_devices(gpu):
    assert "cuda" in known_devices()
    assert "cuda:0" in known_devices()


@pytest.mark.parametrize("kind", [images, events])
@pytest.mark.parametrize("name", sorted(ALL))
def test_integers_are_the_same_bit_by_bit(gpu, name, kind):
    model = ALL[name]().model()
    data = kind(model, 40)
    try:
        quantized = quantize(model, calibration=data.inputs)
    except BackendError as error:
        pytest.skip(f"the chip cannot run it: {error}")
    execution = LoihiExecution(quantized)
    here, there = States(), States()
    on_cpu = execution.run(data.inputs, watch=here).outputs
    on_gpu = execution.run(data.on(gpu).inputs, watch=there).outputs
    for layer in on_cpu:
        assert on_gpu[layer].device.type == "cuda"
        assert torch.equal(on_cpu[layer], on_gpu[layer].cpu())
        assert torch.equal(here.u[layer], there.u[layer].cpu())
        assert torch.equal(here.v[layer], there.v[layer].cpu())


@pytest.mark.parametrize("kind", [images, events])
@pytest.mark.parametrize("name", sorted(ALL))
def test_float64_spikes_are_the_same_but_for_ties(gpu, name, kind):
    """Where a spike differs first, the membrane was at its threshold."""
    model = ALL[name]().model()
    data = kind(model, 200)
    with torch.no_grad():
        ours = Simulation(model.graph, torch.float64)(data.as_float64()).outputs
        theirs = Simulation(model.graph, torch.float64).to(gpu)(data.on(gpu).inputs.double()).outputs
    differing = set()
    for layer in model.network.layers:
        if not model.network.neurons[layer].spikes:
            kept = [sample for sample in range(200) if sample not in differing]
            assert torch.allclose(ours[layer][:, kept], theirs[layer].cpu()[:, kept], rtol=TIE, atol=TIE)
            continue
        wrong = (ours[layer] != theirs[layer].cpu()).flatten(2).any(2).any(0)
        differing |= set(torch.nonzero(wrong).flatten().tolist())
    assert len(differing) <= 1  # of 200 samples with drawn weights, hardly one holds a tie


@pytest.mark.parametrize("name", sorted(ALL))
def test_float32_counts_the_same_operations_within_a_thousandth(gpu, name):
    model = ALL[name]().model()
    data = images(model, 200)
    ours, theirs = measure_split(model, data), measure_split(model, data.on(gpu))
    assert theirs.synops == pytest.approx(ours.synops, rel=1e-3)
    assert theirs.synops_analog == ours.synops_analog
    assert theirs.events[model.network.input].tolist() == ours.events[model.network.input].tolist()
    on_gpu = effective_operations(model, data.on(gpu))
    assert on_gpu.acs == pytest.approx(effective_operations(model, data).acs, rel=1e-3)


@pytest.mark.parametrize("network", [strided_and_padded, recurrent])
def test_one_step_of_training_has_the_same_gradients(gpu, network):
    model = network().model()
    data = images(model, 32)

    def gradients(device):
        simulation = Simulation(model.graph, torch.float64).to(device)
        simulation(data.on(device).inputs.double()).output.mean(0).square().sum().backward()
        return [each.grad.cpu() for each in simulation.parameters()]

    for ours, theirs in zip(gradients(torch.device("cpu")), gradients(gpu), strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("network", [strided_and_padded, recurrent])
def test_a_network_is_pruned_recalibrated_and_fine_tuned_there(gpu, network):
    model = network().model()
    data = images(model, 64)
    ours, theirs = (CandidateFactory(model, each) for each in (data, data.on(gpu)))
    half = np.full(len(ours.groups), 0.5)
    before, after = ours.candidate(half), theirs.candidate(half)
    assert after.features.recalibrated_synops == pytest.approx(before.features.recalibrated_synops, rel=0.02)
    tuned = fine_tune(after.model, data.on(gpu), Recipe(epochs=2, batch=16), seed=0)
    again = fine_tune(before.model, data, Recipe(epochs=2, batch=16), seed=0)
    assert measure_split(tuned, data).synops == pytest.approx(measure_split(again, data).synops, rel=0.1)


KINDS = [(*kind, "atan") for kind in product(Reset, [False, True], [False, True])]
KINDS += [(Reset.ZERO, False, False, name) for name in SURROGATES if name != "atan"]


@pytest.mark.parametrize(("reset", "delayed", "each_its_own", "surrogate"), KINDS)
def test_all_steps_of_a_layer_in_one_kernel_are_those_of_the_equation(gpu, reset, delayed, each_its_own, surrogate):
    """Outputs bit by bit, gradients up to rounding; with and without synaptic current, gain and offset."""
    rng, shape, spike = np.random.default_rng(0), (3, 5, 4), SURROGATES[surrogate]

    def drawn(low, high):
        return rng.uniform(low, high, shape) if each_its_own else np.full(shape, (low + high) / 2)

    plain = Neuron(drawn(0.3, 0.9), np.ones(shape), threshold=drawn(0.3, 0.8), reset=reset, reset_delay=delayed)
    full = replace(plain, gain=drawn(0.5, 1.4), alpha=drawn(0.2, 0.8), offset=drawn(0.05, 0.15))
    currents = torch.randn((6, 40, *shape), generator=torch.Generator().manual_seed(1))
    for neuron in (plain, full):
        here = currents.clone().requires_grad_()
        there = currents.to(gpu).requires_grad_()
        layers = [NeuronLayer(neuron, torch.float32, spike), NeuronLayer(neuron, torch.float32, spike).to(gpu)]
        ours, theirs = layers[0](here), layers[1](there)
        assert torch.equal(ours, theirs.cpu())
        weights = torch.randn(ours.shape, generator=torch.Generator().manual_seed(2))
        (ours * weights).sum().backward()
        (theirs * weights.to(gpu)).sum().backward()
        assert torch.allclose(here.grad, there.grad.cpu(), rtol=1e-4, atol=1e-5)


def test_a_layer_without_threshold_gives_its_membrane(gpu):
    neuron = Neuron(np.full(7, 0.9), np.full(7, 0.5), threshold=None, reset=Reset.NONE)
    currents = torch.randn((6, 40, 7), generator=torch.Generator().manual_seed(1))
    here, there = (NeuronLayer(neuron, torch.float32).to(each)(currents.to(each)) for each in ("cpu", gpu))
    assert torch.equal(here, there.cpu())


def test_products_in_bfloat16_leave_membranes_in_float32(gpu):
    model = strided_and_padded().model()
    data = images(model, 32).on(gpu)
    simulation = Simulation(model.graph).to(gpu)
    recorded = []
    with torch.autocast("cuda", torch.bfloat16):
        trace = simulation(data.inputs)
    recorded += [each.dtype for each in trace.outputs.values()]
    assert set(recorded) == {torch.bfloat16}  # spikes: 0 and 1 are exact
    exact = Simulation(model.graph).to(gpu)(data.inputs)
    share = sum(float((trace.outputs[name] == each).double().mean()) for name, each in exact.outputs.items())
    assert share / len(exact.outputs) > 0.95
    trace.output.float().sum().backward()
    assert all(bool(each.grad.isfinite().all()) for each in simulation.parameters())
