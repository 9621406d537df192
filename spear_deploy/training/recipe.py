"""How a network is fine-tuned: the optimiser, its schedule, and which loss it follows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.optim.lr_scheduler import CosineAnnealingLR

from spear_deploy.training.compiler import import_compiler

OPTIMISERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "sgd": partial(torch.optim.SGD, momentum=0.9),
}


@dataclass(frozen=True)
class Recipe:
    """How to fine-tune: an optimiser with a cosine schedule from `learning_rate` to 0.

    Attributes:
        epochs: passes over the training samples.
        batch: samples a step.
        learning_rate: at the start of the schedule.
        optimiser: `adam`, or `sgd` with a momentum of .9.
        weight_decay: the optimiser's.
        warm_up: the share of the steps in which the rate rises to the schedule.
        each_step: whether every time step's own output is learned from (TET, temporal efficient training: Deng et
            al., arXiv 2202.11946, equation 9, without the term that draws outputs to a constant) instead of what is
            read out over time.

    """

    epochs: int = 6
    batch: int = 64
    learning_rate: float = 2e-3
    optimiser: str = "adam"
    weight_decay: float = 0.0
    warm_up: float = 0.0
    each_step: bool = False

    def optimiser_of(self, parameters: Iterable[torch.nn.Parameter]) -> torch.optim.Optimizer:
        """A new optimiser.

        Raises:
            ValueError: there is none of that name.

        """
        if self.optimiser not in OPTIMISERS:
            raise ValueError(f"no optimiser called {self.optimiser!r}; known: {', '.join(OPTIMISERS)}")
        import_compiler()
        return OPTIMISERS[self.optimiser](parameters, lr=self.learning_rate, weight_decay=self.weight_decay)

    def schedule_of(self, optimiser: torch.optim.Optimizer, steps: int) -> CosineAnnealingLR:
        """The rates of an optimiser over so many steps."""
        if self.warm_up:
            return _WarmCosine(optimiser, max(steps, 1), self.warm_up)
        return CosineAnnealingLR(optimiser, max(steps, 1))


class _WarmCosine(CosineAnnealingLR):
    """A cosine whose first steps are scaled by a line from 0 to 1."""

    def __init__(self, optimiser: torch.optim.Optimizer, steps: int, warm_up: float) -> None:
        self.warm_steps = max(round(warm_up * steps), 1)
        super().__init__(optimiser, steps)

    def get_lr(self) -> list[float | Tensor]:
        share = min((self.last_epoch + 1) / self.warm_steps, 1.0)
        cosine = (1 + math.cos(math.pi * self.last_epoch / self.T_max)) / 2
        return [rate * share * cosine for rate in self.base_lrs]
