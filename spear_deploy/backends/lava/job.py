"""A network as Lava can run it: which synapses and constants each layer gets, and how deep it lies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spear_deploy.backends.fixed_point.formats import LOIHI2, Format
from spear_deploy.backends.fixed_point.neuron_rules import check_pools
from spear_deploy.backends.fixed_point.paths import delay_of
from spear_deploy.backends.fixed_point.quantized import QuantizedLayer, QuantizedNetwork, mantissa_matrix
from spear_deploy.errors import BackendError
from spear_deploy.network import Connection, Network, Neuron, Reset, bias_current, synapse_matrix

Array = NDArray[Any]


@dataclass(frozen=True)
class LavaSynapses:
    """One connection: weights `[targets, sources]` (CSR), with the gain of the target folded in.

    Attributes:
        connection: the connection of the network that this is.
        weights: a scipy CSR matrix, float64 or the mantissas of a fixed-point network.
        exponent: of the mantissas; 0 in floating point.
        mixed: whether the mantissas lie on the lattice of mixed signs.
        relays: time steps that the source waits beyond the one that every connection costs.
        late: steps at the start of a sample in which nothing can arrive: what does is left
            over from the sample before.
        graded: whether the source sends values instead of spikes.

    """

    connection: Connection
    weights: Any
    exponent: int
    mixed: bool
    relays: int
    late: int
    graded: bool


@dataclass(frozen=True)
class LavaLayer:
    """One neuron layer in Lava's terms, all arrays flat `[size]`.

        u[t] = u[t-1] (1 - du) + a[t] + axon
        v[t] = v[t-1] (1 - dv) + u[t] + bias
        s[t] = v[t] > vth, and v[t] <- 0 where it fires

    or the same in fixed point, see `QuantizedLayer`. Source: lava-nc 0.10.0, proc/lif/models.py.

    Attributes:
        name: the neuron layer.
        shape: its shape.
        depth: the layer sees step 0 of a sample this many steps after it was injected.
        kind: "lif" (reset to zero), "subtract" or "membrane" (no threshold; sends v).
        reset_delay: whether a subtraction waits for the next step.
        constants: du, dv, vth, bias and bias_exponent.
        axon: what an axon that is always on sends; None where there is none.
        axon_exponent: its exponent.
        unit: a membrane of 1 in the float network.
        synapses: what leads into the layer.

    """

    name: str
    shape: tuple[int, ...]
    depth: int
    kind: str
    reset_delay: bool
    constants: dict[str, Array]
    axon: Array | None
    axon_exponent: int
    unit: float
    synapses: tuple[LavaSynapses, ...]


@dataclass(frozen=True)
class LavaJob:
    """A whole network for Lava.

    Attributes:
        network: what it was made of.
        layers: in the order of execution.
        fixed: whether Lava computes in fixed point, bit-accurate to Loihi.

    """

    network: Network
    layers: tuple[LavaLayer, ...]
    fixed: bool


def floating_job(network: Network, *, analog_input: bool) -> LavaJob:
    """A network in floating point.

    Args:
        network: the network.
        analog_input: whether the input holds other values than 0 and 1.

    Raises:
        BackendError: Lava cannot run the network; names the layer, the rule and the way out.

    """
    check_pools(network)
    depths = _depths(network)
    layers = []
    for name in network.layers:
        neuron = network.neurons[name]
        _check_neuron(name, neuron)
        synapses = tuple(
            LavaSynapses(
                connection,
                _scaled(synapse_matrix(network, connection), neuron.gain.ravel()),
                exponent=0,
                mixed=True,
                **_timing(connection, delay_of(network, connection), depths),
                graded=_is_graded(network, connection, analog_input),
            )
            for connection in network.into(name)
        )
        layers.append(_floating_layer(network, name, depths[name], synapses))
    return LavaJob(network, tuple(layers), fixed=False)


def fixed_job(quantized: QuantizedNetwork) -> LavaJob:
    """A quantised network in Lava's fixed point.

    Raises:
        BackendError: Lava cannot run the network.

    """
    network, chip = quantized.network, quantized.format
    check_format(chip)
    depths = _depths(network)
    layers = []
    for layer in quantized.layers:
        synapses = tuple(
            LavaSynapses(
                found.connection,
                mantissa_matrix(network, found),
                exponent=found.exponent,
                mixed=found.mixed,
                **_timing(found.connection, found.late, depths),
                graded=found.graded,
            )
            for found in layer.synapses
        )
        layers.append(_fixed_layer(layer, depths[layer.name], synapses, chip))
    return LavaJob(network, tuple(layers), fixed=True)


def _floating_layer(network: Network, name: str, depth: int, synapses: tuple[LavaSynapses, ...]) -> LavaLayer:
    neuron = network.neurons[name]
    size = neuron.gain.size
    bias = neuron.gain.ravel() * bias_current(network, name).ravel()
    offset = np.zeros(size) if neuron.offset is None else neuron.offset.ravel()
    through_current = neuron.alpha is not None
    return LavaLayer(
        name=name,
        shape=neuron.shape,
        depth=depth,
        kind=_kind(neuron.reset, neuron.spikes),
        reset_delay=neuron.reset_delay,
        constants={
            "du": np.ones(size) if neuron.alpha is None else 1 - neuron.alpha.ravel(),
            "dv": 1 - neuron.beta.ravel(),
            "vth": np.zeros(size) if neuron.threshold is None else neuron.threshold.ravel(),
            "bias": offset if through_current else bias + offset,
            "bias_exponent": np.zeros(size),
        },
        axon=bias if through_current and bias.any() else None,
        axon_exponent=0,
        unit=1.0,
        synapses=synapses,
    )


def check_format(chip: Format) -> None:
    """Lava's integers have one width; what is narrower can be written in it, what is wider cannot.

    Raises:
        BackendError: they are wider, or states wrap at another width.

    """
    if chip.state_bits != LOIHI2.state_bits or chip.decay_bits > LOIHI2.decay_bits:
        raise BackendError(
            f"Lava computes with states of {LOIHI2.state_bits} bits and decays of {LOIHI2.decay_bits}, the chip with"
            f" {chip.state_bits} and {chip.decay_bits}; leave Lava out (`lava=False`, the backend chip, the format nir)"
        )


def _fixed_layer(layer: QuantizedLayer, depth: int, synapses: tuple[LavaSynapses, ...], chip: Format) -> LavaLayer:
    offset, finer = chip.current_decay_offset, LOIHI2.decay_bits - chip.decay_bits
    return LavaLayer(
        name=layer.name,
        shape=layer.shape,
        depth=depth,
        kind=_kind(layer.reset, layer.spikes),
        reset_delay=layer.reset_delay,
        constants={
            "du": ((layer.du.ravel() + offset) << finer) - offset,
            "dv": layer.dv.ravel() << finer,
            "vth": np.zeros(layer.du.size, dtype=np.int64) if layer.vth is None else layer.vth.ravel(),
            "bias": (layer.bias >> layer.bias_exponent).ravel(),
            "bias_exponent": layer.bias_exponent.ravel(),
        },
        axon=None if layer.axon is None else layer.axon.ravel(),
        axon_exponent=layer.axon_exponent,
        unit=layer.scale * (1 << chip.input_shift),
        synapses=synapses,
    )


def _kind(reset: Reset, spikes: bool) -> str:
    if not spikes:
        return "membrane"
    return "subtract" if reset is Reset.SUBTRACT else "lif"


def _depths(network: Network) -> dict[str, int]:
    """How many connections lie before each layer; a layer's connection to itself adds none."""
    depths = {network.input: 0}
    for stage in network.stages:
        layers = [name for name in stage if name in network.neurons]
        if len(layers) > 1:
            raise BackendError(
                f"{' -> '.join([*layers, layers[0]])}: in Lava a loop through {len(layers)} layers takes"
                f" {len(layers)} time steps, in the network it takes one; run the network in torch instead"
            )
        for name in layers:
            depths[name] = 1 + max(depths[source] for source in _other_sources(network, name))
    return depths


def _other_sources(network: Network, name: str) -> Iterator[str]:
    return (connection.source for connection in network.into(name) if connection.source != name)


def _timing(connection: Connection, late: int, depths: dict[str, int]) -> dict[str, int]:
    return {"relays": depths[connection.target] - 1 - depths[connection.source] + late, "late": late}


def _is_graded(network: Network, connection: Connection, analog_input: bool) -> bool:
    if connection.source == network.input:
        return analog_input
    return not network.neurons[connection.source].spikes


def _scaled(weights: Any, gain: NDArray[np.float64]) -> Any:
    return weights if (gain == 1).all() else weights.multiply(gain[:, None]).tocsr()


def _check_neuron(name: str, neuron: Neuron) -> None:
    if not neuron.spikes or not neuron.remembers:
        return
    if neuron.reset is Reset.ZERO_HOLD:
        raise BackendError(
            f"{name}: Lava's LIF integrates in the step after a spike, this layer loses that step's input"
            " (snnTorch's delayed reset to zero); train with reset_delay=False, or run the network in torch instead"
        )
    if neuron.reset is Reset.SUBTRACT_ONCE:
        raise BackendError(
            f"{name}: it subtracts the threshold once for each spike (SpikingJelly's v_reset=None), which neither"
            " Lava's LIF nor our process for it does; train with v_reset=0., or run the network in torch instead"
        )
    if neuron.reset is Reset.NONE:
        raise BackendError(
            f"{name}: Lava's LIF resets the membrane after a spike, this layer never does;"
            " train with reset_mechanism='zero', or run the network in torch instead"
        )
    if neuron.reset_value is not None:
        found = neuron.reset_value[neuron.reset_value != 0].flat[0]
        raise BackendError(
            f"{name}: Lava's LIF resets the membrane to zero, this layer resets it to {found:g};"
            " set v_reset to 0, or run the network in torch instead"
        )
