"""A constraint on a network's SynOps while it is fine-tuned: an augmented Lagrangian."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from spear_deploy.measure import SynopsCounter

SYNOPS = "synops"
Of = Callable[[Tensor, Tensor], Tensor]

QUANTITIES: Mapping[str, Of] = MappingProxyType(
    {
        SYNOPS: lambda total, busiest: total.mean(),
        "p99": lambda total, busiest: total.quantile(0.99),
        "step": lambda total, busiest: busiest.amax(),
    }
)
"""What can be held to a limit while training, from the SynOps of each inference of a batch and of the busiest time step
of each `[B]`: the mean inference, its 99th percentile, the busiest time step."""


def on_batches(name: str, total: Tensor, busiest: Tensor, batch: int) -> float:
    """What batches of so many of these inferences show of a quantity, on average.

    A constraint sees a network batch by batch, and the busiest step of a few inferences lies below that of many.
    """
    count = max(len(total) // batch, 1)
    shown = [QUANTITIES[name](total[place::count], busiest[place::count]) for place in range(count)]
    return float(torch.stack(shown).mean())


@dataclass(frozen=True)
class AscentConstants:
    """How a constraint pulls; chosen on the digits and MNIST (docs/method.md).

    Attributes:
        rho: weight of the squared violation.
        step: of the multiplier, as a share of rho, after each step of the optimiser.
        decay: of the running mean of the violation that the multiplier follows.
        lowest: the multiplier never falls below it; a negative one pushes a network up to its limit.
        ramp: over this share of the fine-tune a target moves from what the network used at its
            begin to where it is meant to be: a network far above it would else wind up the
            multiplier and be silenced.

    """

    rho: float = 5.0
    step: float = 0.05
    decay: float = 0.9
    lowest: float = -1.0
    ramp: float = 0.5


@dataclass(frozen=True)
class ConstraintState:
    """All that fine-tuning changes of a constraint, by a name of `QUANTITIES`; see `SynopsConstraint`."""

    targets: Mapping[str, float]
    multipliers: Mapping[str, float]
    means: Mapping[str, float]
    seen: Mapping[str, float]
    begin: Mapping[str, float]
    progress: float
    fills: bool = True


class SynopsConstraint:
    """Holds quantities of a network's SynOps at their targets while it is trained.

        loss + sum over quantities of lam * s + rho / 2 * s^2,      s = value on the batch / target - 1
        lam <- max(lam + step * rho * mean of s, lowest)            after every step of the optimiser

    The augmented Lagrangian of an equality constraint with dual ascent (Hestenes 1969, Powell
    1969; Bertsekas, Constrained Optimization and Lagrange Multiplier Methods, 1982). A penalty of
    fixed weight ends where its pull equals that of the task, above its target wherever the loss
    is not near zero; the multiplier grows until the target is met, whatever the loss. The mean of
    s is a running one, since s of a single batch is noisy. SynOps are those caused by spikes, per
    inference; their gradient is the surrogate's. A quantity other than the mean is held from
    above only: its multiplier does not fall below 0, and it counts while s + lam / rho > 0.

    The multipliers are its state: a further fine-tune goes on from them.

    Args:
        targets: by a name of `QUANTITIES`, in floating point on batches of training samples.
        constants: of the ascent.
        fills: whether mean SynOps are drawn up to their target too; without, they are held from above like the others.

    """

    def __init__(
        self, targets: Mapping[str, float], constants: AscentConstants | None = None, *, fills: bool = True
    ) -> None:
        self.targets, self.fills = dict(targets), fills
        self.constants = constants or AscentConstants()
        self.multipliers = dict.fromkeys(targets, 0.0)
        self._means: dict[str, float] = {}
        self._seen: dict[str, float] = {}
        self._begin: dict[str, float] = {}
        self._progress = 0.0

    @property
    def state(self) -> ConstraintState:
        """What it is now."""
        return ConstraintState(
            dict(self.targets),
            dict(self.multipliers),
            dict(self._means),
            dict(self._seen),
            dict(self._begin),
            self._progress,
            self.fills,
        )

    def restore(self, state: ConstraintState) -> None:
        """Make it what it was."""
        self.targets, self.multipliers = dict(state.targets), dict(state.multipliers)
        self._means, self._seen, self._begin = dict(state.means), dict(state.seen), dict(state.begin)
        self._progress, self.fills = state.progress, state.fills

    def begin(self) -> None:
        """A fine-tune begins: targets ramp from what its first batch uses."""
        self._begin, self._progress = {}, 0.0

    def term(self, counter: SynopsCounter, inputs: Tensor, outputs: Mapping[str, Tensor], analog: bool) -> Tensor:
        """What is added to the loss of a batch `[T, B, *input_shape]` whose layers sent `outputs` `[T, B, *shape]`."""
        total = torch.zeros((), device=inputs.device)
        rho = self.constants.rho
        for name, violation in self._violations(counter, inputs, outputs, analog).items():
            self._seen[name] = float(violation.detach())
            multiplier = self.multipliers.setdefault(name, 0.0)  # targets may be set anew between fine-tunes
            if self._is_met(name) or self._seen[name] + multiplier / rho > 0:
                total = total + multiplier * violation + rho / 2 * violation.square()
        return total

    def merit(self, counter: SynopsCounter, inputs: Tensor, outputs: Mapping[str, Tensor], analog: bool) -> Tensor:
        """A term that does not depend on the multipliers, by which networks of different steps can be compared."""
        values = self._values(counter, inputs, outputs, analog)
        apart = {name: value / self.targets[name] - 1 for name, value in values.items()}
        violations = [each if self._is_met(name) else each.clamp(min=0) for name, each in apart.items()]
        return self.constants.rho * torch.stack(violations).square().sum()

    def ascend(self, progress: float) -> None:
        """Move the multipliers by what the last batch showed; `progress` is the share of the fine-tune that is done."""
        self._progress = progress
        constants = self.constants
        for name, seen in self._seen.items():
            before = self._means.get(name, seen)
            self._means[name] = constants.decay * before + (1 - constants.decay) * seen
            lowest = constants.lowest if self._is_met(name) else 0.0
            moved = self.multipliers[name] + constants.step * constants.rho * self._means[name]
            self.multipliers[name] = max(moved, lowest)

    def _is_met(self, name: str) -> bool:
        """Whether a quantity is to be brought to its target, from below too."""
        return name == SYNOPS and self.fills

    def _violations(
        self, counter: SynopsCounter, inputs: Tensor, outputs: Mapping[str, Tensor], analog: bool
    ) -> dict[str, Tensor]:
        values = self._values(counter, inputs, outputs, analog)
        for name, value in values.items():
            self._begin.setdefault(name, float(value.detach()))
        return {name: value / self._target(name) - 1 for name, value in values.items()}

    def _values(
        self, counter: SynopsCounter, inputs: Tensor, outputs: Mapping[str, Tensor], analog: bool
    ) -> dict[str, Tensor]:
        if set(self.targets) == {SYNOPS}:
            return {SYNOPS: counter.expected(inputs, outputs, analog_input=analog)}
        by_step = counter.expected_by_step(inputs, outputs, analog_input=analog)
        total, busiest = by_step.sum(0), by_step.amax(0)
        return {name: QUANTITIES[name](total, busiest) for name in self.targets}

    def _target(self, name: str) -> float:
        """Where the ramp stands."""
        target, ramp = self.targets[name], self.constants.ramp
        left = 1 - min(self._progress / ramp, 1.0) if ramp else 0.0
        above = max(self._begin[name] / target, 1.0)
        return float(target * above**left)
