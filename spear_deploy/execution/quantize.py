"""From a network in floating point to one in Loihi's integers.

One scale k a layer serves the threshold, the biases and all matrices that lead into it, each
with an exponent of its own, because only their ratio matters to a neuron that resets to zero.
Layers that are joined by spikes are scaled independently. Decays are only rounded.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import nir
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spear_deploy.errors import BackendError
from spear_deploy.execution.formats import LOIHI2, Format, Lattice
from spear_deploy.execution.paths import delay_of, weight_of, weighted_path, with_weight
from spear_deploy.execution.quantized import (
    IntArray,
    QuantizedLayer,
    QuantizedNetwork,
    QuantizedSynapses,
    Rounding,
)
from spear_deploy.execution.ranges import Range, bounded_ranges, seen_ranges
from spear_deploy.network import Connection, Encoding, Model, Network, Neuron, Reset, bias_current

Array = NDArray[np.float64]

HEADROOM = 0.5
"""Share of a range that the values seen on samples may fill: unseen ones are larger."""

CLIPS = np.linspace(0.80, 1.15, 36)
"""Where the largest weight may lie relative to the largest mantissa; above 1 it is clipped."""

EXACT = 1e-9
"""How close to integers scaled inputs must lie to count as integers."""


@dataclass(frozen=True)
class _Weights:
    """A connection before rounding: nodes, the place of the weights, and what k must be times."""

    connection: Connection
    nodes: tuple[nir.NIRNode, ...]
    place: int
    values: Array
    graded: bool


def quantize(
    model: Model,
    chip: Format = LOIHI2,
    *,
    calibration: Tensor | None = None,
    weight_bits: dict[str, int] | None = None,
    clips: Iterable[float] = CLIPS,
) -> QuantizedNetwork:
    """Round a network to a chip's integers.

    Args:
        model: the network.
        chip: the number formats.
        calibration: samples `[T, B, *input_shape]` that show how large currents become. Without
            them every layer is scaled so that no input at all (up to 1) makes it overflow,
            which can waste resolution.
        weight_bits: bits of the weights into single layers, by name.
        clips: the positions of the largest weight that are tried.

    Raises:
        BackendError: the chip cannot run the network; names the layer, the rule and the way out.

    """
    network = model.network
    for name, neuron in network.neurons.items():
        _check_neuron(name, neuron, chip)
    levels = _input_levels(model, chip, calibration)
    ranges = bounded_ranges(network, 1.0) if calibration is None else seen_ranges(network, calibration)
    layers = []
    for name in network.layers:
        bits = (weight_bits or {}).get(name, chip.weight_bits)
        layers.append(_layer(network, name, replace(chip, weight_bits=bits), levels, ranges[name], tuple(clips)))
    return QuantizedNetwork(network, chip, tuple(layers), levels)


def input_integers(quantized: QuantizedNetwork, inputs: Tensor) -> Tensor:
    """The inputs as the chip receives them: spikes, or integers (both as float32).

    Raises:
        BackendError: the network was quantised for spikes, and the input holds other values; or
            the values do not fit into a graded spike.

    """
    if quantized.levels is None:
        spikes = inputs.float()
        values = spikes.numpy()
        if ((values == 0) | (values == 1)).all():
            return spikes
        raise BackendError(
            f"{quantized.network.input}: the network was quantised for an input of spikes (0 or 1), and this input"
            " holds other values; quantise it with samples of this kind"
        )
    integers = (inputs.double() * quantized.levels).round().float()
    most = (1 << quantized.format.graded_bits) - 1
    found = float(integers.abs().max())
    if found > most:
        raise BackendError(
            f"{quantized.network.input}: an input becomes {found:.0f}, a graded spike carries at most {most};"
            " quantise the network with samples that reach this far"
        )
    return integers


def _input_levels(model: Model, chip: Format, calibration: Tensor | None) -> float | None:
    """How many steps an input of 1 has; None where inputs are spikes.

    The most levels that make all samples integers are taken, or as many as fit.
    """
    if calibration is None:
        binary = model.encoding is not Encoding.DIRECT
    else:
        binary = bool(((calibration == 0) | (calibration == 1)).all())
    if binary:
        return None
    if chip.graded_bits == 0:
        raise BackendError(
            f"{model.network.input}: the input holds values, and the chip's spikes carry none;"
            " use encoding 'rate' or 'spikes', or run the first layer on the host"
        )
    if calibration is None:
        return float((1 << chip.graded_bits) - 1)
    values = torch.from_numpy(np.unique(calibration.numpy())).double()
    signed = bool((values < 0).any())
    most = (1 << (chip.graded_bits - int(signed))) - 1
    largest = float(values.abs().max())
    for levels in range(math.floor(most / largest), 0, -1):
        scaled = values * levels
        if bool(((scaled - scaled.round()).abs() < EXACT * levels).all()):
            return float(levels)
    return most / largest


def _layer(
    network: Network,
    name: str,
    chip: Format,
    levels: float | None,
    seen: Range,
    clips: tuple[float, ...],
) -> QuantizedLayer:
    neuron = network.neurons[name]
    weights = [_weights(network, connection, levels) for connection in network.into(name)]
    bias = neuron.gain * bias_current(network, name)
    offset = np.zeros(neuron.shape) if neuron.offset is None else neuron.offset
    behind_current = neuron.alpha is not None and bool(bias.any())
    in_membrane = offset if neuron.alpha is not None else bias + offset
    matrices = [found.values for found in weights]
    limit = _largest_scale(neuron, chip, seen, in_membrane)
    scale = _best_scale(matrices, limit, chip, clips)
    synapses = tuple(_rounded(network, found, scale, chip) for found in weights)
    bias_fixed, exponents = _bias(in_membrane * scale * (1 << chip.input_shift), chip)
    axon, axon_exponent = None, 0
    if behind_current:
        axon, axon_exponent = _axon(bias * scale, chip)
    threshold = neuron.threshold
    return QuantizedLayer(
        name=name,
        shape=neuron.shape,
        scale=scale,
        du=_decay(neuron.alpha, neuron.shape, chip, offset=chip.current_decay_offset),
        dv=_decay(neuron.beta, neuron.shape, chip, offset=0),
        vth=None if threshold is None else np.rint(threshold * scale).astype(np.int64),
        bias=bias_fixed,
        bias_exponent=exponents,
        axon=axon,
        axon_exponent=axon_exponent,
        reset=neuron.reset,
        reset_delay=neuron.reset_delay,
        synapses=synapses,
    )


def _weights(network: Network, connection: Connection, levels: float | None) -> _Weights:
    if connection.source != network.input and not network.neurons[connection.source].spikes:
        raise BackendError(
            f"{connection.source} -> {connection.target}: a layer without threshold that feeds another is not"
            " run in fixed point; give it a threshold, or run the network in torch instead"
        )
    nodes, place = weighted_path(network, connection)
    values = weight_of(nodes[place])
    graded = connection.source == network.input and levels is not None
    if graded and levels is not None:
        values = values / levels
    return _Weights(connection, nodes, place, values, graded)


def _largest_scale(neuron: Neuron, chip: Format, seen: Range, bias: Array) -> float:
    """The largest k at which nothing overflows."""
    share = HEADROOM if seen.seen else 1.0
    state = 1 << chip.input_shift
    limits = [
        share * chip.input_max / max(seen.input, 1e-30),
        share * (chip.state_limit - 1) / (state * max(seen.current, 1e-30)),
        chip.bias_max / (state * max(float(np.abs(bias).max()), 1e-30)),
    ]
    if neuron.threshold is not None:
        limits.append((chip.threshold_max + 0.5) / float(neuron.threshold.max()) * (1 - 1e-9))
    if neuron.threshold is None or neuron.reset is not Reset.ZERO:
        limits.append(share * (chip.state_limit - 1) / (state * max(seen.membrane, 1e-30)))
    return min(limits)


def _best_scale(matrices: list[Array], limit: float, chip: Format, clips: tuple[float, ...]) -> float:
    """Of the scales that place the largest weight near the largest mantissa, the one of least error."""
    largest = [float(np.abs(matrix).max()) for matrix in matrices if matrix.any()]
    if not largest:
        return 2.0 ** math.floor(math.log2(limit))
    candidates = {}
    for matrix in matrices:
        if not matrix.any():
            continue
        top = chip.lattice(mixed=_mixed(matrix)).high
        for clip in clips:
            scale = clip * top / float(np.abs(matrix).max())
            shift = math.floor(math.log2(limit / scale))
            candidates[scale * 2.0**shift] = clip
    highest = min(
        2.0**chip.weight_exponent_max * chip.lattice(mixed=_mixed(matrix)).high / float(np.abs(matrix).max())
        for matrix in matrices
        if matrix.any()
    )
    scales = [scale if scale <= 1.2 * highest else highest for scale in candidates]
    return min(scales, key=lambda scale: (_error(matrices, scale, chip), -scale))


def _error(matrices: list[Array], scale: float, chip: Format) -> float:
    """Squared error of all weights, each matrix relative to its own size."""
    total = 0.0
    for matrix in matrices:
        if not matrix.any():
            continue
        lattice = chip.lattice(mixed=_mixed(matrix))
        exponent = _best_exponent(matrix, scale, chip, lattice)
        back = _mantissas(matrix * scale, exponent, lattice) * 2.0**exponent / scale
        total += float(((matrix - back) ** 2).sum() / (matrix**2).sum())
    return total


def _best_exponent(matrix: Array, scale: float, chip: Format, lattice: Lattice) -> int:
    """The exponent that clips nothing, or the one below it when clipping loses less."""
    exponent = _exponent(scale * float(np.abs(matrix).max()), chip, lattice)
    if exponent <= chip.weight_exponent_min:
        return exponent

    def loss(candidate: int) -> float:
        back = _mantissas(matrix * scale, candidate, lattice) * 2.0**candidate
        return float(((matrix * scale - back) ** 2).sum())

    return min((exponent, exponent - 1), key=loss)


def _exponent(largest: float, chip: Format, lattice: Lattice) -> int:
    """The smallest exponent at which `largest` is no larger than the largest mantissa."""
    if largest == 0:
        return 0
    exponent = math.ceil(math.log2(largest / lattice.high) - 1e-12)
    return min(max(exponent, chip.weight_exponent_min), chip.weight_exponent_max)


def _mantissas(scaled: Array, exponent: int, lattice: Lattice) -> IntArray:
    rounded = np.rint(scaled / (2.0**exponent * lattice.step)) * lattice.step
    mantissas: IntArray = np.clip(rounded, lattice.low, lattice.high).astype(np.int64)
    return mantissas


def _mixed(matrix: Array) -> bool:
    return bool((matrix > 0).any() and (matrix < 0).any())


def _rounded(network: Network, found: _Weights, scale: float, chip: Format) -> QuantizedSynapses:
    lattice = chip.lattice(mixed=_mixed(found.values))
    exponent = _best_exponent(found.values, scale, chip, lattice)
    mantissas = _mantissas(found.values * scale, exponent, lattice)
    nodes = list(found.nodes)
    nodes[found.place] = with_weight(nodes[found.place], mantissas.astype(np.float64))
    return QuantizedSynapses(
        connection=found.connection,
        nodes=tuple(nodes),
        exponent=exponent,
        mixed=_mixed(found.values),
        late=delay_of(network, found.connection),
        graded=found.graded,
        rounding=_rounding(found.values, mantissas * 2.0**exponent / scale, lattice, exponent, scale),
    )


def _rounding(
    values: Array, back: NDArray[np.floating[Any]], lattice: Lattice, exponent: int, scale: float
) -> Rounding:
    largest = float(np.abs(values).max()) or 1.0
    error = np.abs(values - back)
    held = values != 0
    edge = (lattice.high + lattice.step / 2) * 2.0**exponent / scale
    return Rounding(
        worst=float(error.max()) / largest,
        mean=float(error[held].mean()) / largest if held.any() else 0.0,
        clipped=int((np.abs(values) > edge).sum()),
        vanished=int((held & (back == 0)).sum()),
    )


def _bias(scaled: Array, chip: Format) -> tuple[IntArray, IntArray]:
    """Biases as mantissa * 2^exponent with the smallest exponent that holds each."""
    whole = np.rint(scaled)
    exponents = np.zeros(whole.shape, dtype=np.int64)
    for exponent in range(1, chip.bias_exponent_max + 1):
        exponents[np.abs(np.rint(scaled / 2.0 ** (exponent - 1))) > chip.bias_mantissa_max] = exponent
    mantissas = np.clip(np.rint(scaled / 2.0**exponents), -chip.bias_mantissa_max, chip.bias_mantissa_max)
    return (mantissas * 2.0**exponents).astype(np.int64), exponents


def _axon(scaled: Array, chip: Format) -> tuple[IntArray, int]:
    """Biases as weights of an axon that is always on, where possible rounded to the nearest input."""
    lattice = replace(chip, weight_bits=8).lattice(mixed=_mixed(scaled))
    finest = -int(math.log2(lattice.step))  # shifts whole multiples of the step, so that nothing is floored
    exponent = max(_exponent(float(np.abs(scaled).max()), chip, lattice), finest)
    return _mantissas(scaled, exponent, lattice), exponent


def _decay(keep: Array | None, shape: tuple[int, ...], chip: Format, *, offset: int) -> IntArray:
    """D of a state that keeps the share `keep` of its value each step; None keeps nothing."""
    most = chip.unity - 1
    if keep is None:
        return np.full(shape, most, dtype=np.int64)
    decays: IntArray = np.clip(np.rint((1 - keep) * chip.unity) - offset, 0, most).astype(np.int64)
    return decays


def _check_neuron(name: str, neuron: Neuron, chip: Format) -> None:
    finest = 1 / chip.unity
    for what, keep in (("synaptic current", neuron.alpha), ("membrane", neuron.beta)):
        if keep is None:
            continue
        slow = (keep < 1) & (1 - keep < finest / 2)
        if slow.any():
            raise BackendError(
                f"{name}: the {what} loses {1 - keep[slow].max():.3g} of its value in a step, the chip's finest decay"
                f" is 1/{chip.unity}; use a longer time step or no leak at all"
            )
    if not neuron.spikes:
        return
    memoryless = neuron.alpha is None and not neuron.beta.any()
    if neuron.reset is Reset.SUBTRACT and not chip.subtract:
        raise BackendError(
            f"{name}: the chip resets the membrane to zero, this layer subtracts the threshold;"
            " train with reset_mechanism='zero', or choose a chip with programmable neurons"
        )
    if (neuron.reset is Reset.NONE or neuron.reset_value is not None) and not memoryless:
        raise BackendError(
            f"{name}: the chip resets the membrane to zero, this layer"
            f" {'never resets it' if neuron.reset is Reset.NONE else 'resets it to another value'};"
            " train with reset_mechanism='zero'"
        )
