import tracemalloc
from pathlib import Path

import nir
import numpy as np
import torch

from spear_deploy.measure.events import Events
from spear_deploy.measure.record import MOST_BYTES, Recorder
from spear_deploy.network import Network


def sixteen_inputs():
    """16 inputs onto 8 neurons."""
    ones = np.ones(8)
    neuron = nir.LIF(
        tau=ones * 2e-4, r=ones, v_leak=ones * 0, v_reset=ones * 0, v_threshold=ones, metadata={"dt": 1e-4}
    )
    nodes = {
        "input": nir.Input(np.array([16])),
        "n0": nir.Linear(np.ones((8, 16))),
        "n1": neuron,
        "output": nir.Output(np.array([8])),
    }
    edges = [("input", "n0"), ("n0", "n1"), ("n1", "output")]
    return Network(nir.NIRGraph(nodes, edges, type_check=False))


def test_a_record_that_is_full_keeps_the_first_samples():
    network = sixteen_inputs()
    recorder = Recorder(network, most_bytes=2 * 3 * 3)  # three bytes a step, three steps: two samples
    for _ in range(2):
        recorder.add({network.input: Events.of(torch.ones(3, 3, 16)), "n1": Events.of(torch.zeros(3, 3, 8))})
    record = recorder.record()
    assert record.samples == 2
    assert record.events(network.input, slice(0, 2)).toarray().tolist() == np.ones((6, 16)).tolist()
    assert record.events("n1", slice(1, 2)).sum() == 0


def test_a_static_input_is_recorded_once():
    network = sixteen_inputs()
    recorder = Recorder(network)
    image = (torch.arange(32).reshape(1, 2, 16) % 2 == 0).expand(3, 2, 16)
    recorder.add({network.input: Events.of(image), "n1": Events.of(torch.zeros(3, 2, 8))})
    record = recorder.record()
    assert record.bits[network.input].shape == (1, 2, 2)
    assert record.events(network.input, slice(0, 2)).toarray().tolist() == image.transpose(0, 1).reshape(6, 16).tolist()


def test_some_samples_of_a_record_are_spread_over_all():
    network = sixteen_inputs()
    recorder = Recorder(network)
    number = torch.zeros((1, 9, 16))
    number[0, torch.arange(9), torch.arange(9)] = 1
    recorder.add({network.input: Events.of(number), "n1": Events.of(torch.zeros(1, 9, 8))})
    kept = recorder.record().spread(3)
    assert kept.samples == 3
    assert kept.events(network.input, slice(0, 3)).toarray().argmax(1).tolist() == [0, 4, 8]


def test_the_documents_say_how_much_is_recorded():
    text = " ".join((Path(__file__).parents[2] / "docs" / "hardware.md").read_text().split())
    assert f"as many samples as {MOST_BYTES >> 20} MiB hold" in text


def test_what_was_recorded_lies_in_memory_once():
    network = sixteen_inputs()
    recorder = Recorder(network)
    tracemalloc.start()
    recorder.add({network.input: Events.of(torch.ones(64, 64, 16)), "n1": Events.of(torch.ones(64, 64, 8))})
    tracemalloc.reset_peak()
    record = recorder.record()
    held, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    bits = sum(each.nbytes for each in record.bits.values())
    assert held < 1.2 * bits
    assert most < 1.8 * bits  # while the larger of two is put together
