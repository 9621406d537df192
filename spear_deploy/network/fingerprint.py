"""A hash of what a model is, whichever file it is kept in."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from spear_deploy.network.model import BINNINGS, Model


def fingerprint(model: Model) -> str:
    """SHA-256 over nodes, edges, constants and use of a model, in hexadecimal."""
    digest = hashlib.sha256()
    use: tuple[object, ...] = (model.time_steps, str(model.encoding), str(model.read_out))
    use += () if model.population == 1 else (model.population,)
    use += () if model.binning == BINNINGS[0] else (model.binning,)
    use += () if model.objective.tells_classes else (str(model.objective),)
    use += ("frozen", *sorted(model.frozen)) if model.frozen else ()
    digest.update(repr((use, sorted(model.graph.edges))).encode())
    for name in sorted(model.graph.nodes):
        digest.update(name.encode())
        _add(digest, model.graph.nodes[name].to_dict())
    return digest.hexdigest()


def _add(digest: Any, value: Any) -> None:
    if isinstance(value, Mapping):
        for key in sorted(value):
            digest.update(str(key).encode())
            _add(digest, value[key])
    elif isinstance(value, np.ndarray | np.generic | float | int) and not isinstance(value, bool):
        array = np.ascontiguousarray(np.asarray(value, dtype=np.float64))
        digest.update(repr(array.shape).encode() + array.tobytes())
    else:
        digest.update(repr(value).encode())
