"""Connections beside each other: a neuron that reaches a core over two of them reaches one core, with one message."""

import nir
import numpy as np
import pytest
from made_networks import Chain

from spear_deploy.hardware import Activity, check, estimate, place
from spear_deploy.network import Network

FULL = np.ones((6, 6))

LOWER = np.zeros((6, 6))
LOWER[3:, :3] = 1.0
"""From the first three neurons to the last three."""


def skipped(weight):
    """Six neurons a, which lead to the six neurons b through a matrix and, beside it, as they are."""
    chain = Chain((6,)).add("dense", nir.Linear(np.ones((6, 6)))).neurons("a")
    chain.add("matrix", nir.Linear(weight)).neurons("b", "matrix", "a")
    return Network(chain.linear("out", 2, bias=False, zeros=0.0).neurons("c").graph())


def used(placement, resource):
    return [(core.layer, int(use.used)) for core in placement.cores for use in core.uses if use.resource == resource]


# Layers of six on two cores of three, and c on one: with LOWER the first three of a reach both cores of b, the last
# three only the second.
@pytest.mark.parametrize(
    ("weight", "destinations", "sent", "received"),
    [(FULL, [2, 2], [6, 6], [6, 6]), (LOWER, [2, 1], [6, 3], [3, 6])],
    ids=["all to all", "first half to second half"],
)
def test_cores_and_axons_that_two_connections_share_count_once(chip, weight, destinations, sent, received):
    placement = place(skipped(weight), chip(neurons=3, destination_cores=2, in_axons=6, out_axons=6))
    assert placement.fits
    assert used(placement, "destination cores per neuron")[:2] == [("a", number) for number in destinations]
    assert used(placement, "output axons per core")[:2] == [("a", number) for number in sent]
    assert used(placement, "input axons per core")[2:4] == [("b", number) for number in received]


def test_a_neuron_that_reaches_one_core_over_a_matrix_and_a_skip_fits_a_chip_of_one_destination(chip):
    assert check(skipped(FULL), chip(destination_cores=1), analog_input=False).fits


def test_inputs_that_reach_a_core_twice_are_one_axon_each(chip):
    chain = Chain((6,)).add("first", nir.Linear(FULL)).add("second", nir.Linear(LOWER), "input")
    network = Network(chain.neurons("a", "first", "second").graph())
    assert place(network, chip(in_axons=6)).fits
    assert not place(network, chip(in_axons=5)).fits


def test_synapses_of_both_connections_are_stored_and_counted(chip):
    """36 of the input, 9 of the matrix, 6 of the skip and 12 into c, a byte each."""
    assert place(skipped(LOWER), chip(neurons=3)).quantities["synapse memory"] == 36 + 9 + 6 + 12


def test_a_spike_is_one_message_to_a_core_and_meets_the_synapses_of_both_connections(chip):
    network = skipped(FULL)
    placement = place(network, chip(neurons=3))
    spikes = {name: np.zeros(network.shapes[name]) for name in (network.input, *network.layers)}
    spikes["a"] = np.array([1.0, 0, 0, 0, 2.0, 0])
    traffic = estimate(network, placement, Activity(spikes, 5, analog_input=False)).traffic
    assert list(zip(traffic.source, traffic.target, traffic.messages, strict=True)) == [
        (0, 2, 1.0),
        (0, 3, 1.0),
        (1, 2, 2.0),
        (1, 3, 2.0),
    ]
    # Each of the two has three synapses of the matrix on each core; the first its skip on core 2, the fifth on core 3.
    assert traffic.operations.tolist() == traffic.words.tolist() == [0, 0, 4.0 + 2 * 3.0, 3.0 + 2 * 4.0, 0]


def test_an_input_that_enters_a_core_over_two_connections_is_one_event(chip):
    chain = Chain((6,)).add("first", nir.Linear(FULL)).add("second", nir.Linear(LOWER), "input")
    network = Network(chain.neurons("a", "first", "second").graph())
    spikes = {network.input: np.ones(6), "a": np.zeros(6)}
    traffic = estimate(network, place(network, chip(neurons=3)), Activity(spikes, 5, analog_input=False)).traffic
    assert traffic.from_input.tolist() == [6.0, 6.0]
