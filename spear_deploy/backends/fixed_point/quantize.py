"""From a network in floating point to one in Loihi's integers.

One scale k a layer serves the threshold, the biases and all matrices that lead into it, each
with an exponent of its own, because only their ratio matters to a neuron that resets to zero.
Layers that are joined by spikes are scaled independently. Decays are only rounded.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from spear_deploy.backends.fixed_point.formats import LOIHI2, Format
from spear_deploy.backends.fixed_point.given import given_levels
from spear_deploy.backends.fixed_point.layer_quantiser import LayerQuantiser
from spear_deploy.backends.fixed_point.neuron_rules import check_neuron, check_pools
from spear_deploy.backends.fixed_point.quantized import InputLevels, QuantizedNetwork, to_integers
from spear_deploy.backends.fixed_point.ranges import Range, SeenRanges, bounded_ranges
from spear_deploy.errors import BackendError
from spear_deploy.network import Encoding, Model, Network, Simulation
from spear_deploy.network.batching import batches, samples_at_once

CLIPS = tuple(np.linspace(0.80, 1.15, 36).tolist())
"""Where the largest weight may lie relative to the largest mantissa; above 1 it is clipped."""

EXACT = 1e-9
"""How close to integers scaled inputs must lie to count as integers."""

COUNT_HEADROOM = 4
"""How many times the largest count of the samples a spike still carries.

Counts stay integers whatever their levels are: on digits as Poisson counts (up to 9 and up to 23 events a step), a
quarter of the most levels that fit leaves the accuracy as it is.
"""

SEARCH_SAMPLES = 64
"""Calibration samples on which scales are compared by their spikes."""


def quantize(
    model: Model,
    chip: Format = LOIHI2,
    *,
    calibration: Tensor | None = None,
    weight_bits: dict[str, int] | None = None,
    clips: Iterable[float] = CLIPS,
) -> QuantizedNetwork:
    """Round a network to a chip's integers.

    The scale of a layer is the one at which rounding its weights loses least. Where that makes
    many weights vanish beside a few large ones, and samples are given, clipping the large ones
    is tried, and the scale is taken whose spikes are nearest to those of the float network.

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
    check_pools(network)
    for name, neuron in network.neurons.items():
        check_neuron(name, neuron, chip)
    levels = input_levels(model, chip, calibration)
    ranges, spikes = (bounded_ranges(network, 1.0), {}) if calibration is None else _seen(network, calibration, levels)
    layers = []
    for name in network.layers:
        bits = (weight_bits or {}).get(name, chip.weight_bits)
        quantiser = LayerQuantiser(network, name, chip, bits, levels, ranges[name])
        layers.append(quantiser.best(tuple(clips), spikes))
    return QuantizedNetwork(network, chip, tuple(layers), levels)


def _seen(network: Network, inputs: Tensor, levels: InputLevels | None) -> tuple[dict[str, Range], dict[str, Tensor]]:
    """What layers do in floating point, in one pass: their ranges, and on some samples all that they send.

    Spikes are uint8; the input is as the chip receives it.
    """
    steps, count = inputs.shape[:2]
    simulation, ranges = Simulation(network.graph), SeenRanges(network, steps)
    parts: dict[str, list[Tensor]] = {name: [] for name in (network.input, *network.layers)}
    step = -(-count // SEARCH_SAMPLES)
    with torch.no_grad():
        for part in batches(count, samples_at_once(network, steps)):
            outputs = simulation(inputs[:, part], heard=ranges.hear).outputs
            kept = slice(-part.start % step, None, step)
            parts[network.input].append(to_integers(inputs[:, part][:, kept], levels))
            for name, output in outputs.items():
                sent = output[:, kept]
                parts[name].append(sent.to(torch.uint8) if network.neurons[name].spikes else sent.clone())
    return ranges.found, {name: torch.cat(found, dim=1) for name, found in parts.items()}


def input_levels(model: Model, chip: Format, calibration: Tensor | None) -> InputLevels | None:
    """What inputs become; None where they are spikes.

    The most levels that make all samples integers are taken, or as many as fit; of event counts so many that larger
    ones than the samples show have room. A network that was given in a chip's integers keeps what its file says.
    """
    given = given_levels(model.network, chip)
    if given is not None:
        return given
    shown = None if calibration is None else calibration[:1] if calibration.stride(0) == 0 else calibration
    binary = not model.encoding.analog if shown is None else bool(((shown == 0) | (shown == 1)).all())
    if binary:
        return None
    if chip.graded_bits == 0:
        held, mend = "values", "use encoding 'rate' or 'spikes', or let the first layer run on the host"
        if model.encoding == Encoding.COUNTS:
            held, mend = "event counts", "let them be clipped to 1, as encoding 'clipped' does"
        raise BackendError(
            f"{model.network.input}: the input holds {held}, and the chip's spikes carry none; {mend}: `adapt=True`"
        )
    values = torch.ones(1) if shown is None else torch.from_numpy(np.unique(shown.numpy())).double()
    least, most = chip.graded_range(signed=bool((values < 0).any()))
    return InputLevels(_of_one(model, values, most), least, most)


def _of_one(model: Model, values: Tensor, most: int) -> float:
    largest = float(values.abs().max())
    if model.encoding == Encoding.COUNTS and largest <= most:
        return float(max(most // (COUNT_HEADROOM * largest), 1))
    for levels in range(math.floor(most / largest), 0, -1):
        scaled = values * levels
        if bool(((scaled - scaled.round()).abs() < EXACT * levels).all()):
            return float(levels)
    return most / largest
