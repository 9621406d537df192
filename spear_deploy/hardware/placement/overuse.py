"""What to say where a resource does not suffice: by how much, and how to mend it."""

from __future__ import annotations

from collections.abc import Mapping

from spear_deploy.hardware.amounts import both_texts, keep_text
from spear_deploy.hardware.chip.profile import Profile
from spear_deploy.hardware.placement.limits import (
    CHIP_RESOURCES,
    DECAYS,
    DESTINATIONS,
    FAN_IN,
    IN_AXONS,
    MEMORY,
    NEURONS,
    OF_A_NEURON,
    OUT_AXONS,
    RESOURCES,
    SYNAPSE_MEMORY,
    THRESHOLDS,
)
from spear_deploy.hardware.placement.use import OF_THE_CORE, ResourceUse
from spear_deploy.hardware.placement.whole_layers import WORDS, CoreAssignment, memory_of
from spear_deploy.hardware.rules.finding import Finding, Kind

_INTO = "no split helps, one neuron is too much: prune what leads into {layer} to at most {share}"
_REACHES = "no split helps, one neuron reaches too many cores: prune what {layer} leads to until each reaches {most}"
_MENDS_ONE_NEURON = {
    SYNAPSE_MEMORY: "no split helps, one neuron is too much: prune what leads into {layer} until each of its neurons"
    " takes at most {share} of that",
    MEMORY: "no split helps, one neuron is too much: prune what leads into {layer}, or what it leads to, until each of"
    " its neurons takes at most {share} of that",
    IN_AXONS: _INTO,
    FAN_IN: _INTO,
    OUT_AXONS: _REACHES,
    DESTINATIONS: _REACHES,
}
_MENDS_WHOLE_LAYER = {
    NEURONS: "a core takes a whole layer: prune {layer} to at most {share} of its neurons",
    SYNAPSE_MEMORY: "a core takes a whole layer: prune {layer}, or what leads into it, to at most {share} of that",
    MEMORY: "a core takes a whole layer: prune {layer}, or what leads into it, until it takes at most {share} of that",
    IN_AXONS: "a core takes a whole layer: prune what leads into {layer} to at most {share}",
    OUT_AXONS: "a core takes a whole layer: prune {layer} to at most {share} of its neurons",
    THRESHOLDS: "a core takes a whole layer: train {layer} with at most {most} different thresholds",
    DECAYS: "a core takes a whole layer: train {layer} with at most {most} different decays",
}
"""What has to shrink, by what there is too little of."""

_LIMITS = {resource.name: resource.limit for resource in (*RESOURCES, *CHIP_RESOURCES)}


def overuse(use: ResourceUse, profile: Profile, cores: Mapping[str, int]) -> Finding:
    """The finding for a use that exceeds what is allowed; `cores` is how many each layer takes."""
    share = use.allowed / use.used
    found, most, unit = both_texts(use.used, use.allowed, use.unit)
    if use.layer is None:
        cores_of_chip = profile.chip.usable_cores_per_chip or profile.chip.cores_per_chip
        figure = cores_of_chip if use.resource == "cores" else _LIMITS[use.resource](profile)
        more = ", or use more chips" if profile.chip.chips is not None else ""
        mend = f"prune the network to {keep_text(share)} of that{more}"
        if use.resource == "cores":
            mend = f"{_largest_layer(cores, use)}{more}"
        kind = Kind.BUDGET if more or use.resource == "cores" else Kind.WALL
    elif use.resource in _LIMITS:
        figure = _LIMITS[use.resource](profile)
        mends = _MENDS_ONE_NEURON if _is_one_neuron_s(use, profile) else _MENDS_WHOLE_LAYER
        mend = mends.get(use.resource, "such a core holds no neuron").format(
            layer=use.layer, share=keep_text(share), most=most
        )
        kind = Kind.WALL
    else:
        figure = memory_of(profile, use.resource.removesuffix(OF_THE_CORE))
        mend = f"a core takes a whole layer: prune {use.layer} until it needs at most {keep_text(share)} of these words"
        kind = Kind.WALL
    source = (figure.source or "") if figure is not None else ""
    return Finding(use.resource, kind, use.layer, f"{found} {unit}", f"{most} {unit}", mend, source, share)


def _is_one_neuron_s(use: ResourceUse, profile: Profile) -> bool:
    """Whether what is too much is a neuron's, not that of a layer that may not be cut."""
    return profile.splits_layers or use.resource in OF_A_NEURON


def _largest_layer(cores: Mapping[str, int], use: ResourceUse) -> str:
    """Which layer to prune to what, so that the rest finds its cores."""
    layer = max(cores, key=lambda name: cores[name])
    left = cores[layer] - (use.used - use.allowed)
    if left >= 1:
        return f"prune {layer}, which takes {cores[layer]} of them, until {left:.0f} suffice for it"
    return f"prune all layers, the most {layer}, which takes {cores[layer]} of them"


def unassigned(assignment: CoreAssignment, findings: list[Finding], profile: Profile) -> list[Finding]:
    """Layers that some core would hold, had another layer not taken it."""
    source = next(figure.source for name in WORDS if (figure := memory_of(profile, name)) is not None and figure.known)
    explained = {finding.node for finding in findings}
    return [
        Finding(
            "core for the layer",
            Kind.WALL,
            layer,
            "no free core that holds it",
            f"{profile.cores_available:,} cores",
            f"prune {layer} or the layers of its size until each finds a core of its own",
            source or "",
            0.5,  # each memory is a power of two: half the channels need half of it
        )
        for layer in assignment.nearest
        if layer not in explained
    ]
