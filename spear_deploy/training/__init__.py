"""Fine-tuning and recalibration of networks."""

from spear_deploy.training.constraint import QUANTITIES, SYNOPS, AscentConstants, SynopsConstraint, on_batches
from spear_deploy.training.fine_tune import (
    EarlyStop,
    Quantiser,
    Steer,
    Teacher,
    fine_tune,
)
from spear_deploy.training.losses import TaskLoss, loss, taught
from spear_deploy.training.quieting import quieted
from spear_deploy.training.recalibration import CurrentStatistics, current_statistics, recalibrate
from spear_deploy.training.recipe import Recipe

__all__ = [
    "QUANTITIES",
    "SYNOPS",
    "AscentConstants",
    "CurrentStatistics",
    "EarlyStop",
    "Quantiser",
    "Recipe",
    "Steer",
    "SynopsConstraint",
    "TaskLoss",
    "Teacher",
    "current_statistics",
    "fine_tune",
    "loss",
    "on_batches",
    "quieted",
    "recalibrate",
    "taught",
]
