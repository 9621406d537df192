"""What of a chip no pruning can satisfy."""

from __future__ import annotations

from spear_deploy.hardware import Profile, check
from spear_deploy.network import Encoding, Model


def walls_of(chip: Profile, model: Model, *, analog: bool, adapted: bool) -> list[str]:
    """What of a chip no pruning can satisfy, each with its way out.

    Values of another kind than event counts would go to the host, where nothing is pruned: their conversion is none.
    """
    found = check(model.network, chip, analog_input=analog).violations
    hosted = model.encoding != Encoding.COUNTS
    return [
        each.unconverted if adapted or (hosted and each.rule == "analog input") else each.text
        for each in found
        if each.keep is None
    ]
