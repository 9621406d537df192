"""What cores and chips have only so much of, and which of it a network can be held to."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from spear_deploy.hardware.chip.figures import Figure, Flag, Quantity
from spear_deploy.hardware.chip.profile import Profile


@dataclass(frozen=True)
class Resource:
    """Something that a core or a chip has only so much of.

    Attributes:
        name: such as "neurons per core".
        unit: of what is used and allowed.
        key: of the figure that limits it, such as "core.neurons".
        needs: keys of the figures without which its use cannot be counted.
        may_need: the same for what only some chips have: where such a figure is absent there is nothing to count.

    """

    name: str
    unit: str
    key: str
    needs: tuple[str, ...] = ()
    may_need: tuple[str, ...] = ()

    def limit(self, profile: Profile) -> Figure | None:
        """The figure that limits it on a chip; None where nothing does."""
        return _figure(profile, self.key)

    def allowed(self, profile: Profile) -> float | None:
        """How much of it there is, where that is known and its use can be counted."""
        figure = self.limit(profile)
        countable = all(_is_known(profile, key) for key in self.needs) and all(
            _is_known(profile, key) for key in self.may_need if _figure(profile, key) is not None
        )
        return figure.amount if isinstance(figure, Quantity) and figure.known and countable else None


NEURONS = "neurons per core"

SYNAPSE_MEMORY, MEMORY = "synapse memory per core", "memory per core"
IN_AXONS, OUT_AXONS = "input axons per core", "output axons per core"
FAN_IN, DESTINATIONS = "fan-in per neuron", "destination cores per neuron"
THRESHOLDS, DECAYS = "thresholds per core", "decays per core"

OF_A_NEURON = (FAN_IN, DESTINATIONS)
"""What is a neuron's alone, however its layer is cut."""

_SYNAPSES = ("synapses.packing", "synapses.weight_bits")

RESOURCES = (
    Resource(NEURONS, "neurons", "core.neurons"),
    Resource(SYNAPSE_MEMORY, "B", "core.synapse_memory", _SYNAPSES),
    Resource(
        MEMORY,
        "B",
        "core.memory",
        (*_SYNAPSES, "core.state_variable"),
        ("core.in_axon_entry", "core.out_axon_entry"),
    ),
    Resource(IN_AXONS, "axons", "core.in_axons"),
    Resource(OUT_AXONS, "axons", "core.out_axons"),
    Resource(FAN_IN, "synapses", "core.fan_in"),
    Resource(DESTINATIONS, "cores", "core.destination_cores"),
    Resource(THRESHOLDS, "thresholds", "core.thresholds"),
    Resource(DECAYS, "decays", "core.decays"),
)
"""Every resource of a core, in the order of the core table."""

CHIP_RESOURCES = (
    Resource("neurons of the chip", "neurons", "chip.neurons"),
    Resource("synapses of the chip", "synapses", "chip.synapses"),
    Resource("synapse memory of the chips", "B", "chip.synapse_memory", _SYNAPSES),
)
"""What all cores of a chip share."""

FORMATS = (
    *("chip.chips", "chip.router_columns", "chip.router_rows", "chip.cores_per_router"),
    *("core.state_variable", "core.in_axon_entry", "core.out_axon_entry"),
    *("synapses.packing", "synapses.weight_sharing", "synapses.weight_bits"),
    *("neurons.arithmetic", "neurons.state_bits", "neurons.threshold_bits", "neurons.decay_bits", "neurons.bias_bits"),
    *("neurons.refractory", "io.graded_bits"),
)
"""Figures that say how something is built or written down, not how much of it there may be."""

_PRICES = ("time", "energy")

_HINDERING = ("layers.square_kernels", "synapses.sign_by_source")
"""What forbids something where it is so; any other yes or no does where it is not."""

ROUNDING = "rounding of weights"
WEIGHTS_A_NEURON = "different weights per neuron"

_FLOAT_BITS = 32
"""Weights of that width are those that torch computes with."""


def allowed(profile: Profile) -> dict[str, float]:
    """How much of each resource a core has, where that is known and its use can be counted."""
    found = {resource.name: resource.allowed(profile) for resource in RESOURCES}
    return {name: amount for name, amount in found.items() if amount is not None}


def limits(profile: Profile) -> bool:
    """Whether a chip is known to forbid anything: so much of a thing, or a kind of it."""
    return any(
        figure.known and not (isinstance(figure, Flag) and figure.value is not (key in _HINDERING))
        for key, figure in profile.figures().items()
        if key not in FORMATS and key.partition(".")[0] not in _PRICES
    )


def counts_synapses(profile: Profile) -> bool:
    """Whether it is known how synapses lie in memory."""
    return all(_is_known(profile, key) for key in _SYNAPSES)


def unchecked(profile: Profile) -> tuple[str, ...]:
    """What the chip limits by an amount, or in a way, that is not known here: by name, or by its key."""
    named = (*RESOURCES, *CHIP_RESOURCES)
    found = [each.name for each in named if each.limit(profile) is not None and each.allowed(profile) is None]
    cores = profile.chip.cores_per_chip
    if cores is not None and not cores.known and profile.cores_available is None:
        found.append("cores")
    told = {"chip.cores_per_chip", *(resource.key for resource in named), *FORMATS}
    found += [
        key
        for key, figure in profile.figures().items()
        if not figure.known and key not in told and key.partition(".")[0] not in _PRICES
    ]
    return (*found, *_unchecked_weights(profile))


def _unchecked_weights(profile: Profile) -> list[str]:
    """What a chip does to weights and nothing here computes: the network is judged with its own.

    No weight breaks such a limit by itself: weights are given in any unit, and the chip's are the nearest to them.
    Whether the network still works with those, nobody has seen.
    """
    synapses, found = profile.synapses, []
    bits, ends = synapses.weight_bits, synapses.weight_range
    narrow = bits is not None and bits.known and bits.amount < _FLOAT_BITS
    if (narrow or (ends is not None and ends.known)) and not _is_known(profile, "neurons.arithmetic"):
        found.append(ROUNDING)
    if _is_known(profile, "synapses.weights_per_neuron"):
        found.append(WEIGHTS_A_NEURON)
    return found


def share(used: float, allowed: float) -> float:
    """Used over allowed; anything of nothing is infinitely much."""
    return used / allowed if allowed else (inf if used else 0.0)


def _figure(profile: Profile, key: str) -> Figure | None:
    section, name = key.split(".")
    found: Figure | None = getattr(getattr(profile, section), name)
    return found


def _is_known(profile: Profile, key: str) -> bool:
    figure = _figure(profile, key)
    return figure is not None and figure.known
