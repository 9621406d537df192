import numpy as np
import pytest
import torch
from random_networks import Builder, events

from spear_deploy.backends.fixed_point.ranges import SeenRanges
from spear_deploy.network import Simulation, bias_current, synapse_matrix


def chains():
    rng = np.random.default_rng(0)
    yield "LIF", Builder(rng).conv("conv", 3).spiking("a").flatten().linear("dense", 5).spiking("b")
    yield "CubaLIF", Builder(rng, (12,)).linear("dense", 10).spiking("a", alpha=True, arrays=True)
    yield "offset", Builder(rng, (12,)).linear("dense", 10).spiking("a", offset=True)
    yield "membrane", Builder(rng, (12,)).linear("dense", 10).spiking("a", spikes=False)
    yield "recurrent", Builder(rng, (12,)).linear("dense", 10).recurrent("a")
    yield "delayed", Builder(rng, (12,)).linear("dense", 10, bias=False).delay("late", 2).spiking("a")
    yield "bias that comes late", Builder(rng, (12,)).linear("dense", 10).delay("late", 2).spiking("a")


def by_matrices(network, name, inputs, outputs, bias):
    """The largest input, current and membrane of a layer, from matrices and spikes alone."""
    neuron, shape = network.neurons[name], network.neurons[name].shape
    steps, batch = inputs.shape[:2]
    given = np.zeros((steps, batch, int(np.prod(shape))))
    for connection in network.into(name):
        source = inputs if connection.source == network.input else outputs[connection.source]
        sent = source.flatten(2).double().numpy()
        late = 2 if "late" in connection.path else int(connection.source == name)
        sent = np.concatenate([np.zeros_like(sent[:late]), sent[: steps - late]])
        given += sent @ synapse_matrix(network, connection).toarray().T
    flat = {key: None if (each := getattr(neuron, key)) is None else each.ravel() for key in ("gain", "alpha", "beta")}
    offset = 0.0 if neuron.offset is None else neuron.offset.ravel()
    u, v, largest = 0.0, 0.0, np.zeros(3)
    for t in range(steps):
        entering = flat["gain"] * (given[t] if neuron.alpha is None else given[t] + bias[t])
        u = entering if neuron.alpha is None else flat["alpha"] * u + entering
        v = flat["beta"] * v + u + offset + (flat["gain"] * bias[t] if neuron.alpha is None else 0.0)
        largest = np.maximum(largest, [np.abs(each).max() for each in (entering, u, v)])
        if neuron.spikes:
            v = np.where(outputs[name][t].flatten(1).numpy() > 0, 0.0, v)
    return largest


@pytest.mark.parametrize(("kind", "chain"), list(chains()), ids=[kind for kind, _ in chains()])
def test_ranges_are_those_of_the_currents_and_membranes_that_occur(kind, chain):
    network = chain.model(8).network
    inputs = events(0, 8, 20, network.input_shape)
    seen = SeenRanges(network, 8)
    with torch.no_grad():
        simulation = Simulation(network.graph, torch.float64)
        outputs = simulation(inputs).outputs
        for part in torch.split(inputs, 7, dim=1):  # in parts, as of the whole
            simulation(part, heard=seen.hear)
    for name in network.layers:
        bias = np.tile(bias_current(network, name).ravel(), (8, 1))
        if "late" in network.nodes:
            bias[:2] = 0
        found = seen.found[name]
        expected = by_matrices(network, name, inputs, outputs, bias)
        np.testing.assert_allclose((found.input, found.current, found.membrane), expected, rtol=1e-9)
