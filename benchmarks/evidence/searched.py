"""What searches on one network share: its candidates, an estimator, and the splits they are judged on."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

import torch

from benchmarks.evidence.settings import BUILD
from spear_deploy.data import EncodedSplit, encode, load_data
from spear_deploy.network import load_any
from spear_deploy.network.fingerprint import fingerprint
from spear_deploy.search import (
    ESTIMATORS,
    CandidateFactory,
    Estimator,
    LreSample,
    SampleStore,
    StoreKey,
    collect_samples,
)
from spear_deploy.search.pipelines import pipeline_named

SAMPLES = 12
"""Of LRE, the same for all searches on a network."""


class Searchable(Hashable, Protocol):
    """A network to search on, and its data."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...

    @property
    def data(self) -> str:
        """A data set's name or its path."""
        ...

    def model(self) -> Path:
        """Its model file."""
        ...

    def lre_samples(self, pipeline: str) -> Sequence[LreSample]:
        """LRE's samples that come with it, for a pipeline; none: they are to be made."""
        ...


@dataclass(frozen=True)
class Searched:
    """What searches on a network share.

    Attributes:
        factory: of its candidates.
        estimator: fitted on a few samples.
        validation: what candidates are chosen on.
        test: what their accuracy is told on.

    """

    factory: CandidateFactory
    estimator: Estimator
    validation: EncodedSplit
    test: EncodedSplit


@cache
def searched(setting: Searchable, pipeline: str, estimator: str) -> Searched:
    """The candidates of a pipeline, and LRE's fit to its samples."""
    model, data = load_any(setting.model()), load_data(setting.data)
    train, validation, test = (encode(split, model.encoding, model.time_steps) for split in data.splits)
    factory = CandidateFactory(model, train, recalibrates=pipeline_named(pipeline).recalibrates)
    samples = setting.lre_samples(pipeline) or made_samples(factory, pipeline, data.sha256)
    return Searched(factory, ESTIMATORS[estimator](samples), validation, test)


def made_samples(
    factory: CandidateFactory, pipeline: str, data_sha256: str, store: Path = BUILD / "lre"
) -> list[LreSample]:
    """LRE's samples for a pipeline: each is made once, and kept in `store`."""
    model, recipe = factory.model, pipeline_named(pipeline).plan.plain
    key = StoreKey(
        model=fingerprint(model),
        data=data_sha256,
        encoding=str(model.encoding),
        recipe=recipe,
        widths=factory.widths,
        seed=0,
        threads=torch.get_num_threads(),
        torch=torch.__version__,
        recalibrates=factory.recalibrates,
    )
    return collect_samples(factory, SAMPLES, recipe, seed=0, store=SampleStore(store, key))
