"""How the network of a netx file is used, in attributes that files of ours have and lava-dl neither writes nor reads.

    time_steps, input_shape, dt_s, encoding, population, binning, objective, data     as in a model file
    input_levels, input_signed, graded_bits                                           what an input becomes on the chip
    layers                                                                            their names

A file without them, such as slayer's, takes spikes and tells classes.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spear_deploy.errors import ModelError
from spear_deploy.network.encoding import Encoding
from spear_deploy.network.model import BINNINGS, INPUT_LEVELS, Model
from spear_deploy.network.objective import Objective

MOST_GRADED_BITS = 32
"""Of a value that a spike carries. Source: Loihi 2 technology brief, graded spikes."""


@dataclass(frozen=True)
class NetxUse:
    """What a file says of itself; None, or as slayer's files are used, where it does not.

    Attributes:
        of_one: what an input of 1 becomes before it is rounded; None where inputs are spikes.
        metadata: what the graph keeps of that.
        layers: names of the neuron layers.

    """

    time_steps: int | None = None
    input_shape: tuple[int, ...] | None = None
    dt_s: float | None = None
    encoding: Encoding = Encoding.SPIKES
    population: int = 1
    binning: str = BINNINGS[0]
    objective: Objective = Objective.CLASSIFICATION
    data: str | None = None
    of_one: float | None = None
    metadata: Mapping[str, str] | None = None
    layers: tuple[str, ...] = ()


def use_of(attributes: Mapping[str, Any]) -> NetxUse:
    """What a file's attributes say.

    Raises:
        ModelError: something that cannot be.
        KeyError: and others of `READ_ERRORS`: damaged.

    """
    found: dict[str, Any] = {key: kind(attributes[key]) for key, kind in _KINDS.items() if key in attributes}
    if "input_levels" in attributes:
        of_one, bits = float(attributes["input_levels"]), int(attributes["graded_bits"])
        if not 0 < of_one < math.inf or not 0 < bits <= MOST_GRADED_BITS:
            raise ModelError(f"an input of 1 cannot become {of_one:g} in spikes of {bits} bits")
        levels = json.dumps([of_one, bool(attributes["input_signed"]), bits])
        found |= {"of_one": of_one, "metadata": {INPUT_LEVELS: levels}}
    return NetxUse(**found)


def attributes_of(model: Model) -> dict[str, Any]:
    """What a file says of a model that is not in its layers; of inputs on the chip its exporter knows more."""
    found: dict[str, Any] = {
        "time_steps": model.time_steps,
        "input_shape": model.network.input_shape,
        "dt_s": model.network.dt_s,
        "encoding": str(model.encoding),
        "population": model.population,
        "binning": model.binning,
        "objective": str(model.objective),
    }
    return found if model.data is None else found | {"data": model.data}


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


_KINDS: dict[str, Any] = {
    "time_steps": int,
    "input_shape": lambda sizes: tuple(int(size) for size in sizes),
    "dt_s": float,
    "encoding": lambda text: Encoding(_text(text)),
    "population": int,
    "binning": _text,
    "objective": lambda text: Objective(_text(text)),
    "data": _text,
    "layers": lambda names: tuple(map(_text, names)),
}
