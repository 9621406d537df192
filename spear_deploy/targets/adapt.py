"""What a chip forbids, turned into the nearest that it has."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from spear_deploy.backends.fixed_point.chip_format import format_of
from spear_deploy.backends.fixed_point.formats import Format
from spear_deploy.backends.fixed_point.rounding import too_slow
from spear_deploy.hardware import Profile
from spear_deploy.hardware.rules.layer_rules import compares_currents
from spear_deploy.network import Encoding, Model, Neuron, Reset, node_of
from spear_deploy.network.editing import with_nodes
from spear_deploy.targets.adapt_pools import without_maxima

CALIBRATION_SAMPLES = 64
"""Training samples on which conversions are chosen, where there are any."""


@dataclass(frozen=True)
class Adaptation:
    """One conversion.

    Attributes:
        layer: the neuron layer, or the input.
        rule: what of the chip asked for it: decay, reset, largest current, graded input or analog input.
        before: as the network had it.
        after: as it is now.

    """

    layer: str
    rule: str
    before: str
    after: str


@dataclass(frozen=True)
class Adapted:
    """A model that a chip allows, and how it came to that.

    Attributes:
        model: the model.
        changes: the conversions, in the order of the layers.
        host_first: whether its first layer runs on the host, because the chip takes spikes only.

    """

    model: Model
    changes: tuple[Adaptation, ...]
    host_first: bool


def adapt(model: Model, profile: Profile, calibration: Tensor | None = None) -> Adapted:
    """Convert what a chip forbids, and only that.

    A decay finer than the chip's finest becomes the nearest it has. A reset that the chip lacks
    becomes the reset to zero. A layer that sees values, on a chip that takes spikes only, goes to
    the host. A pool that takes the largest current moves behind the neuron, or becomes a sum. A chip whose
    arithmetic is not known has no finest decay, and no conversion for it.

    Args:
        model: the network.
        profile: the chip.
        calibration: samples `[T, B, *input_shape]` on which the nearest of several conversions is found.

    Raises:
        ProfileError: the profile's arithmetic is not known or cannot be computed.

    """
    chip = format_of(profile)
    changes: list[Adaptation] = []
    if not compares_currents(profile):
        model, pools = without_maxima(model, calibration)
        changes = [Adaptation(each.layer, "largest current", "the largest of currents", each.after) for each in pools]
    pooled = len(changes)
    nodes = dict(model.graph.nodes)
    for name in model.network.layers:
        neuron = model.network.neurons[name]
        adapted, found = _decays(name, neuron, chip)
        adapted, more = _reset(name, adapted, profile, chip)
        if found or more:
            nodes[name] = node_of(adapted)
            changes += [*found, *more]
    spikes_only = chip is not None and not chip.graded_bits
    if spikes_only and model.encoding == Encoding.COUNTS:
        model = replace(model, encoding=Encoding.CLIPPED)
        changes.insert(
            0, Adaptation(model.network.input, "graded input", "event counts", "events, counts clipped to 1")
        )
        pooled += 1
    host_first = spikes_only and model.encoding.analog
    if host_first:
        first = next(each.target for each in model.network.connections if each.source == model.network.input)
        changes.insert(0, Adaptation(first, "analog input", "on the chip", "on the host in float64"))
    if len(changes) > pooled + int(host_first):
        graph = with_nodes(model.graph, nodes)
        model = model.with_graph(graph)
    return Adapted(model, tuple(changes), host_first)


def _decays(name: str, neuron: Neuron, chip: Format | None) -> tuple[Neuron, list[Adaptation]]:
    if chip is None:
        return neuron, []
    changes = []
    finest = {"beta": 0.0, "alpha": chip.current_decay_offset / chip.unity}
    for key, loss in finest.items():
        keep = getattr(neuron, key)
        if keep is None or not too_slow(keep, chip).any():
            continue
        slow = too_slow(keep, chip)
        what = "membrane" if key == "beta" else "current"
        after = f"{what} loses {loss:.3g} a step" if loss else f"{what} does not leak"
        changes.append(Adaptation(name, "decay", f"{what} loses {1 - keep[slow].min():.3g} a step", after))
        converted = np.where(slow, 1 - loss, keep)
        neuron = replace(neuron, beta=converted) if key == "beta" else replace(neuron, alpha=converted)
    return neuron, changes


def _reset(name: str, neuron: Neuron, profile: Profile, chip: Format | None) -> tuple[Neuron, list[Adaptation]]:
    if not neuron.spikes:
        return neuron, []
    figure = profile.neurons.resets
    allowed = None if figure is None else figure.value
    if allowed is not None and str(Reset.ZERO) not in allowed:
        return neuron, []
    remembers = neuron.remembers
    elsewhere = remembers and neuron.reset_value is not None
    missing = allowed is not None and neuron.reset is not Reset.NONE and str(neuron.reset) not in allowed
    if chip is not None:
        missing |= neuron.reset is Reset.SUBTRACT_ONCE
        missing |= elsewhere or neuron.reset is Reset.ZERO_HOLD or (neuron.reset is Reset.NONE and remembers)
    if not missing:
        return neuron, []
    before = f"reset {neuron.reset}".replace("_", " ") + (", to another value than zero" if elsewhere else "")
    subtracts = allowed is not None and str(Reset.SUBTRACT) in allowed and (chip is None or chip.subtract)
    nearest = Reset.SUBTRACT if neuron.reset is Reset.SUBTRACT_ONCE and subtracts else Reset.ZERO
    changed = replace(neuron, reset=nearest, reset_delay=False, reset_value=None)
    return changed, [Adaptation(name, "reset", before, f"reset {nearest}")]
