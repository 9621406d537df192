"""LRE's samples of the trained deep networks, made once: what SynOps are predicted from.

The activity that limits on energy and time are predicted from takes a megabyte a sample, and is left out.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spear_deploy.hardware import Activity
from spear_deploy.search import Features, LreSample

FOLDER = Path(__file__).parent

UNKNOWN = Activity({}, time_steps=0, analog_input=True)


def kept_samples(name: str) -> list[LreSample]:
    """The samples of a network for the pipeline `spear+`; none where none were made."""
    path = _path(name)
    if not path.is_file():
        return []
    return [
        LreSample(
            Features(**{**one["features"], "keep_ratios": np.array(one["features"]["keep_ratios"])}),
            one["synops"],
            one["accuracy"],
            UNKNOWN,
            UNKNOWN,
            one["synops_by_layer"],
        )
        for one in json.loads(path.read_text())
    ]


def keep_samples(name: str, samples: Sequence[LreSample]) -> Path:
    """Write the samples of a network; gives the file."""
    found = [
        {
            "features": {
                **{key: value for key, value in vars(one.features).items() if key != "keep_ratios"},
                "keep_ratios": one.features.keep_ratios.tolist(),
            },
            "synops": one.synops,
            "accuracy": one.accuracy,
            "synops_by_layer": dict(one.synops_by_layer),
        }
        for one in samples
    ]
    path = _path(name)
    path.write_text(json.dumps(found, indent=1) + "\n")
    return path


def _path(name: str) -> Path:
    return FOLDER / f"{name}.lre.json"
