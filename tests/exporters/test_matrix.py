"""Every kind of layer and neuron through every exporter: equal, or refused with the reason."""

from contextlib import suppress

import nir
import numpy as np
import pytest
from exporter_networks import chain, judged, neuron

from spear_deploy.backends.fixed_point.formats import LOIHI2, held_by_netx
from spear_deploy.errors import BackendError
from spear_deploy.exporting import assert_faithful, exporter, sample_inputs
from spear_deploy.network import Encoding, Reset

RNG = np.random.default_rng(7)
SHAPE = (2, 6, 6)


def conv(**options):
    given = {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 1} | options
    weight = RNG.normal(0, 0.5, (4, 2 // given["groups"], 3, 3))
    return nir.Conv2d(
        SHAPE[1:], weight, *(given[key] for key in ("stride", "padding", "dilation", "groups")), np.full(4, 0.1)
    )


def pool(kind):
    return kind(np.array([2, 2]), np.array([2, 2]), np.array([0, 0]))


FLAT = nir.Flatten({"input": np.array(SHAPE)}, 0, -1)

LAYERS = {
    "Linear": [("flatten", FLAT), ("layer", nir.Linear(RNG.normal(0, 0.4, (6, 72))))],
    "Affine": [("flatten", FLAT), ("layer", nir.Affine(RNG.normal(0, 0.4, (6, 72)), RNG.normal(0, 0.1, 6)))],
    "Conv2d": [("layer", conv())],
    "Conv2d stride 2": [("layer", conv(stride=(2, 2)))],
    "Conv2d dilated": [("layer", conv(dilation=(2, 2)))],
    "Conv2d groups": [("layer", conv(groups=2))],
    "Conv2d same": [("layer", conv(padding="same"))],
    "Conv1d": [
        ("rows", nir.Flatten({"input": np.array(SHAPE)}, 1, -1)),
        ("layer", nir.Conv1d(36, RNG.normal(0, 0.5, (3, 2, 5)), 2, 1, 1, 1, np.zeros(3))),
    ],
    "SumPool2d": [("layer", pool(nir.SumPool2d))],
    "AvgPool2d": [("layer", pool(nir.AvgPool2d))],
    "Conv2d AvgPool2d": [("conv", conv()), ("layer", pool(nir.AvgPool2d))],
    "Scale": [("layer", nir.Scale(RNG.uniform(0.5, 1.5, SHAPE)))],
    "Delay": [("layer", nir.Delay(np.full(SHAPE, 2e-4)))],
    "one to one": [],
}

NEURONS = {
    "LIF zero": {},
    "LIF zero, delayed": {"delay": True},
    "LIF zero_hold": {"reset": Reset.ZERO_HOLD, "delay": True},
    "LIF subtract": {"reset": Reset.SUBTRACT},
    "LIF subtract, delayed": {"reset": Reset.SUBTRACT, "delay": True},
    "LIF none": {"reset": Reset.NONE},
    "LIF arrays": {"arrays": True},
    "LIF reset value": {"value": 0.25},
    "IF": {"keep": 1.0},
    "threshold": {"keep": 0.0, "reset": Reset.NONE},
    "CubaLIF zero": {"alpha": True},
    "CubaLIF subtract": {"alpha": True, "reset": Reset.SUBTRACT},
    "LI": {"spikes": False},
}

FORMATS = {
    "nir": {},
    "onnx": {"form": "unroll"},
    "lava": {},
    "netx": {},
}


def network(layer, kind):
    """Input, a layer, the neurons."""
    nodes = LAYERS[layer]
    shape = shape_behind(nodes)
    options = dict(NEURONS[kind])
    value, keep = options.pop("value", None), options.pop("keep", None)
    given = {} if value is None else {"reset_value": np.full(shape, value)}
    given |= {} if keep is None else {"beta": np.full(shape, keep)}
    encoding = Encoding.SPIKES if layer == "Delay" else Encoding.DIRECT
    return chain(
        SHAPE, *nodes, ("neurons", neuron(shape, np.random.default_rng(3), **options, **given)), encoding=encoding
    )


def shape_behind(nodes):
    from torch import empty

    from spear_deploy.network.linear import linear_module

    x = empty((1, *SHAPE))
    for _, node in nodes:
        x = x if isinstance(node, nir.Delay) else linear_module(node)(x)
    return tuple(x.shape[1:])


CASES = [(layer, kind) for layer in LAYERS for kind in NEURONS]


@pytest.mark.parametrize("form", ["nir", "onnx"])
@pytest.mark.parametrize(("layer", "kind"), CASES)
def test_nir_and_onnx_say_every_layer_with_every_neuron(layer, kind, form):
    comparison = assert_faithful(exporter(form, FORMATS[form]), network(layer, kind))
    assert comparison.ties == 0
    assert comparison.spikes or kind == "LI"


@pytest.mark.parametrize(("layer", "kind"), CASES)
def test_netx_says_a_layer_with_every_spike_or_why_not(layer, kind):
    model = network(layer, kind)
    made = exporter("netx", {"integers": integers_or_none(model)})
    reasons = made.refuses(model)
    blocks = {"Linear", "Affine", "Conv2d", "Conv2d stride 2", "Conv2d dilated", "Conv2d groups"}
    neurons = {"LIF zero", "LIF zero, delayed", "IF"} | ({"CubaLIF zero"} if layer == "Linear" else set())
    if layer in blocks and kind in neurons:
        assert reasons == ()
    if reasons:
        assert all(any(name in reason for name in ("neurons", "layer", "input", "samples")) for reason in reasons)
    else:
        assert assert_faithful(made, model).spikes


def integers_or_none(model):
    with suppress(BackendError):
        return judged(model, held_by_netx(LOIHI2))
    return None


REFUSED_BY_LAVA = {
    "LIF zero_hold": "zero",
    "LIF none": "never does",
    "LIF reset value": "resets it to 0.25",
}


@pytest.mark.parametrize(("layer", "kind"), CASES)
def test_lava_refuses_resets_that_it_cannot_run_and_nothing_else(layer, kind):
    reasons = exporter("lava").refuses(network(layer, kind))
    assert bool(reasons) == (kind in REFUSED_BY_LAVA)
    if reasons:
        assert REFUSED_BY_LAVA[kind] in reasons[0]


@pytest.mark.lava
@pytest.mark.slow
@pytest.mark.parametrize("layer", LAYERS)
def test_the_lava_script_gives_every_spike_of_a_layer_with_every_neuron(layer):
    """All kinds of neurons behind one kind of layer run side by side in one network."""
    parts = {kind: network(layer, kind) for kind in NEURONS if kind not in REFUSED_BY_LAVA}
    made = exporter("lava")
    model = side_by_side(parts)
    comparison = assert_faithful(made, model, sample_inputs(model)[:, 2:3])
    assert len(comparison.layers) == len(parts)
    assert all(each.spikes[0] for name, each in comparison.layers.items() if name != "LI_neurons")


def side_by_side(parts):
    """Networks on one input as one network, whose output is that of the last."""
    from spear_deploy.network import Model, Network, ReadOut

    nodes, edges = {"input": nir.Input(np.array(SHAPE))}, []
    for kind, model in parts.items():
        names = {name: name if name in ("input", "output") else f"{kind}_{name}" for name in model.graph.nodes}
        nodes |= {names[name]: node for name, node in model.graph.nodes.items()}
        edges += [(names[a], names[b]) for a, b in model.graph.edges if b != "output"]
    edges.append((f"{kind}_neurons", "output"))
    graph = nir.NIRGraph(nodes, edges, type_check=False)
    spikes = Network(graph).neurons[f"{kind}_neurons"].spikes
    return Model(graph, model.time_steps, model.encoding, ReadOut.COUNT if spikes else ReadOut.MEMBRANE)
