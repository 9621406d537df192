"""A network in integers, as a Loihi core holds it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import nir
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spear_deploy.backends.fixed_point.formats import Format
from spear_deploy.errors import BackendError
from spear_deploy.network import Connection, Network, Reset, synapse_matrix
from spear_deploy.network.editing import graph_of

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Rounding:
    """What rounding did to the weights of a connection.

    Attributes:
        worst: largest error of a weight, relative to the largest weight.
        mean: mean error of a weight that is not zero, relative to the largest weight.
        clipped: weights that lay outside the range.
        vanished: weights that became zero.
        weights: weights that were not zero.

    """

    worst: float
    mean: float
    clipped: int
    vanished: int
    weights: int


@dataclass(frozen=True)
class QuantizedSynapses:
    """One connection: what arrives is (mantissas @ source) * 2^exponent, rounded down after the sum.

    Attributes:
        connection: the connection of the network.
        nodes: the linear nodes from source to target with integer weights; pools are sums.
        exponent: common to all weights; negative shifts to the right.
        mixed: whether the mantissas lie on the lattice of mixed signs.
        late: time steps that a spike is under way: those of Delay nodes, and one for a feedback.
        graded: whether the source sends values instead of spikes.
        rounding: what was lost.
        weight_bits: of a weight.

    """

    connection: Connection
    nodes: tuple[nir.NIRNode, ...]
    exponent: int
    mixed: bool
    late: int
    graded: bool
    rounding: Rounding
    weight_bits: int = 8


@dataclass(frozen=True)
class QuantizedLayer:
    """A layer of neurons in integers; arrays `[*shape]`.

        u[t] = sgn(u) (|u| (4096 - du - 1) >> 12) + (a[t] << 6)     wraps at 24 bits
        v[t] = sgn(v) (|v| (4096 - dv) >> 12) + u[t] + bias         saturates at 24 bits
        s[t] = v[t] > vth << 6
        v[t] <- 0 where s[t] (reset zero)

    Source: lava-nc 0.10.0, PyLifModelBitAcc, and the figures of `Format`.

    Attributes:
        name: the neuron layer.
        shape: its shape.
        scale: k. A float current i becomes a = k i, a membrane x becomes v = 64 k x.
        du: decay of the current; 4095 forgets all at once.
        dv: decay of the membrane.
        vth: thresholds; None for a layer that does not spike.
        bias: 24-bit bias of the membrane, mantissa * 2^exponent.
        bias_exponent: exponents, so that bias >> exponent is the mantissa.
        axon: mantissas of an axon that is always on: a bias behind a synaptic current.
        axon_exponent: its exponent.
        reset: what a spike does to the membrane.
        reset_delay: whether it does so at the start of the next step.
        synapses: what leads into the layer.

    """

    name: str
    shape: tuple[int, ...]
    scale: float
    du: IntArray
    dv: IntArray
    vth: IntArray | None
    bias: IntArray
    bias_exponent: IntArray
    axon: IntArray | None
    axon_exponent: int
    reset: Reset
    reset_delay: bool
    synapses: tuple[QuantizedSynapses, ...]

    @property
    def spikes(self) -> bool:
        """Whether the output is spikes (else it is the membrane)."""
        return self.vth is not None


@dataclass(frozen=True)
class InputLevels:
    """How values of the input become integers.

    Attributes:
        of_one: what an input of 1 becomes, before it is rounded.
        least, most: what lies beyond is sent as these.

    """

    of_one: float
    least: int
    most: int


@dataclass(frozen=True)
class QuantizedNetwork:
    """All layers, in the order of execution.

    Attributes:
        network: what was quantised.
        format: the number formats.
        layers: the layers.
        levels: what inputs become; None where they are spikes.

    """

    network: Network
    format: Format
    layers: tuple[QuantizedLayer, ...]
    levels: InputLevels | None


def input_integers(quantized: QuantizedNetwork, inputs: Tensor) -> Tensor:
    """The inputs as the chip receives them: spikes, or integers (both as float32).

    What is larger than a graded spike carries is sent as the most that it does: samples are seen that reach farther
    than those that the levels were chosen on.

    Raises:
        BackendError: the network was quantised for spikes, and the input holds other values.

    """
    if quantized.levels is None:
        spikes = inputs.float()
        if _are_spikes(spikes):
            return spikes
        raise BackendError(
            f"{quantized.network.input}: the network was quantised for an input of spikes (0 or 1), and this input"
            " holds other values; the training samples that integers are chosen on have to show such values"
        )
    return to_integers(inputs, quantized.levels)


def _are_spikes(values: Tensor) -> bool:
    """Whether all values `[T, ...]` are 0 or 1."""
    for step in values:
        if step.numel():
            least, most = torch.aminmax(torch.addcmul(step, step, step, value=-1))
            if not float(least) == 0 == float(most):
                return False
    return True


def to_integers(inputs: Tensor, levels: InputLevels | None) -> Tensor:
    """Inputs times their levels, rounded and cut to what a spike carries; spikes as they are (float32)."""
    if levels is None:
        return inputs.float()
    return (inputs.double() * levels.of_one).round().clamp_(levels.least, levels.most).float()


def mantissa_matrix(network: Network, synapses: QuantizedSynapses) -> Any:
    """The mantissas of a connection as a sparse matrix `[targets, sources]` (CSR, int64)."""
    source, target = synapses.connection.source, synapses.connection.target
    names = tuple(f"node{index}" for index in range(len(synapses.nodes)))
    nodes = {"source": nir.Input(np.array(network.shapes[source])), **dict(zip(names, synapses.nodes, strict=True))}
    width = np.array([int(np.prod(network.shapes[target]))])
    nodes |= {"flat": nir.Flatten({"input": np.array(network.shapes[target])}, 0, -1)}
    nodes |= {"target": nir.Threshold(np.ones(width)), "sink": nir.Output(width)}
    chain = ["source", *names, "flat", "target", "sink"]
    view = Network(graph_of(nodes, pairwise(chain)))
    matrix = synapse_matrix(view, view.connections[0])
    matrix.data = np.rint(matrix.data)
    return matrix.astype(np.int64)
