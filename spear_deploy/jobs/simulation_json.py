"""The JSON that the verb `simulate` prints; field names are those of docs/fixed-point.md."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from spear_deploy.backends.recording import LayerStates, StateRange
from spear_deploy.backends.side_by_side import Difference, Result
from spear_deploy.jobs.simulate import Outcome
from spear_deploy.targets.adaptation_effect import AdaptationEffect


def outcome_json(outcome: Outcome, model: str) -> dict[str, Any]:
    """All that was seen, as plain values; `model` is where the model lies."""
    return {
        "model": model,
        "target": outcome.chip.name,
        "data": outcome.task.data.name,
        "split": str(outcome.config.split),
        "samples": outcome.samples,
        "labels": str(outcome.labels),
        "objective": str(outcome.model.objective),
        "seed": outcome.task.seed,
        "results": {
            name: {"arithmetic": outcome.arithmetic[name]} | _result(result)
            for name, result in outcome.simulated.results.items()
        },
        "comparisons": [_difference(each) for each in outcome.simulated.differences],
        "adaptations": [] if outcome.effect is None else outcome.effect.as_json(),
        "adapted_accuracy": _accuracies(outcome.effect),
        "told": list(outcome.told),
    }


def _accuracies(effect: AdaptationEffect | None) -> dict[str, float] | None:
    """Of both networks in torch; None without conversions."""
    if effect is None or effect.before is None or effect.after is None:
        return None
    return {"before": effect.before.accuracy, "after": effect.after.accuracy}


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
                **_ranges(result.states.get(layer)),
            }
            for layer, count in found.layers.items()
        ],
        "rounding": [asdict(loss) for loss in result.losses],
    }


def _ranges(states: LayerStates | None) -> dict[str, list[float] | None]:
    """Of u and v; null for a current that neurons do not have, and where a backend does not show its states."""
    return {"u": None if states is None else _range(states.u), "v": None if states is None else _range(states.v)}


def _range(found: StateRange | None) -> list[float] | None:
    return None if found is None else [found.low, found.high]


def _difference(difference: Difference) -> dict[str, Any]:
    place = difference.agreement.first_difference
    return {
        "backends": list(difference.backends),
        "equal": difference.agreement.equal,
        "first_difference": None if place is None else asdict(place),
        "layers": [
            {
                "layer": layer,
                "spikes": dict(zip(difference.backends, each.spikes, strict=True)),
                "count_error_percent": each.count_error_percent,
                "outputs_that_differ": each.differing,
            }
            for layer, each in difference.agreement.layers.items()
        ],
    }
