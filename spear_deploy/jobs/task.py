"""A model with the data that it is run on: found by name, and answered by the network where it holds no labels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch

from spear_deploy.data import (
    Dataset,
    EncodedSplit,
    Labels,
    Split,
    SplitName,
    check_fits,
    drawn,
    encode,
    holds_values,
    telling,
    telling_in_words,
)
from spear_deploy.errors import DataError
from spear_deploy.jobs.data_place import Tell as Tell
from spear_deploy.jobs.data_place import find_data
from spear_deploy.measure import SCORINGS
from spear_deploy.network import Model, Reading, Simulation, batches, samples_at_once
from spear_deploy.training import taught

NOTICE = "holds no labels: the network's own {answers} serve, and {score} means agreement with it"


@dataclass(frozen=True)
class Task:
    """A model, data that suits it, and the seed that its encoding follows from.

    Attributes:
        model: the network.
        data: its data set.
        seed: of the encoding.

    Raises:
        DataError: samples or labels do not suit the network, or the seed is negative.

    """

    model: Model
    data: Dataset
    seed: int = 0

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise DataError(f"a seed is 0 or more, found {self.seed}")
        model = self.model
        told = model.classes if model.objective.tells_classes else model.values
        check_fits(self.data, model.encoding, model.network.input_shape, told, model.objective.kind)

    @property
    def labels(self) -> Labels:
        """Who says what is right: the data, or the network where they do not."""
        return Labels.DENSE_NETWORK if self.data.labels is Labels.NONE else self.data.labels

    @cached_property
    def train(self) -> EncodedSplit:
        """The training split."""
        return self.encoded(SplitName.TRAIN)

    @cached_property
    def validation(self) -> EncodedSplit:
        """The split that choices are made on."""
        return self.encoded(SplitName.VALIDATION)

    @cached_property
    def test(self) -> EncodedSplit:
        """The split that final figures are measured on."""
        return self.encoded(SplitName.TEST)

    def encoded(self, name: SplitName, count: int | None = None) -> EncodedSplit:
        """A split as the network takes it, or the first `count` samples of it."""
        return self._encoded(self.split(name, count))

    def some(self, name: SplitName, count: int) -> EncodedSplit:
        """`count` samples that stand for all of a split, whatever the order of the file; see `drawn`."""
        return self._encoded(self._with_labels(drawn(self._given(name), count)))

    def calibration(self, count: int) -> EncodedSplit:
        """The training samples that scales of integers are chosen on; see `telling`."""
        few = self.some(SplitName.TRAIN, count)
        return few if not few.analog or holds_values(few) else telling(self._encoded(self.data.train), count)

    def calibration_name(self, count: int) -> str:
        """What `calibration(count)` is, in words."""
        return f"{self.data.name}, {telling_in_words(self.train, count)}, seed {self.seed}"

    def split(self, name: SplitName, count: int | None = None) -> Split:
        """A split with its labels, or the first `count` samples of it."""
        given = self._given(name)
        return self._with_labels(given if count is None else given.first(count))

    @property
    def notices(self) -> tuple[str, ...]:
        """What a user hears of the data: what was doubted when they were read, and that they hold no labels."""
        doubts = tuple(f"{self.data.name}: {each}" for each in self.data.notices)
        if self.data.labels is not Labels.NONE:
            return doubts
        answers = "classes" if self.model.objective.tells_classes else "values"
        notice = NOTICE.format(answers=answers, score=SCORINGS[self.model.objective.kind].name)
        return (*doubts, f"{self.data.name} {notice}")

    def too_few(self, name: SplitName, asked: int | None) -> list[str]:
        """What a user hears who asked for more samples than a split holds; nothing else."""
        held = len(self._given(name))
        few = asked is not None and asked > held
        return [f"{self.data.name} has {held} {name} samples, {asked} were asked for"] if few else []

    def _given(self, name: SplitName) -> Split:
        return {split.name: split for split in self.data.splits}[name]

    def _with_labels(self, split: Split) -> Split:
        return labelled_by(self.model, split, seed=self.seed) if self.data.labels is Labels.NONE else split

    def _encoded(self, split: Split) -> EncodedSplit:
        return encode(split, self.model.encoding, self.model.time_steps, seed=self.seed)

    def labelled(self) -> Task:
        """The same with labels that stay as they are, whatever is done to the network.

        Where the data hold none, they are the answers and outputs of `model`, the network as the
        user gave it: pruned ones learn those outputs, and are right where they give those answers.
        What pruning and any conversion before it change then both count against the accuracy.
        """
        if self.data.labels is not Labels.NONE:
            return self
        train, validation, test = (self.split(name) for name in SplitName)
        data = replace(self.data, train=train, validation=validation, test=test, labels=Labels.DENSE_NETWORK)
        return replace(self, data=data)


def load_task(
    path: Path,
    data: str | None = None,
    *,
    reading: Reading | None = None,
    seed: int = 0,
    tell: Tell = lambda text: None,
) -> Task:
    """Load a model file with its data.

    Args:
        path: the model file.
        data: a data set's name or path; by default the one that the model was made with or names, see `find_data`.
        reading: what the file leaves unsaid, or how else it is to be used.
        seed: of the encoding.
        tell: hears what was assumed or changed when the file was read, and which data were taken in its place; what is
            to be told of these themselves stands in the task's `notices`, for the job that uses it.

    Raises:
        ModelError: the model cannot be loaded.
        DataError: nobody names data, or they cannot be loaded or do not suit the model.

    """
    model = load_model(path, reading=reading, tell=tell)
    found = find_task(path, model, data, seed=seed, tell=tell)
    if found is None:
        raise DataError(f"{path}: the model does not name its data; give `data='digits'` or `data='file.npz'`")
    return found


def load_model(path: Path, *, reading: Reading | None = None, tell: Tell = lambda text: None) -> Model:
    """Load a model file of any kind; see `load_task`.

    Raises:
        ModelError: the model cannot be loaded.

    """
    model = (reading or Reading()).load(path)
    for notice in model.notices:
        tell(notice)
    return model


def find_task(
    path: Path, model: Model, data: str | None = None, *, seed: int = 0, tell: Tell = lambda text: None
) -> Task | None:
    """A model, loaded from `path`, with its data; None where neither the user nor the model names any.

    Raises:
        DataError: the data cannot be loaded, or do not suit the model.

    """
    source = find_data(path, model, data, tell)
    if source is None:
        return None
    return Task(model, source, seed)


def labelled_by(model: Model, split: Split, *, seed: int) -> Split:
    """A split with the answers that a network gives its samples, and what is learned of them, in torch float64.

    `seed` is the encoding's: the network judges the very spikes that it is later run on.
    """
    encoded = encode(split, model.encoding, model.time_steps, seed=seed)
    simulation = Simulation(model.graph, torch.float64)
    with torch.no_grad():
        size = samples_at_once(model.network, model.time_steps)
        runs = [simulation(encoded.take(part).as_stored()).output for part in batches(len(encoded), size)]
    answers = torch.cat([model.answers(output) for output in runs])
    outputs = torch.cat([taught(model, output).float() for output in runs])
    return replace(split, y=answers.float() if answers.is_floating_point() else answers, outputs=outputs)
