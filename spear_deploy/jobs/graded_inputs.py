"""Input values that a chip's spikes cannot carry, as its integers were chosen: what is sent in their place."""

from __future__ import annotations

from collections.abc import Iterable

from spear_deploy.backends.fixed_point.chip_format import format_of
from spear_deploy.backends.fixed_point.formats import Format
from spear_deploy.backends.fixed_point.quantize import input_levels
from spear_deploy.backends.registry import calibration_inputs
from spear_deploy.data import EncodedSplit, holds_values
from spear_deploy.errors import DataError
from spear_deploy.hardware import Profile
from spear_deploy.network import Model, batches

MANY_VANISH = 0.1
"""Share of the input values from which on it is told that they are sent as 0. Of digits and MNIST none are."""


def cut_values(samples: Iterable[EncodedSplit], levels: float | None, chip: Format) -> list[str]:
    """Say how many values of some samples are cut to the most that a spike carries, and whether many become 0.

    Args:
        samples: encoded, in parts.
        levels: what an input of 1 is in integers; None where the input is spikes.
        chip: its number formats.

    """
    if levels is None:
        return []
    most = chip.graded_max / levels
    cut = vanished = held = 0
    for part in samples:
        inputs, name = part.as_stored(), part.name
        steps = inputs.abs() * levels
        cut += int((steps > chip.graded_max + 0.5).sum())
        vanished += int(((steps < 0.5) & (inputs != 0)).sum())
        held += int((inputs != 0).sum())
    told = []
    if cut:
        told.append(
            f"{cut:,} of {held:,} input values of {name} lie beyond {most:.4g}, the most that the chip's spikes carry"
            " where levels are chosen on training samples: they are sent as that"
        )
    if vanished > MANY_VANISH * held:
        told.append(
            f"{vanished:,} of {held:,} input values of {name} are sent as 0: they lie below {0.5 / levels:.4g}, because"
            f" training samples reach up to {most:.4g}, and the chip's spikes carry {chip.graded_max:,} levels"
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
    return [line for split in splits for line in cut_values(map(split.take, batches(len(split))), levels, chip)]
