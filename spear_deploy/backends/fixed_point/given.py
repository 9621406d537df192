"""Integers in which a network was given: a netx file holds a chip's own, and says what inputs become beside them."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spear_deploy.backends.fixed_point.formats import Format
from spear_deploy.backends.fixed_point.quantized import InputLevels
from spear_deploy.errors import BackendError, quoted
from spear_deploy.network import Network
from spear_deploy.network.model import INPUT_LEVELS, INTEGERS

Array = NDArray[np.float64]

_SAME = 1e-12
"""Relative: how far a product and the quotient of it may be apart in float64."""


def is_given(network: Network, *, graded: bool) -> bool:
    """Whether weights are a chip's own integers; of those that values pass, whether it is known of which values."""
    metadata = network.graph.metadata
    return INTEGERS in metadata and (not graded or INPUT_LEVELS in metadata)


def given_levels(network: Network, chip: Format) -> InputLevels | None:
    """What inputs become by the file that the network was given in; None where it does not say, or the chip cannot.

    Raises:
        BackendError: what it says is damaged.

    """
    text = network.graph.metadata.get(INPUT_LEVELS)
    if text is None:
        return None
    try:
        of_one, signed, bits = json.loads(text)
        sound = isinstance(bits, int) and not isinstance(bits, bool) and bits > 0 and 0 < of_one < math.inf
    except (TypeError, ValueError):
        sound = False
    if not sound:
        raise BackendError(f"{network.input}: the file does not say what inputs become on the chip: {quoted(text)}")
    if bits > chip.graded_bits:
        return None
    return InputLevels(of_one, *replace(chip, graded_bits=bits).graded_range(signed=signed))


def weights_of_levels(network: Network, values: Array, levels: InputLevels) -> Array:
    """Weights from the input for what inputs become, instead of for inputs; given integers exactly."""
    divided: Array = values / levels.of_one
    if not is_given(network, graded=True):
        return divided
    whole = np.rint(divided)
    return np.where(np.abs(divided - whole) <= _SAME * np.abs(whole), whole, divided)
