"""What training makes small: the distance of a network's outputs from what it is to answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from spear_deploy.data import EncodedSplit
from spear_deploy.network import Model, Objective, ReadOut
from spear_deploy.network.objective import CLASSIFICATION, RECONSTRUCTION, REGRESSION, values_of
from spear_deploy.network.read_out import read_outputs, two_classes


@dataclass(frozen=True)
class TaskLoss:
    """The loss of a network's outputs to labels or to another network's answers.

    Attributes:
        objective: what the network answers.
        read_out: what of its outputs is looked at.
        population: outputs for each answer.
        spread: standard deviation of each value `[K]` that a regression is to tell, in whose units its errors are; of a
            reconstruction one for all.
        unit: of the membranes that classes are read from, which a softmax takes in multiples of it.

    """

    objective: Objective
    read_out: ReadOut
    population: int = 1
    spread: Tensor | None = None
    unit: float = 1.0

    @classmethod
    def of(cls, model: Model, data: EncodedSplit) -> TaskLoss:
        """The loss of a model on training data."""
        spread = None
        if not model.objective.tells_classes:
            variance = data.labels.double().var(0, correction=0)
            alike = model.objective.kind == RECONSTRUCTION
            deviation = (variance.mean().expand_as(variance) if alike else variance).sqrt()
            spread = deviation.where(deviation > 0, 1.0)
        return cls(model.objective, model.read_out, model.population, spread)

    def __call__(self, output: Tensor, wanted: Tensor) -> Tensor:
        """Of outputs `[T, B, *shape]`; `wanted` are labels, or what another network `taught`."""
        return _LOSSES[self.objective.kind](self, output, wanted.to(output.device))


def taught(model: Model, output: Tensor) -> Tensor:
    """What other networks learn of a network's outputs `[T, B, *shape]`: its `read_outputs`, or the values it tells."""
    if model.objective.tells_classes:
        return read_outputs(output, model.read_out)
    return model.answers(output).to(output.dtype)


def _of_classes(task: TaskLoss, output: Tensor, wanted: Tensor) -> Tensor:
    if task.unit != 1:
        output, wanted = output / task.unit, wanted / task.unit if wanted.ndim > 1 else wanted
    return loss(output, wanted, task.read_out, task.population)


def _of_values(task: TaskLoss, output: Tensor, wanted: Tensor) -> Tensor:
    """The mean squared error, in units of the variance of what is to be told: 1 is as good as its mean."""
    told = values_of(output, task.read_out, task.population, task.objective.scale)
    spread = told.new_ones(()) if task.spread is None else task.spread.to(told)
    return F.mse_loss(told / spread, wanted.to(told) / spread)


_LOSSES: Mapping[str, Callable[[TaskLoss, Tensor, Tensor], Tensor]] = {
    CLASSIFICATION: _of_classes,
    REGRESSION: _of_values,
    RECONSTRUCTION: _of_values,
}


def scores_of(output: Tensor, read_out: ReadOut, population: int = 1) -> Tensor:
    """What outputs `[T, B, *shape]` say of each class, `[B, classes]`."""
    mean = read_outputs(output, read_out)
    if population > 1:
        mean = mean.reshape(len(mean), -1, population).mean(2)
    return two_classes(mean, read_out)


def loss(output: Tensor, wanted: Tensor, read_out: ReadOut, population: int = 1) -> Tensor:
    """The training loss of outputs `[T, B, *shape]`.

    `wanted` are labels `[B]`, or another network's `read_outputs`, `[B, outputs]`. With a population
    of outputs for each class, labels are held against its mean; a single output is no or yes (`two_classes`).

    count: squared distance between firing rates and one-hot labels, or those outputs, summed
    over classes. membrane: cross-entropy of the membrane's mean over time with the labels, or
    with the softmax of those outputs. last: the same of the last step. largest: the
    same of the largest over time.
    """
    wanted = wanted.to(output.device)
    is_label = wanted.ndim == 1
    mean = scores_of(output, read_out, population if is_label else 1)
    wanted = wanted if is_label else two_classes(wanted, read_out)
    if read_out is not ReadOut.COUNT:
        return F.cross_entropy(mean, wanted if is_label else wanted.softmax(1))
    target = F.one_hot(wanted, mean.shape[1]).to(mean.dtype) if is_label else wanted
    return (mean - target).square().sum(1).mean()
