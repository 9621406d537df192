"""Random spiking networks, small enough to run in Lava by the dozen."""

import nir
import numpy as np
from torch import empty

from spear_deploy.network import Encoding, Model, Network, Neuron, ReadOut, Reset, node_of
from spear_deploy.network.linear import linear_module

INPUT_SHAPE = (2, 6, 6)


def neurons(rng, shape, *, alpha=False, arrays=False, spikes=True, reset_delay=False, offset=False):
    """A layer whose constants are the same for all neurons, or drawn for each (`arrays`)."""

    def draw(low, high):
        return rng.uniform(low, high, shape) if arrays else np.full(shape, rng.uniform(low, high))

    return Neuron(
        beta=draw(0.3, 0.95),
        gain=draw(0.5, 1.5) if arrays else np.ones(shape),
        threshold=draw(0.3, 1.0) if spikes else None,
        alpha=draw(0.2, 0.8) if alpha else None,
        offset=rng.normal(0, 0.05, shape) if offset else None,
        reset=Reset.ZERO if spikes else Reset.NONE,
        reset_delay=reset_delay,
    )


class Builder:
    """Appends nodes to a chain; `shape` is that of the last one."""

    def __init__(self, rng, input_shape=INPUT_SHAPE):
        self.rng = rng
        self.nodes = {"input": nir.Input(np.array(input_shape))}
        self.edges = []
        self.last = "input"
        self.shape = tuple(input_shape)

    def add(self, name, node, source=None):
        self.nodes[name] = node
        self.edges.append((source or self.last, name))
        self.last = name
        self.shape = self._shape_of(name)
        return self

    def _shape_of(self, name):
        node = self.nodes[name]
        if hasattr(node, "v_threshold") or isinstance(node, nir.LI | nir.CubaLI):
            return tuple(int(n) for n in node.input_type["input"])
        return tuple(linear_module(node).to("meta")(empty((1, *self.shape), device="meta")).shape[1:])

    def conv(self, name, channels, kernel=3, stride=1, padding=1, groups=1, scale=1.0):
        fan_in = self.shape[0] // groups * kernel**2
        weight = self.rng.normal(0, scale * 2.5 / np.sqrt(fan_in), (channels, self.shape[0] // groups, kernel, kernel))
        weight[self.rng.random(weight.shape) < 0.2] = 0.0
        bias = self.rng.normal(0, 0.1, channels)
        return self.add(name, nir.Conv2d(None, weight, (stride, stride), (padding, padding), (1, 1), groups, bias))

    def linear(self, name, outputs, bias=True, scale=1.0):
        fan_in = int(np.prod(self.shape))
        weight = self.rng.normal(0, scale * 3.5 / np.sqrt(fan_in), (outputs, fan_in))
        weight[self.rng.random(weight.shape) < 0.2] = 0.0
        return self.add(name, nir.Affine(weight, self.rng.normal(0, 0.1, outputs)) if bias else nir.Linear(weight))

    def flatten(self):
        return self.add("flatten", nir.Flatten({"input": np.array(self.shape)}, 0, -1))

    def spiking(self, name, **options):
        return self.add(name, node_of(neurons(self.rng, self.shape, **options)))

    def model(self, time_steps, encoding=Encoding.DIRECT):
        self.nodes["output"] = nir.Output(np.array(self.shape))
        self.edges.append((self.last, "output"))
        graph = nir.NIRGraph(self.nodes, self.edges, type_check=False)
        network = Network(graph)
        spikes = network.neurons[network.read_out].spikes
        return Model(graph, time_steps, encoding, ReadOut.COUNT if spikes else ReadOut.MEMBRANE)


def random_model(seed):
    """A feed-forward network of two to four layers: convolution, pools, dense, LIF and CubaLIF, biases."""
    rng = np.random.default_rng(seed)
    chain = Builder(rng)

    def options():
        return {
            "alpha": rng.random() < 0.3,
            "arrays": rng.random() < 0.3,
            "reset_delay": rng.random() < 0.3,
            "offset": rng.random() < 0.3,
        }

    for index in range(rng.integers(0, 3)):
        groups = int(rng.choice([1, 2]))
        stride, padding = int(rng.choice([1, 2])), int(rng.choice([0, 1]))
        if min(chain.shape[1:]) < 4:
            stride, padding = 1, 1
        chain.conv(f"conv{index}", 4, stride=stride, padding=padding, groups=groups)
        chain.spiking(f"lif{index}", **options())
        if rng.random() < 0.5 and min(chain.shape[1:]) >= 2:
            pool = nir.SumPool2d if rng.random() < 0.5 else nir.AvgPool2d
            size = np.array([2, 2])
            chain.add(f"pool{index}", pool(size, size, np.array([0, 0])))
    chain.flatten()
    if rng.random() < 0.5:
        chain.linear("hidden", 12).spiking("hidden_lif", **options())
    chain.linear("out", 5).spiking("out_lif", **options(), spikes=rng.random() < 0.7)
    return chain.model(int(rng.choice([1, 3, 6])))
