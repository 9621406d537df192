"""The JSON that `simulate --json` prints; field names are those of docs/fixed-point.md."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from spear_deploy.adaptation import AdaptationEffect
from spear_deploy.simulate import Difference, Result
from spear_deploy.simulation_job import Outcome
from spear_deploy.watching import StateRange


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """All that was seen, as plain values."""
    request = outcome.request
    return {
        "model": str(request.model),
        "target": request.target.name,
        "data": outcome.data,
        "split": str(request.split),
        "samples": outcome.samples,
        "seed": request.seed,
        "results": {
            name: {"arithmetic": outcome.arithmetic[name]} | _result(result)
            for name, result in outcome.simulated.results.items()
        },
        "comparisons": [_difference(each) for each in outcome.simulated.differences],
        "adaptations": adaptations_json(outcome.effect),
        "adapted_accuracy": None
        if outcome.effect is None
        else {"before": outcome.effect.before.accuracy, "after": outcome.effect.after.accuracy},
    }


def adaptations_json(effect: AdaptationEffect | None) -> list[dict[str, Any]]:
    """The conversions, each with what it did to the spikes of its layer."""
    if effect is None:
        return []
    return [
        {
            "layer": each.layer,
            "rule": each.rule,
            "from": each.before,
            "to": each.after,
            "spike_change_percent": effect.spike_change_percent(each.layer),
        }
        for each in effect.changes
    ]


def _result(result: Result) -> dict[str, Any]:
    found = result.measurement
    return {
        "accuracy": found.accuracy,
        "synops": found.synops,
        "synops_analog": found.synops_analog,
        "layers": [
            {
                "layer": layer,
                "neurons": count.neurons,
                "spikes": count.spikes,
                "synops": count.synops,
                "u": _range(result.states[layer].u),
                "v": _range(result.states[layer].v),
            }
            for layer, count in found.layers.items()
        ],
        "quantisation": [asdict(loss) for loss in result.losses],
    }


def _range(found: StateRange | None) -> list[float] | None:
    return None if found is None else [found.low, found.high]


def _difference(difference: Difference) -> dict[str, Any]:
    place = difference.first
    return {
        "backends": list(difference.backends),
        "equal": place is None,
        "first_difference": None if place is None else asdict(place),
        "layers": [
            {
                "layer": layer,
                "spikes": dict(zip(difference.backends, each.spikes, strict=True)),
                "count_error_percent": each.count_error_percent,
                "outputs_that_differ": each.differing,
            }
            for layer, each in difference.layers.items()
        ],
    }
