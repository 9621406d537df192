"""Small networks for the tests of exporters."""

import nir
import numpy as np
import torch

from spear_deploy.backends.fixed_point import LOIHI2, quantize
from spear_deploy.exporting import JudgedIntegers, sample_inputs
from spear_deploy.network import Encoding, Model, Network, Neuron, ReadOut, Reset, node_of


def constants(shape, rng, *, reset=Reset.ZERO, delay=False, alpha=False, arrays=False, spikes=True, **given):
    """A layer of neurons whose constants are powers of two, or drawn for each neuron (`arrays`)."""

    def constant(value):
        return value * rng.uniform(0.8, 1.2, shape) if arrays else np.full(shape, value)

    values = {
        "beta": constant(0.75),
        "gain": constant(1.0),
        "threshold": constant(0.5) if spikes else None,
        "alpha": constant(0.5) if alpha else None,
        "reset": reset if spikes else Reset.NONE,
        "reset_delay": delay,
    }
    return Neuron(**(values | given))


def neuron(shape, rng, **options):
    """The NIR node of such a layer."""
    return node_of(constants(shape, rng, **options))


def model_of(nodes, edges, *, time_steps=6, encoding=Encoding.DIRECT, data=None):
    graph = nir.NIRGraph(nodes, edges, type_check=False)
    network = Network(graph)
    spikes = network.neurons[network.read_out].spikes
    return Model(graph, time_steps, encoding, ReadOut.COUNT if spikes else ReadOut.MEMBRANE, data)


def chain(input_shape, *layers, extra=None, extra_edges=(), **use):
    """Nodes one after the other between input and output, with further nodes and edges."""
    nodes = {"input": nir.Input(np.array(input_shape)), **dict(layers)}
    names = list(nodes)
    nodes["output"] = nir.Output(np.array(layers[-1][1].output_type["output"]))
    edges = [*zip(names, [*names[1:], "output"], strict=True), *extra_edges]
    return model_of(nodes | (extra or {}), edges, **use)


def dyadic(model, bits=4):
    """The model with weights and biases on a grid of 2^-bits: sums are exact in float32."""

    def rounded(value):
        return np.round(np.asarray(value, dtype=np.float64) * 2**bits) / 2**bits

    content = {}
    for name, node in model.graph.nodes.items():
        for key in ("weight", "bias"):
            if getattr(node, key, None) is not None:
                setattr(node, key, rounded(getattr(node, key)))
        content[name] = node
    return model.with_graph(nir.NIRGraph(content, model.graph.edges, type_check=False))


def dyadic_inputs(model, samples=6, seed=0):
    """Static samples whose values are multiples of 1/8."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randint(0, 9, (samples, *model.network.input_shape), generator=generator) / 8
    return x.double().expand(model.time_steps, *x.shape)


def judged(model, chip=LOIHI2, *, weight_bits=None, samples=None):
    """The integers of a model, chosen on the samples that its exports are proven on."""
    calibration = sample_inputs(model) if samples is None else samples
    bits = dict.fromkeys(model.network.layers, weight_bits) if weight_bits else None
    quantized = quantize(model, chip, calibration=calibration, weight_bits=bits)
    return JudgedIntegers(quantized, "a chip", "loihi", "made-up samples")
