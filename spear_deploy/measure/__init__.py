"""Spikes, exact synaptic operations, accuracy."""

from spear_deploy.measure.answers import Answers, guess_rate, most_by_guessing, points_lost
from spear_deploy.measure.effective import EffectiveOperations, effective_operations
from spear_deploy.measure.measurement import (
    LayerCount,
    Measurement,
    Tally,
    accuracy_on,
    classify,
    measure,
    measure_outputs,
    measure_split,
    measure_split_with,
    measure_with,
    within,
)
from spear_deploy.measure.record import SpikeRecord
from spear_deploy.measure.scoring import SCORINGS, Compared, Scoring
from spear_deploy.measure.synops import Synops, SynopsCounter, most_synops, synops_from

__all__ = [
    "SCORINGS",
    "Answers",
    "Compared",
    "EffectiveOperations",
    "LayerCount",
    "Measurement",
    "Scoring",
    "SpikeRecord",
    "Synops",
    "SynopsCounter",
    "Tally",
    "accuracy_on",
    "classify",
    "effective_operations",
    "guess_rate",
    "measure",
    "measure_outputs",
    "measure_split",
    "measure_split_with",
    "measure_with",
    "most_by_guessing",
    "most_synops",
    "points_lost",
    "synops_from",
    "within",
]
