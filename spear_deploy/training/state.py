"""What a fine-tune changes: taken after every epoch, to go back to or to go on from."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim.lr_scheduler import CosineAnnealingLR

from spear_deploy.network import Simulation
from spear_deploy.training.constraint import ConstraintState, SynopsConstraint


@dataclass(frozen=True)
class TrainingState:
    """All that an epoch changes, but for the order of the samples.

    Attributes:
        weights: of the simulation, by name.
        optimizer, schedule: as torch describes them.
        constraint: None where there is none.

    """

    weights: dict[str, Tensor]
    optimizer: Any
    schedule: Any
    constraint: ConstraintState | None


@dataclass(frozen=True)
class BestEpoch:
    """The epoch of the lowest loss on the data of an early stop, and its weights."""

    lowest: float
    epoch: int
    weights: dict[str, Tensor]


@dataclass(frozen=True)
class Checkpoint:
    """A fine-tune between two epochs.

    Attributes:
        epoch: how many are done.
        rollbacks: the epochs that were begun again, once for each time.
        seconds: that it took so far.
        generator: the state of what orders the samples.
        training: what was trained.
        best: of an early stop; None without one.

    """

    epoch: int
    rollbacks: tuple[int, ...]
    seconds: float
    generator: Tensor
    training: TrainingState
    best: BestEpoch | None


@dataclass(frozen=True)
class Finished:
    """A fine-tune that ended.

    Attributes:
        weights: of the simulation, by name.
        constraint: what it is for the next fine-tune; None where there is none.
        rollbacks: the epochs that were begun again, once for each time.

    """

    weights: dict[str, Tensor]
    constraint: ConstraintState | None
    rollbacks: tuple[int, ...]


@dataclass(frozen=True)
class Training:
    """What a fine-tune changes, as it is being changed."""

    simulation: Simulation
    optimizer: torch.optim.Optimizer
    schedule: CosineAnnealingLR
    constraint: SynopsConstraint | None

    @property
    def state(self) -> TrainingState:
        """A copy of it."""
        return TrainingState(
            weights_of(self.simulation),
            copy.deepcopy(self.optimizer.state_dict()),
            copy.deepcopy(self.schedule.state_dict()),
            None if self.constraint is None else self.constraint.state,
        )

    def restore(self, state: TrainingState) -> None:
        """Go back to it."""
        self.simulation.load_state_dict(state.weights)
        self.optimizer.load_state_dict(state.optimizer)
        self.schedule.load_state_dict(state.schedule)
        if self.constraint is not None and state.constraint is not None:
            self.constraint.restore(state.constraint)

    def halve_rate(self) -> None:
        """Go on at half the learning rate."""
        self.schedule.base_lrs = [rate / 2 for rate in self.schedule.base_lrs]
        for group in self.optimizer.param_groups:
            group["lr"] /= 2


def weights_of(simulation: Simulation) -> dict[str, Tensor]:
    """A copy of all weights."""
    return {key: value.clone() for key, value in simulation.state_dict().items()}
