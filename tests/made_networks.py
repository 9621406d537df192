"""Small networks, one for each way in which layers can hang together."""

from dataclasses import replace

import nir
import numpy as np
import torch

from spear_deploy.network import Encoding, Model, Neuron, ReadOut, Reset, node_of
from spear_deploy.network.linear import linear_module
from spear_deploy.network.pools import MaxPool2d
from spear_deploy.network.unflattening import Unflatten


class Chain:
    """Appends nodes, each to the one before (or to those named); knows the shape at its end."""

    def __init__(self, input_shape, seed=0):
        self.rng = np.random.default_rng(seed)
        self.nodes = {"input": nir.Input(np.array(input_shape))}
        self.edges = []
        self.last = "input"
        self.shape = tuple(input_shape)

    def add(self, name, node, *sources):
        self.nodes[name] = node
        self.edges += [(source, name) for source in sources or (self.last,)]
        self.last = name
        return self

    def linear(self, name, outputs, *sources, bias=True, zeros=0.2):
        weight = self._weight((outputs, int(np.prod(self.shape))), zeros)
        self.shape = (outputs,)
        return self.add(name, nir.Affine(weight, self._bias(outputs)) if bias else nir.Linear(weight), *sources)

    def conv(self, name, channels, *sources, kernel=3, stride=1, padding=1, groups=1, zeros=0.2):
        weight = self._weight((channels, self.shape[0] // groups, *np.broadcast_to(kernel, 2)), zeros)
        square = (stride, stride), (padding, padding), (1, 1)
        node = nir.Conv2d(self.shape[1:], weight, *square, groups, self._bias(channels))
        return self._shaped(node).add(name, node, *sources)

    def pool(self, name, kind=nir.SumPool2d, size=2):
        two = np.array([size, size])
        node = kind(two, two, np.array([0, 0]))
        return self._shaped(node).add(name, node)

    def flatten(self, name="flatten"):
        node = nir.Flatten({"input": np.array(self.shape)}, 0, -1)
        return self._shaped(node).add(name, node)

    def maps(self, name, channels, side=2):
        self.shape = (channels, side, side)
        return self.add(name, Unflatten(np.array(self.shape)))

    def neurons(self, name, *sources, each_its_own=False, **options):
        """A layer with beta 0.7 and threshold 0.5, or with constants drawn for each neuron."""

        def draw(low, high):
            return self.rng.uniform(low, high, self.shape) if each_its_own else np.full(self.shape, (low + high) / 2)

        neuron = Neuron(beta=draw(0.6, 0.8), gain=draw(0.8, 1.2), threshold=draw(0.3, 0.7))
        return self.add(name, node_of(replace(neuron, **options)), *sources)

    def membranes(self, name):
        ones = np.ones(self.shape)
        return self.add(name, node_of(Neuron(0.9 * ones, gain=ones, threshold=None, reset=Reset.NONE)))

    def graph(self):
        nodes = self.nodes | {"output": nir.Output(np.array(self.shape))}
        return nir.NIRGraph(nodes, [*self.edges, (self.last, "output")], type_check=False)

    def model(self, time_steps=5, encoding=Encoding.DIRECT, read_out=ReadOut.COUNT, data=None):
        return Model(self.graph(), time_steps, encoding, read_out, data)

    def _shaped(self, node):
        out = linear_module(node).to("meta")(torch.empty((1, *self.shape), device="meta"))
        self.shape = tuple(out.shape[1:])
        return self

    def _weight(self, shape, zeros):
        fan_in = int(np.prod(shape[1:]))
        weight = self.rng.normal(0, 2.5 / np.sqrt(fan_in), shape)
        weight[self.rng.random(shape) < zeros] = 0.0
        return weight

    def _bias(self, channels):
        return self.rng.normal(0.1, 0.1, channels)


def plain(seed=2):
    return Chain((3,), seed).linear("fc1", 9).neurons("a").linear("fc2", 7).neurons("b").linear("fc3", 4).neurons("c")


def strided_and_padded(seed=2):
    chain = Chain((2, 7, 6), seed).conv("conv1", 4, stride=2).neurons("a").conv("conv2", 5, stride=2, padding=0)
    return chain.neurons("b").flatten().linear("fc", 4, zeros=0.5).neurons("c")


def grouped(seed=2):
    chain = Chain((4, 6, 6), seed).conv("conv1", 6).neurons("a").conv("conv2", 4, groups=2, stride=2).neurons("b")
    return chain.conv("conv3", 5).neurons("c").flatten().linear("fc", 4).neurons("d")


def depthwise(seed=2):
    chain = Chain((2, 6, 6), seed).conv("conv1", 6).neurons("a").conv("depth", 6, groups=6).neurons("b")
    return chain.conv("point", 5, kernel=1, padding=0).neurons("c").flatten().linear("fc", 4).neurons("d")


def pooled(seed=2, kind=nir.SumPool2d):
    chain = Chain((2, 8, 8), seed).conv("conv1", 5).neurons("a").pool("pool1", kind).conv("conv2", 6).neurons("b")
    return chain.pool("pool2", kind).flatten().linear("fc", 4).neurons("c")


def max_pooled(seed=2):
    """The largest current before the neuron, as in snnTorch's tutorial 6: one of windows that overlap, too."""
    chain = Chain((2, 9, 9), seed).conv("conv1", 5).pool("pool1", MaxPool2d).neurons("a").conv("conv2", 6, padding=0)
    overlapping = MaxPool2d(np.array([2, 1]), np.array([1, 1]), np.array([1, 0]))
    chain._shaped(overlapping).add("pool2", overlapping)
    return chain.neurons("b").flatten().linear("fc", 4).neurons("c")


def residual(seed=2):
    """Two blocks; the second is skipped over: a + conv3(b) -> c."""
    chain = Chain((2, 5, 5), seed).conv("conv1", 6).neurons("a").conv("conv2", 7).neurons("b").conv("conv3", 6)
    return chain.neurons("c", "conv3", "a").flatten().linear("fc", 4).neurons("d")


def recurrent(seed=2):
    """A dense layer that feeds back into itself."""
    chain = Chain((3,), seed).linear("fc1", 8).neurons("a")
    chain.linear("back", 8, bias=False)
    chain.edges.append(("back", "a"))
    chain.last = "a"
    return chain.linear("fc2", 4).neurons("b")


def self_recurrent(seed=6):
    """Neurons that each hear themselves alone: through a weight of their own, and as they are."""
    chain = Chain((3,), seed).linear("fc1", 8).neurons("a")
    chain.add("back", nir.Scale(chain.rng.uniform(-0.5, 0.5, chain.shape)))
    chain.edges.append(("back", "a"))
    chain.last = "a"
    chain.linear("fc2", 7).neurons("b")
    chain.edges.append(("b", "b"))
    return chain.linear("fc3", 4).neurons("c")


def recurrent_maps(seed=2):
    """Maps that feed back into themselves by a convolution."""
    chain = Chain((2, 5, 5), seed).conv("conv1", 6).neurons("a").conv("back", 6)
    chain.edges.append(("back", "a"))
    chain.last = "a"
    return chain.flatten().linear("fc", 4).neurons("b")


def each_neuron_its_own(seed=2):
    """Decays, gains and thresholds of their own for each neuron, a synaptic current, another reset."""
    chain = Chain((2, 5, 5), seed).conv("conv1", 6).neurons("a", each_its_own=True, reset=Reset.SUBTRACT)
    chain.conv("conv2", 5)
    chain.neurons("b", each_its_own=True, alpha=chain.rng.uniform(0.2, 0.5, chain.shape), reset_delay=True)
    return chain.flatten().linear("fc", 4).neurons("c", each_its_own=True)


def scaled(seed=2):
    """Scales by channel and position, by channel alone, and one for all."""
    chain = Chain((2, 5, 5), seed).conv("conv1", 6)
    chain.add("scale1", nir.Scale(chain.rng.uniform(0.5, 1.5, chain.shape))).neurons("a").conv("conv2", 5)
    chain.add("scale2", nir.Scale(chain.rng.uniform(0.5, 1.5, (5, 1, 1)))).neurons("b")
    chain.add("scale3", nir.Scale(np.array([1.5]))).flatten()
    chain.add("scale4", nir.Scale(chain.rng.uniform(0.5, 1.5, chain.shape)))
    return chain.linear("fc", 4).neurons("c")


def several_skips(seed=2):
    """Dense layers; neurons of one are added to the next but one, through a delay."""
    chain = Chain((3,), seed).linear("fc1", 8).neurons("a").linear("fc2", 8).neurons("b", "fc2", "a")
    chain.add("delay", nir.Delay(np.full(8, 2e-4)), "a").linear("fc3", 8, "b").neurons("c", "fc3", "delay")
    return chain.linear("fc4", 4).neurons("d")


ALL = {
    "plain": plain,
    "strided and padded": strided_and_padded,
    "grouped": grouped,
    "depthwise": depthwise,
    "sum pool": pooled,
    "max pool": max_pooled,
    "residual sum": residual,
    "several skips": several_skips,
    "recurrent": recurrent,
    "self-recurrent": self_recurrent,
    "recurrent maps": recurrent_maps,
    "scaled": scaled,
    "each neuron its own": each_neuron_its_own,
}


def analog_input(model, samples=4, seed=0):
    """An image a sample, shown in every step: `[T, B, *input_shape]` float64, some values zero."""
    rng = np.random.default_rng(seed)
    x = rng.random((samples, *model.network.input_shape)) * (rng.random((samples, *model.network.input_shape)) < 0.8)
    return torch.from_numpy(x).expand(model.time_steps, *x.shape)


def spike_input(model, samples=4, seed=0, rate=0.4):
    """Spikes, 0 and 1, of their own in every step: `[T, B, *input_shape]` float64."""
    shape = (model.time_steps, samples, *model.network.input_shape)
    return torch.from_numpy((np.random.default_rng(seed).random(shape) < rate).astype(np.float64))
