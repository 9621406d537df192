"""Rounding one layer to integers: the choice of its scale and of the exponents of its matrices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import nir
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from spear_deploy.backends.fixed_point.error_feedback import feedback_mantissas, input_factors
from spear_deploy.backends.fixed_point.formats import Format
from spear_deploy.backends.fixed_point.given import is_given, weights_of_levels
from spear_deploy.backends.fixed_point.loihi import LayerExecution
from spear_deploy.backends.fixed_point.paths import delay_of, weight_of, weighted_path, with_weight
from spear_deploy.backends.fixed_point.quantized import (
    InputLevels,
    IntArray,
    QuantizedLayer,
    QuantizedSynapses,
    Rounding,
)
from spear_deploy.backends.fixed_point.ranges import Range
from spear_deploy.backends.fixed_point.rounding import (
    axon_bias,
    best_exponent,
    best_scale,
    decay,
    largest_exponent,
    lattice_of,
    mantissas,
    membrane_bias,
    needs_sign,
    rounding_of,
)
from spear_deploy.errors import BackendError
from spear_deploy.network import Connection, Network, Neuron, Reset, bias_current

Array = NDArray[np.float64]

HEADROOM = 0.5
"""Share of a range that the values seen on samples may fill: unseen ones are larger."""

TOO_MANY_VANISHED = 0.05
"""Share of weights that may become zero before clipping the largest is tried. Weights of a
normal distribution lose about 0.01 of their number at 8 bits."""

ON_THE_LATTICE = 1e-5
"""Rounding error, relative to the largest weight, up to which weights already stand where the chip holds them."""

TOO_FAR_IN_COUNT = 0.005
"""Change of a layer's spike count above which other scales are tried, relative."""

FEW_SAMPLES = 16
"""Calibration samples on which all scales are compared; the last few are on all samples."""

OCTAVE = tuple(2.0 ** -(step / 6) for step in range(6))
CLIPPED_OCTAVES = (0, 1, 2, 3)
"""Scales within an octave, and octaves by which the largest weights may be clipped."""

BEST = 5
"""Scales that are compared on all samples, with and without error feedback."""


_NOT_COUNTED = Rounding(worst=0.0, mean=0.0, clipped=0, vanished=0, weights=0)


@dataclass(frozen=True)
class _Point:
    """A scale, and an exponent for each connection."""

    scale: float
    exponents: tuple[int, ...]


@dataclass(frozen=True)
class _Weights:
    """A connection before rounding: its nodes, the place of the weights, and what k multiplies."""

    connection: Connection
    nodes: tuple[nir.NIRNode, ...]
    place: int
    values: Array
    graded: bool


class LayerQuantiser:
    """Chooses the scale and the exponents of one layer, and rounds it."""

    def __init__(
        self, network: Network, name: str, chip: Format, weight_bits: int, levels: InputLevels | None, seen: Range
    ) -> None:
        self.network, self.name, self.full_width = network, name, chip
        self.chip = replace(chip, weight_bits=weight_bits)
        self.neuron = network.neurons[name]
        self.weights = [_weights(network, connection, levels) for connection in network.into(name)]
        bias = self.neuron.gain * bias_current(network, name)
        offset = np.zeros(self.neuron.shape) if self.neuron.offset is None else self.neuron.offset
        through_current = self.neuron.alpha is not None
        self.axon = bias if through_current and bias.any() else None
        self.bias = offset if through_current else bias + offset
        self.limit = _largest_scale(self.neuron, chip, seen, self.bias)

    def best(self, clips: tuple[float, ...], spikes: dict[str, Tensor]) -> QuantizedLayer:
        """The layer of least weight error, or of the nearest spikes where weights vanish.

        Integers of a chip that the network was given in stay as they are, where this chip holds them.
        """
        given = self._as_given()
        if given is not None:
            return given
        scale = best_scale([found.values for found in self.weights], self.limit, self.chip, clips)
        layer = self.rounded(scale, [best_exponent(found.values, scale, self.chip) for found in self.weights])
        vanished = max(found.rounding.vanished / max(found.rounding.weights, 1) for found in layer.synapses)
        if not spikes or all(found.rounding.worst < ON_THE_LATTICE for found in layer.synapses):
            return layer  # a network that was trained while rounding loses nothing
        if vanished > TOO_MANY_VANISHED:
            return self._nearest_in_spikes(layer, spikes, CLIPPED_OCTAVES)
        if self._fires_otherwise(layer, spikes):
            return self._nearest_in_spikes(layer, spikes, (0,))
        return layer

    def _as_given(self) -> QuantizedLayer | None:
        """The layer at a scale of 1, if its numbers are a chip's integers already and this chip holds them all."""
        if not is_given(self.network, graded=any(found.graded for found in self.weights)):
            return None
        threshold = self.neuron.threshold
        if threshold is None or self.axon is not None or float(threshold.max()) > self.chip.threshold_max:
            return None
        layer = self.rounded(1.0, [0] * len(self.weights))
        same = (
            all(not found.rounding.worst and not found.rounding.clipped for found in layer.synapses)
            and layer.vth is not None
            and np.array_equal(layer.vth, threshold)
            and np.array_equal(layer.bias, self.bias * (1 << self.chip.input_shift))
        )
        return layer if same else None

    def rounded(
        self,
        scale: float,
        exponents: Sequence[int],
        held: Sequence[IntArray | None] | None = None,
        *,
        losses: bool = True,
    ) -> QuantizedLayer:
        """The layer at a scale, each connection at its exponent.

        Args:
            scale: k.
            exponents: one a connection.
            held: mantissas of each connection; None for the nearest ones.
            losses: whether what rounding lost is counted.

        """
        neuron, chip = self.neuron, self.chip
        bias, bias_exponent = membrane_bias(self.bias * scale * (1 << chip.input_shift), chip)
        axon, axon_exponent = (None, 0) if self.axon is None else axon_bias(self.axon * scale, self.full_width)
        threshold = neuron.threshold
        return QuantizedLayer(
            name=self.name,
            shape=neuron.shape,
            scale=scale,
            du=decay(neuron.alpha, neuron.shape, chip, offset=chip.current_decay_offset),
            dv=decay(neuron.beta, neuron.shape, chip, offset=0),
            vth=None if threshold is None else np.rint(threshold * scale).astype(np.int64),
            reset=neuron.reset,
            reset_delay=neuron.reset_delay,
            bias=bias,
            bias_exponent=bias_exponent,
            axon=axon,
            axon_exponent=axon_exponent,
            synapses=tuple(
                _synapses(self.network, found, scale, exponent, chip, given, losses)
                for found, exponent, given in zip(
                    self.weights, exponents, held or [None] * len(self.weights), strict=True
                )
            ),
        )

    def _nearest_in_spikes(
        self, start: QuantizedLayer, spikes: dict[str, Tensor], clipped_octaves: tuple[int, ...]
    ) -> QuantizedLayer:
        """Try other scales, clip ever more of all matrices, then of each by itself; keep what fires most alike."""
        few = {name: spread(output, FEW_SAMPLES) for name, output in spikes.items()}
        at_start = _Point(start.scale, tuple(found.exponent for found in start.synapses))
        tried: dict[_Point, float] = {}

        def try_out(scale: float, exponents: Sequence[int]) -> None:
            point = _Point(scale, tuple(exponents))
            if point not in tried:
                tried[point] = self._mismatch(self.rounded(scale, exponents, losses=False), few, free=True)

        try_out(at_start.scale, at_start.exponents)
        lowest, highest = self.chip.weight_exponent_min, self.chip.weight_exponent_max
        for part in OCTAVE:
            scale = start.scale * part if start.scale * part * 2 > self.limit else start.scale * part * 2
            unclipped = [largest_exponent(found.values * scale, self.chip) for found in self.weights]
            for octaves in clipped_octaves:
                # Where no smaller exponent is left, the same is clipped by a larger scale.
                short = max([0, *(lowest - exponent + octaves for exponent in unclipped)])
                short = short if scale * 2.0**short <= self.limit else 0
                exponents = [min(max(exponent - octaves + short, lowest), highest) for exponent in unclipped]
                try_out(scale * 2.0**short, exponents)
        for index in range(len(self.weights) if len(self.weights) > 1 and any(clipped_octaves) else 0):
            for change in (-2, -1, 1, 2):
                best = min(tried, key=lambda point: tried[point])
                changed = list(best.exponents)
                changed[index] = min(max(changed[index] + change, lowest), highest)
                try_out(best.scale, changed)
        ranked = [at_start, *sorted(tried, key=lambda point: tried[point])[:BEST]]
        factors = [self._factors(found, spikes) for found in self.weights]
        options = [(point, None) for point in dict.fromkeys(ranked)]
        fed_back = [(point, self._fed_back(point, factors)) for point in ranked[1:]]
        point, held = min([*options, *fed_back], key=lambda option: self._mismatch_at(option[0], option[1], spikes))
        return self.rounded(point.scale, point.exponents, held)

    def _mismatch_at(self, point: _Point, held: Sequence[IntArray | None] | None, spikes: dict[str, Tensor]) -> float:
        layer = self.rounded(point.scale, point.exponents, held, losses=False)
        return self._mismatch(layer, spikes, free=True)

    def _fed_back(self, point: _Point, factors: Sequence[list[Array] | None]) -> list[IntArray | None]:
        """Mantissas that make up for each other's errors, of each connection whose kind allows it."""
        return [
            None
            if known is None
            else feedback_mantissas(found.values * point.scale, exponent, lattice_of(found.values, self.chip), known)
            for found, exponent, known in zip(self.weights, point.exponents, factors, strict=True)
        ]

    def _factors(self, found: _Weights, spikes: dict[str, Tensor]) -> list[Array] | None:
        source = spikes[found.connection.source]
        return input_factors(found.nodes[: found.place], found.nodes[found.place], source)

    def _fires_otherwise(self, layer: QuantizedLayer, spikes: dict[str, Tensor]) -> bool:
        """Whether the number of spikes is farther from the float network's than it may be, and than chance is."""
        if not layer.spikes:
            return False
        wanted = float(spikes[self.name].sum())
        found = float(LayerExecution(layer, self.chip).respond(spikes, free=True).sum())
        return abs(found - wanted) > max(TOO_FAR_IN_COUNT * wanted, math.sqrt(wanted) / 2)

    def _mismatch(self, layer: QuantizedLayer, spikes: dict[str, Tensor], *, free: bool = False) -> float:
        """How far the layer's outputs are from the float network's, its sources being those.

        A layer that hears itself may run freely: its own spikes then come back to it, and since they
        soon fall in other places, the rates of its neurons in each sample are compared.
        """
        execution = LayerExecution(layer, self.chip)
        free = free and bool(execution.synapses_from([self.name]))
        wanted, found = spikes[self.name], execution.respond(spikes, free=free)
        if not layer.spikes:
            return float((found / execution.unit - wanted).abs().mean())
        events = max(float(wanted.sum()), 1.0)
        if free:
            return float((found.sum(0) - wanted.sum(0)).abs().sum()) / events
        return float((found != wanted).sum()) / events + abs(float(found.sum()) - float(wanted.sum())) / events


def spread(values: Tensor, count: int) -> Tensor:
    """At most so many samples of `[T, B, ...]`, from first to last: those that are alike often stand together."""
    return values[:, :: -(-values.shape[1] // count)]


def _synapses(
    network: Network, found: _Weights, scale: float, exponent: int, chip: Format, held: IntArray | None, losses: bool
) -> QuantizedSynapses:
    if held is None:
        held = mantissas(found.values * scale, exponent, lattice_of(found.values, chip))
    nodes = list(found.nodes)
    nodes[found.place] = with_weight(nodes[found.place], held.astype(np.float64))
    return QuantizedSynapses(
        connection=found.connection,
        nodes=tuple(nodes),
        exponent=exponent,
        mixed=needs_sign(found.values, chip),
        late=delay_of(network, found.connection),
        graded=found.graded,
        rounding=rounding_of(found.values, held, exponent, scale, chip) if losses else _NOT_COUNTED,
        weight_bits=chip.weight_bits,
    )


def _weights(network: Network, connection: Connection, levels: InputLevels | None) -> _Weights:
    if connection.source != network.input and not network.neurons[connection.source].spikes:
        raise BackendError(
            f"{connection.source} -> {connection.target}: a layer without threshold that feeds another is not"
            " run in fixed point; give it a threshold, or run the network in torch instead"
        )
    nodes, place = weighted_path(network, connection)
    values = weight_of(nodes[place])
    graded = connection.source == network.input and levels is not None
    if graded and levels is not None:
        values = weights_of_levels(network, values, levels)
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
