"""LRE's samples for a run: read from the cache as far as they are there, made where they are not."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from spear_deploy.errors import DataError
from spear_deploy.jobs.deploy.request import DeployRequest
from spear_deploy.jobs.memory import processes_within
from spear_deploy.jobs.progress import Advance, Progress
from spear_deploy.network.device import describe, device_named
from spear_deploy.network.fingerprint import fingerprint
from spear_deploy.search import (
    CandidateFactory,
    ConstantEstimator,
    LreSample,
    SampleStore,
    StoreKey,
    collect_samples,
    sure_enough,
)
from spear_deploy.search.lre.selection import SURE
from spear_deploy.system.cluster import Cluster
from spear_deploy.system.executors import Processes
from spear_deploy.system.journal import Recalled
from spear_deploy.training import Recipe

FEWEST = ConstantEstimator.fewest_samples + 1
"""An estimator must still be fitted when one sample is left out."""

MORE = 1.5
"""Where LRE is not sure enough to search with, up to so many times the samples are made."""


def sample_lre(
    factory: CandidateFactory,
    request: DeployRequest,
    recipe: Recipe,
    data_sha256: str,
    budgets_synops: Sequence[float],
    advance: Advance,
    progress: Progress,
    recalled: Recalled,
    cluster: Cluster | None = None,
) -> list[LreSample]:
    """The samples that a request asks for, fine-tuned by `recipe`; with `lre_error`, no more than the budgets need.

    Without it, half as many more where the interval at a budget is too wide to search with.

    `budgets_synops` are what searches will be held to, in torch's arithmetic; `recalled` counts samples
    that were there already; `cluster` makes them where there is one.

    Raises:
        DataError: too few of the sampled networks still spike.

    """
    store = None
    if request.cache is not None:
        key = StoreKey(
            model=fingerprint(factory.model),
            data=data_sha256,
            encoding=str(factory.model.encoding),
            recipe=recipe,
            widths=factory.widths,
            seed=request.seed,
            threads=request.threads,
            torch=torch.__version__,
            device=describe(device_named(request.device)),
            recalibrates=factory.recalibrates,
        )
        store = SampleStore(request.cache, key, progress.notice, recalled, request.lre_samples)
    error = request.lre_error
    sure = sure_enough(factory, budgets_synops, error or SURE)
    network, batch = factory.model.network, recipe.batch
    workers = processes_within(network, factory.model.time_steps, batch, request.workers, request.memory_bytes)
    if workers < request.workers:
        progress.notice(f"memory for {workers} instead of {request.workers} processes (`workers`, `memory_bytes`)")
    samples = collect_samples(
        factory,
        request.lre_samples if error is not None else math.ceil(MORE * request.lre_samples),
        recipe,
        request.seed,
        advance,
        executor=cluster or Processes(workers),
        enough=sure,
        fewest=0 if error is not None else request.lre_samples,
        store=store,
        notice=progress.notice,
    )
    if len(samples) < FEWEST:
        raise DataError(
            f"only {len(samples)} of LRE's sampled networks still spike after fine-tuning, {FEWEST} are needed:"
            " ask for more (`lre_samples`), or for longer fine-tunes (`plan.plain.epochs`)"
        )
    if len(samples) > request.lre_samples:
        progress.notice(
            f"LRE was not sure enough to search with after {request.lre_samples} samples:"
            f" {len(samples) - request.lre_samples} more were made"
        )
    if error is not None and not sure(samples):
        progress.notice(
            f"{len(samples)} samples leave LRE's interval at the budget wider than +-{error:.1%};"
            " more `lre_samples` narrow it"
        )
    return samples
