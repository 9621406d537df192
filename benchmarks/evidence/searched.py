"""What searches on one network share: its candidates, an estimator, and the splits they are judged on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol

import torch

from benchmarks.evidence.settings import BUILD
from spear_deploy.data import EncodedSplit, encode, load_data
from spear_deploy.network import load_any
from spear_deploy.network.fingerprint import fingerprint
from spear_deploy.search import ESTIMATORS, CandidateFactory, Estimator, SampleStore, StoreKey, collect_samples
from spear_deploy.search.pipelines import pipeline_named

SAMPLES = 12
"""Of LRE, the same for all searches on a network."""


class Searchable(Protocol):
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
def searched(setting: Searchable, pipeline: str, estimator: str, store: Path = BUILD / "lre") -> Searched:
    """The candidates of a pipeline, and LRE's samples for it: made once, and kept in `store`."""
    way = pipeline_named(pipeline)
    model, data = load_any(setting.model()), load_data(setting.data)
    train, validation, test = (encode(split, model.encoding, model.time_steps) for split in data.splits)
    factory = CandidateFactory(model, train, recalibrates=way.recalibrates)
    key = StoreKey(
        model=fingerprint(model),
        data=data.sha256,
        encoding=str(model.encoding),
        recipe=way.plan.plain,
        widths=factory.widths,
        seed=0,
        threads=torch.get_num_threads(),
        torch=torch.__version__,
        recalibrates=way.recalibrates,
    )
    samples = collect_samples(factory, SAMPLES, way.plan.plain, seed=0, store=SampleStore(store, key))
    return Searched(factory, ESTIMATORS[estimator](samples), validation, test)
