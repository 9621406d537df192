"""Small networks for the tests, and an oracle that runs snnTorch itself."""

import nir
import numpy as np
import snntorch
import torch
from snntorch import utils
from torch import nn

from spear_deploy.network import Neuron


def heaviside(x):
    """snnTorch's spike without its cast to float32, so that float64 networks stay float64."""
    return (x > 0).to(x.dtype)


def leaky(beta=0.9, **options):
    return snntorch.Leaky(beta=beta, init_hidden=True, spike_grad=heaviside, **options)


def trained(norm):
    """A normalisation whose statistics and factors are not those that it begins with."""
    nn.init.uniform_(norm.weight, 0.5, 1.5)
    nn.init.normal_(norm.bias, 0, 0.2)
    norm.running_mean.normal_(0, 0.2)
    norm.running_var.uniform_(0.5, 2)
    return norm


def run_by_snntorch(net, x):
    """Outputs of a step network, `[T, B, *shape]`, in the dtype of x."""
    net = net.to(x.dtype).eval()
    utils.reset(net)
    with torch.no_grad():
        return torch.stack([net(step) for step in x])


def small_cnn(seed=0, **options):
    """Conv, pool, conv, linear for inputs of 1 x 8 x 8."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        leaky(threshold=0.3, **options),
        nn.AvgPool2d(2),
        nn.Conv2d(4, 8, 3, stride=2),
        leaky(beta=0.5, threshold=0.1, **options),
        nn.Flatten(),
        nn.Linear(8, 10),
        leaky(beta=0.8, threshold=0.1, **options),
    )


class Population(nn.Module):
    """Twenty outputs for the classes of 8 inputs, in a loop of its own."""

    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(8, 12), nn.Linear(12, 20)
        self.lif1, self.lif2 = (snntorch.Leaky(beta=0.9, threshold=0.4, spike_grad=heaviside) for _ in range(2))

    def forward(self, x):
        mem1, mem2, found = self.lif1.init_leaky(), self.lif2.init_leaky(), []
        for step in x:
            spk, mem1 = self.lif1(self.fc1(step), mem1)
            spk, mem2 = self.lif2(self.fc2(spk), mem2)
            found.append(spk)
        return torch.stack(found)


def lif(shape, *, beta=0.5, dt=1e-4, **metadata):
    """A NIR LIF layer whose input gain is 1."""
    ones = np.ones(shape)
    step = 1 - beta
    return nir.LIF(
        tau=ones * dt / step, r=ones / step, v_leak=ones * 0, v_threshold=ones, metadata={"dt": dt, **metadata}
    )


def drawn_neuron(reset, delay, shape, *, each, alpha, spiking=True):
    """Constants drawn for all neurons, or for `each`, with offsets; with a synaptic current (`alpha`) or not."""
    rng = np.random.default_rng(0)

    def constant(low, high):
        return rng.uniform(low, high, shape) if each else np.full(shape, rng.uniform(low, high))

    return Neuron(
        beta=constant(0.3, 1.0),
        gain=constant(0.5, 2.0),
        threshold=constant(0.3, 0.8) if spiking else None,
        alpha=constant(0.0, 0.8) if alpha else None,
        offset=constant(-0.1, 0.1) if each else None,
        reset_value=constant(-0.2, 0.2) if alpha else None,
        reset=reset,
        reset_delay=delay,
    )


def graph_of(input_shape, *layers, output_shape=None, extra_edges=()):
    """A chain of (name, node) between Input and Output, with further edges."""
    nodes = {"input": nir.Input(np.array(input_shape)), **dict(layers)}
    names = list(nodes)
    last = layers[-1][1] if layers else nodes["input"]
    nodes["output"] = nir.Output(np.array(last.output_type["output"] if output_shape is None else output_shape))
    edges = [*zip(names, [*names[1:], "output"], strict=True), *extra_edges]
    return nir.NIRGraph(nodes, edges, type_check=False)
