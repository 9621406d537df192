"""Fine-tuning and recalibration of networks."""

from spear_deploy.training.fine_tune import (
    EarlyStop,
    Quantiser,
    Recipe,
    SynopsPenalty,
    fine_tune,
    loss,
    read_outputs,
    trained_graph,
)
from spear_deploy.training.recalibration import CurrentStatistics, current_statistics, recalibrate

__all__ = [
    "CurrentStatistics",
    "EarlyStop",
    "Quantiser",
    "Recipe",
    "SynopsPenalty",
    "current_statistics",
    "fine_tune",
    "loss",
    "read_outputs",
    "recalibrate",
    "trained_graph",
]
