from dataclasses import replace

import nir
import numpy as np
import pytest
from exporter_networks import chain, judged, neuron

from spear_deploy.data import encode, load_data
from spear_deploy.exporters.nir import NirExporter
from spear_deploy.exporting import assert_faithful, simulate
from spear_deploy.network import Encoding, load_model_file


@pytest.fixture(scope="module")
def digits():
    return load_model_file("examples/digits.pt")


@pytest.fixture(scope="module")
def integers(digits):
    return judged(digits)


@pytest.fixture(scope="module")
def written(digits, integers, tmp_path_factory):
    path = tmp_path_factory.mktemp("nir") / "digits.nir"
    NirExporter(fixed=True, integers=integers).write(digits, path)
    return path


def test_the_scales_in_the_metadata_turn_every_weight_back_into_its_integer(integers, written):
    graph = nir.read(written)
    for layer in integers.quantized.layers:
        assert graph.nodes[layer.name].metadata["scale"] == layer.scale
        for synapses in layer.synapses:
            (mantissas,) = (node.weight for node in synapses.nodes if hasattr(node, "weight"))
            (name,) = (name for name in synapses.connection.path if hasattr(graph.nodes[name], "weight"))
            meta = graph.nodes[name].metadata
            back = graph.nodes[name].weight * meta["scale"] / 2.0 ** meta["weight_exponent"]
            np.testing.assert_allclose(back, mantissas, rtol=0, atol=1e-9)


def test_the_file_does_what_the_integers_do_and_means_nearly_the_same_elsewhere(digits, integers, written):
    data = load_data("digits")
    test = encode(data.test.first(100), digits.encoding, digits.time_steps)
    exporter = NirExporter(fixed=True, integers=integers)
    assert assert_faithful(exporter, digits, test.as_float64()).equal
    rounded = simulate(exporter.read_back(written), test.as_float64(), test.as_float64().dtype)
    exact = simulate(digits, test.as_float64(), test.as_float64().dtype)
    read_out = digits.network.read_out
    classes = [outputs[read_out].sum(0).argmax(1) for outputs in (rounded, exact)]
    assert (classes[0] == classes[1]).double().mean() >= 0.98


def test_integers_of_both_signs_are_held_where_rounding_left_one():
    """A positive weight that vanished made room for -256 all the same."""
    rng = np.random.default_rng(0)
    dense = ("dense", nir.Linear(np.array([[-0.9, -1.0], [1e-6, 1.0]])))
    model = chain((2,), dense, ("out", neuron((2,), rng)), encoding=Encoding.SPIKES)
    integers = judged(model)
    (out,) = integers.quantized.layers
    synapses = (replace(out.synapses[0], nodes=(nir.Linear(np.array([[-230.0, -256.0], [0.0, 0.0]])),)),)
    changed = replace(integers, quantized=replace(integers.quantized, layers=(replace(out, synapses=synapses),)))
    assert NirExporter(fixed=True, integers=changed).refuses(model) == ()
