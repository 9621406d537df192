"""Input values that a chip's spikes cannot carry, as its integers were chosen: how many are sent as less."""

from __future__ import annotations

from collections.abc import Iterable

from spear_deploy.backends.fixed_point.chip_format import format_of
from spear_deploy.backends.fixed_point.formats import Format
from spear_deploy.backends.fixed_point.quantize import input_levels
from spear_deploy.backends.registry import calibration_inputs
from spear_deploy.data import EncodedSplit
from spear_deploy.hardware import Profile
from spear_deploy.network import Model, batches


def cut_values(samples: Iterable[EncodedSplit], levels: float | None, chip: Format) -> list[str]:
    """Say how many values of some samples are cut to the most that a spike carries; nothing where none is.

    Args:
        samples: encoded, in parts.
        levels: what an input of 1 is in integers; None where the input is spikes.
        chip: its number formats.

    """
    if levels is None:
        return []
    most = chip.graded_max / levels
    cut = held = 0
    for part in samples:
        inputs, name = part.as_stored(), part.name
        cut += int((inputs.abs() * levels > chip.graded_max + 0.5).sum())
        held += int((inputs != 0).sum())
    if not cut:
        return []
    return [
        f"{cut:,} of {held:,} input values of {name} lie beyond {most:.4g}, the most that the chip's spikes carry where"
        " levels are chosen on training samples: they are sent as that"
    ]


def cut_on(profile: Profile, model: Model, train: EncodedSplit, splits: Iterable[EncodedSplit]) -> list[str]:
    """The same of whole splits on a chip whose levels are chosen on training samples, before it has run anything."""
    chip = format_of(profile)
    if chip is None:
        return []
    levels = input_levels(model, chip, calibration_inputs(train))
    return [line for split in splits for line in cut_values(map(split.take, batches(len(split))), levels, chip)]
