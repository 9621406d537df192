"""Input values that a chip's spikes cannot carry, as its integers were chosen: what is sent in their place."""

from __future__ import annotations

from collections.abc import Iterable

from spear_deploy.backends.fixed_point.chip_format import format_of
from spear_deploy.backends.fixed_point.quantize import input_levels
from spear_deploy.backends.fixed_point.quantized import InputLevels
from spear_deploy.backends.registry import calibration_inputs
from spear_deploy.data import EncodedSplit, holds_values
from spear_deploy.errors import DataError
from spear_deploy.hardware import Profile
from spear_deploy.network import Model, batches

MANY_VANISH = 0.1
"""Share of the input values from which on it is told that they are sent as 0. Of digits and MNIST none are."""


def cut_values(samples: Iterable[EncodedSplit], levels: InputLevels | None) -> list[str]:
    """Say how many values of some samples are cut to the ends of what a spike carries, and whether many become 0.

    Args:
        samples: encoded, in parts.
        levels: what inputs become; None where they are spikes.

    """
    if levels is None:
        return []
    least, most = levels.least / levels.of_one, levels.most / levels.of_one
    cut = vanished = held = 0
    for part in samples:
        inputs, name = part.as_stored(), part.name
        steps = inputs * levels.of_one
        cut += int(((steps > levels.most + 0.5) | (steps < levels.least - 0.5)).sum())
        vanished += int(((steps.abs() < 0.5) & (inputs != 0)).sum())
        held += int((inputs != 0).sum())
    told = []
    if cut:
        told.append(
            f"{cut:,} of {held:,} input values of {name} lie outside {least:.4g} to {most:.4g}, which the chip's spikes"
            " carry where levels are chosen on training samples: they are sent as the nearer end"
        )
    if vanished > MANY_VANISH * held:
        told.append(
            f"{vanished:,} of {held:,} input values of {name} are sent as 0: they lie below {0.5 / levels.of_one:.4g},"
            f" because training samples reach up to {most:.4g}, and the chip's spikes carry {levels.most:,} levels"
        )
    return told


def _check_binary(splits: Iterable[EncodedSplit]) -> None:
    """Refuse splits with values where training samples have none: the integers take the input for spikes.

    Raises:
        DataError: there are some.

    """
    for split in splits:
        if split.analog and holds_values(split):
            raise DataError(
                f"{split.name} holds inputs other than 0 and 1, and train holds none, so that the chip's integers take"
                " the input for spikes: training samples have to show what inputs are; counts can be clipped to 1"
                " (encoding 'clipped')"
            )


def cut_on(profile: Profile, model: Model, train: EncodedSplit, splits: Iterable[EncodedSplit]) -> list[str]:
    """The same of whole splits on a chip whose levels are chosen on training samples, before it has run anything.

    Raises:
        DataError: the integers are chosen for spikes, and a split holds values.

    """
    chip = format_of(profile)
    if chip is None:
        return []
    levels = input_levels(model, chip, calibration_inputs(train))
    if levels is None:
        _check_binary(splits)
        return []
    return [line for split in splits for line in cut_values(map(split.take, batches(len(split))), levels)]
