from dataclasses import replace

import nir
import numpy as np
import pytest
import snntorch as snn
import torch
from exporter_networks import chain, judged, neuron
from torch import nn

from spear_deploy.backends.fixed_point import fake_quantized
from spear_deploy.data import encode, load_data
from spear_deploy.errors import BackendError
from spear_deploy.exporters.lava import LavaExporter
from spear_deploy.exporters.nir import NirExporter
from spear_deploy.exporting import assert_faithful, simulate
from spear_deploy.network import Encoding, from_snntorch, load_model_file


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


class OnALine(nn.Module):
    """Two layers of neurons, and between them other modules and a pointwise convolution."""

    def __init__(self, between):
        super().__init__()
        self.between = list(between)
        for name, module in between.items():
            self.add_module(name, module)
        self.pw = nn.Conv1d(4, 6, 1)
        self.l1, self.l2 = (snn.Leaky(beta=0.8, reset_mechanism="zero", reset_delay=False) for _ in range(2))

    def forward(self, x):
        v1, v2, found = self.l1.init_leaky(), self.l2.init_leaky(), []
        for current in x:
            spikes, v1 = self.l1(current, v1)
            for name in self.between:
                spikes = self.get_submodule(name)(spikes)
            spikes, v2 = self.l2(self.pw(spikes), v2)
            found.append(spikes)
        return torch.stack(found)


@pytest.mark.parametrize(
    "between",
    [
        {"p": nn.AvgPool1d(2)},
        {"dw": nn.Conv1d(4, 4, 3, padding=1, groups=4)},
        {"p": nn.AvgPool1d(2), "dw": nn.Conv1d(4, 4, 3, padding=1, groups=4)},
        {"one": nn.Conv1d(4, 4, 1), "two": nn.Conv1d(4, 4, 1)},
    ],
    ids=lambda between: "-".join(between),
)
def test_weights_of_several_nodes_together_are_refused_by_their_names_and_the_fixed_script_holds_them(between):
    torch.manual_seed(0)
    model = from_snntorch(OnALine(between), input_shape=(4, 8), time_steps=4, encoding="spikes")
    integers = judged(model)
    (reason,) = NirExporter(fixed=True, integers=integers).refuses(model)
    assert reason.startswith(f"{', '.join([*between, 'pw'])}: the chip's weights from l1 to l2 are those of")
    assert reason.endswith("alone there, or write the script (lava) in fixed point instead")
    assert not LavaExporter(fixed=True, integers=integers).refuses(model)


def test_no_rounded_weights_are_written_for_one_of_two_matrices_of_the_same_shape():
    rng = np.random.default_rng(0)
    one, two = (nir.Linear(rng.normal(0, 1, (4, 4))) for _ in range(2))
    model = chain((4,), ("one", one), ("two", two), ("out", neuron((4,), rng)), encoding=Encoding.SPIKES)
    with pytest.raises(BackendError, match=r"^one, two: the chip's weights from input to out are those of 2 nodes"):
        fake_quantized(model, judged(model).quantized)


def test_a_threshold_that_is_0_among_the_integers_is_refused_by_its_layer_and_the_fixed_script_holds_it():
    net = nn.Sequential(nn.Linear(6, 4), snn.Leaky(beta=0.5, threshold=1e-4, reset_mechanism="zero"))
    with torch.no_grad():
        net[0].weight.uniform_(-1, 1)
    model = from_snntorch(net, input_shape=(6,), time_steps=4, encoding="spikes")
    integers = judged(model)
    assert integers.quantized.layers[0].vth.max() == 0
    (reason,) = NirExporter(fixed=True, integers=integers).refuses(model)
    assert reason.startswith("1_leaky: next to its weights a threshold is so low that it is 0 among the chip's")
    assert reason.endswith("write the script (lava) in fixed point instead")
    assert not LavaExporter(fixed=True, integers=integers).refuses(model)
