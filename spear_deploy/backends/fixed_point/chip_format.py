"""The number formats that a profile names: its arithmetic, and the widths that are its own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from spear_deploy.backends.fixed_point.formats import LOIHI1, LOIHI2, Format
from spear_deploy.errors import ProfileError
from spear_deploy.hardware import Profile

ARITHMETICS: dict[str, Format] = {"loihi1": LOIHI1, "loihi2": LOIHI2}
"""Number formats by the name that a profile gives in `neurons.arithmetic`."""


def format_of(profile: Profile) -> Format | None:
    """The integers that a chip computes in; None where its profile names no arithmetic.

    `neurons.arithmetic` says how the chip computes. Widths, resets and values in spikes that the
    profile gives beside it replace those of that arithmetic; what it leaves out or calls unknown
    stays as there.

    Raises:
        ProfileError: an arithmetic that is not known, a width that it cannot have, or a range of weights that it
            does not keep to.

    """
    figure = profile.neurons.arithmetic
    if figure is None or not figure.known:
        return None
    name = str(figure.value)
    if name not in ARITHMETICS:
        raise ProfileError(
            f"{profile.name}: neurons.arithmetic {name!r} is unknown; known: {', '.join(sorted(ARITHMETICS))}"
        )
    try:
        found = replace(ARITHMETICS[name], **_widths(profile), **_abilities(profile))
        _check_range(profile, found)
    except ProfileError as error:
        raise ProfileError(f"{profile.name}: {error}") from None
    return found


def _check_range(profile: Profile, chip: Format) -> None:
    """A range beside an arithmetic must hold all weights that it makes: those of both signs, or the positive ones."""
    figure = profile.synapses.weight_range
    if figure is None or figure.value is None:
        return
    low, high = figure.value
    made = chip.lattice(mixed=low < 0)
    least = made.low if low < 0 else 0
    if least < low or high < made.high:
        raise ProfileError(
            f"synapses.weight_range is {low} to {high}, but its arithmetic makes weights of {least} to {made.high};"
            " leave the range out, or neurons.arithmetic where the chip computes otherwise"
        )


def _widths(profile: Profile) -> dict[str, Any]:
    given = {
        "weight_bits": profile.synapses.weight_bits,
        "state_bits": profile.neurons.state_bits,
        "decay_bits": profile.neurons.decay_bits,
        "threshold_bits": profile.neurons.threshold_bits,
        "bias_mantissa_bits": profile.neurons.bias_bits,
        "graded_bits": profile.io.graded_bits,
    }
    return {key: int(figure.amount) for key, figure in given.items() if figure is not None and figure.known}


def _abilities(profile: Profile) -> dict[str, Any]:
    """What resets there are, and whether spikes can carry values at all."""
    found: dict[str, Any] = {}
    resets, graded = profile.neurons.resets, profile.io.graded_input
    if resets is not None and resets.value is not None:
        found["subtract"] = "subtract" in resets.value
    if graded is not None and graded.value is not None:
        width = profile.io.graded_bits
        known = width is not None and width.known
        found |= {} if graded.value and known else {"graded_bits": LOIHI2.graded_bits if graded.value else 0}
    return found
