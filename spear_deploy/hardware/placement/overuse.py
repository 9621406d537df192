"""What to say where a resource does not suffice: by how much, and how to mend it."""

from __future__ import annotations

from collections.abc import Mapping

from spear_deploy.hardware.chip.profile import Profile
from spear_deploy.hardware.placement.limits import CHIP_RESOURCES, RESOURCES
from spear_deploy.hardware.placement.use import OF_THE_CORE, ResourceUse
from spear_deploy.hardware.placement.whole_layers import WORDS, CoreAssignment, memory_of
from spear_deploy.hardware.rules.finding import Finding, Kind

_LIMITS = {resource.name: resource.limit for resource in (*RESOURCES, *CHIP_RESOURCES)}


def overuse(use: ResourceUse, profile: Profile, cores: Mapping[str, int]) -> Finding:
    """The finding for a use that exceeds what is allowed; `cores` is how many each layer takes."""
    share = use.allowed / use.used
    if use.layer is None:
        cores_of_chip = profile.chip.usable_cores_per_chip or profile.chip.cores_per_chip
        figure = cores_of_chip if use.resource == "cores" else _LIMITS[use.resource](profile)
        more = ", or use more chips" if profile.chip.chips is not None else ""
        mend = f"prune the network to {share:.0%} of that{more}"
        if use.resource == "cores":
            mend = f"{_largest_layer(cores, use)}{more}"
        kind = Kind.BUDGET if more or use.resource == "cores" else Kind.WALL
    elif use.resource in _LIMITS:
        figure = _LIMITS[use.resource](profile)
        mend = f"no split helps, one neuron is too much: prune what leads into {use.layer} to at most {share:.0%}"
        kind = Kind.WALL
    else:
        figure = memory_of(profile, use.resource.removesuffix(OF_THE_CORE))
        mend = f"a core takes a whole layer: prune {use.layer} until it needs at most {share:.0%} of these words"
        kind = Kind.WALL
    source = (figure.source or "") if figure is not None else ""
    found, most = _amount(use.used, use.unit), _amount(use.allowed, use.unit)
    return Finding(use.resource, kind, use.layer, found, most, mend, source, share)


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


def _amount(number: float, unit: str) -> str:
    return f"{number:,.0f} {unit}"
