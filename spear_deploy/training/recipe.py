"""How a network is fine-tuned: the optimiser, its schedule, and which loss it follows."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim.lr_scheduler import CosineAnnealingLR

from spear_deploy.training.optimisers import OPTIMISERS

WEIGHTS = ("weight", "weight.original")
"""How names of parameters end that are weights of synapses; the second where they are rounded in every pass."""

BIASES = ("bias", "bias.original")
"""The same of biases."""


@dataclass(frozen=True)
class Recipe:
    """How to fine-tune: an optimiser with a cosine schedule from `learning_rate` to 0.

    Attributes:
        epochs: passes over the training samples.
        batch: samples a step.
        learning_rate: at the start of the schedule.
        full_rate_fan_in: inputs of a neuron up to which `adam` gives its weights the whole rate; of a wider layer they
            have it in inverse proportion. Adam moves every weight by about the rate in each step, whatever its size,
            and what a neuron hears moves by all of them together: at one rate for all, wide layers are wiped out.
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
    full_rate_fan_in: int = 288
    optimiser: str = "adam"
    weight_decay: float = 0.0
    warm_up: float = 0.0
    each_step: bool = False

    def optimiser_of(self, parameters: Iterable[tuple[str, torch.nn.Parameter]]) -> torch.optim.Optimizer:
        """A new optimiser of parameters with their names.

        Raises:
            ValueError: there is none of that name.

        """
        if self.optimiser not in OPTIMISERS:
            raise ValueError(f"no optimiser called {self.optimiser!r}; known: {', '.join(OPTIMISERS)}")
        by_rate: dict[float, list[torch.nn.Parameter]] = {}
        for name, each in parameters:
            by_rate.setdefault(self.learning_rate * self._share_of_rate(name, each), []).append(each)
        groups = [{"params": together, "lr": rate} for rate, together in by_rate.items()]
        return OPTIMISERS[self.optimiser](groups, lr=self.learning_rate, weight_decay=self.weight_decay)

    def _share_of_rate(self, name: str, parameter: torch.nn.Parameter) -> float:
        """Of weights `[outputs, inputs, ..]`, in proportion to 1 / inputs; 1 for all else.

        Source: Yang, Hu et al., Tensor Programs V, arXiv 2203.03466, table 3 (Adam, hidden weights).
        """
        if self.optimiser != "adam" or not name.endswith(WEIGHTS):
            return 1.0
        return min(1.0, self.full_rate_fan_in / parameter[0].numel())

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
