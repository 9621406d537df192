"""Random spiking networks, small enough to run in Lava by the dozen."""

import nir
import numpy as np
import torch

from spear_deploy.network import Encoding, Model, Network, Neuron, ReadOut, Reset, node_of
from spear_deploy.network.linear import output_shape

INPUT_SHAPE = (2, 6, 6)


def images(seed, time_steps, count, shape=INPUT_SHAPE):
    image = torch.rand((count, *shape), dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return image.expand(time_steps, *image.shape)


def events(seed, time_steps, count, shape=INPUT_SHAPE):
    drawn = torch.rand((time_steps, count, *shape), generator=torch.Generator().manual_seed(seed))
    return (drawn < 0.4).double()


def neurons(rng, shape, *, alpha=False, arrays=False, spikes=True, reset_delay=False, offset=False, subtract=False):
    """A layer whose constants are the same for all neurons, or drawn for each (`arrays`)."""

    def draw(low, high):
        return rng.uniform(low, high, shape) if arrays else np.full(shape, rng.uniform(low, high))

    return Neuron(
        beta=draw(0.3, 0.95),
        gain=draw(0.5, 1.5) if arrays else np.ones(shape),
        threshold=draw(0.3, 1.0) if spikes else None,
        alpha=draw(0.2, 0.8) if alpha else None,
        offset=rng.normal(0, 0.05, shape) if offset else None,
        reset=Reset.NONE if not spikes else Reset.SUBTRACT if subtract else Reset.ZERO,
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
        if isinstance(node, nir.Delay):
            return self.shape
        if hasattr(node, "v_threshold") or isinstance(node, nir.LI | nir.CubaLI):
            return tuple(int(n) for n in node.input_type["input"])
        return output_shape(node, name, self.shape)

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

    def delay(self, name, steps):
        return self.add(name, nir.Delay(np.full(self.shape, steps * 1e-4)))

    def recurrent(self, name, **options):
        """A layer of neurons with synapses from each to each."""
        self.spiking(name, **options)
        size = self.shape[0]
        weight = self.rng.normal(0, 1 / np.sqrt(size), (size, size))
        self.nodes[f"{name}_back"] = nir.Affine(weight, self.rng.normal(0, 0.1, size))
        self.edges += [(name, f"{name}_back"), (f"{name}_back", name)]
        return self

    def model(self, time_steps, encoding=Encoding.DIRECT):
        self.nodes["output"] = nir.Output(np.array(self.shape))
        self.edges.append((self.last, "output"))
        graph = nir.NIRGraph(self.nodes, self.edges, type_check=False)
        network = Network(graph)
        spikes = network.neurons[network.read_out].spikes
        return Model(graph, time_steps, encoding, ReadOut.COUNT if spikes else ReadOut.MEMBRANE)


def random_options(rng):
    return {
        "alpha": rng.random() < 0.4,
        "arrays": rng.random() < 0.3,
        "reset_delay": rng.random() < 0.3,
        "offset": rng.random() < 0.3,
        "subtract": rng.random() < 0.2,
    }


def random_models(seed, chains):
    """Several independent networks side by side on one input, so that Lava compiles them at once."""
    rng = np.random.default_rng(seed)
    whole = Builder(rng)
    for number in range(chains):
        chain = random_chain(rng)
        names = {name: name if name == "input" else f"n{number}_{name}" for name in chain.nodes}
        whole.nodes |= {names[name]: node for name, node in chain.nodes.items()}
        whole.edges += [(names[a], names[b]) for a, b in chain.edges]
        whole.last, whole.shape = names[chain.last], chain.shape
    return whole.model(int(rng.choice([1, 3, 6])))


def random_chain(rng):
    """Two to four layers: convolution, pools, dense, recurrence, delays; LIF and CubaLIF, biases."""
    chain = Builder(rng)
    for index in range(rng.integers(0, 3)):
        groups = int(rng.choice([1, 2]))
        stride, padding = int(rng.choice([1, 2])), int(rng.choice([0, 1]))
        if min(chain.shape[1:]) < 4:
            stride, padding = 1, 1
        chain.conv(f"conv{index}", 4, stride=stride, padding=padding, groups=groups)
        pools = [nir.SumPool2d, nir.AvgPool2d]
        place = rng.integers(0, 3)
        size, hop = np.array([2, 2]), np.array([1 if rng.random() < 0.3 else 2] * 2)
        pool = pools[rng.integers(0, 2)](size, hop, np.array([0, 0]))
        if place == 0 and min(chain.shape[1:]) >= 2:
            chain.add(f"pool{index}", pool)
        chain.spiking(f"lif{index}", **random_options(rng))
        if place == 1 and min(chain.shape[1:]) >= 2:
            chain.add(f"pool{index}", pool)
    chain.flatten()
    if rng.random() < 0.3:
        chain.delay("delay", int(rng.integers(1, 3)))
    if rng.random() < 0.6:
        chain.linear("hidden", 12)
        if rng.random() < 0.5:
            chain.recurrent("hidden_lif", **random_options(rng))
        else:
            chain.spiking("hidden_lif", **random_options(rng))
    chain.linear("out", 5)
    return chain.spiking("out_lif", **random_options(rng), spikes=rng.random() < 0.7)
