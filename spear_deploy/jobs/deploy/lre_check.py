"""LRE's prediction against what it predicts: SynOps after the plain fine-tune, on data it never saw."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from spear_deploy.backends.backend import Backend, Executable, measure_executable, measure_on
from spear_deploy.backends.torch import TorchBackend
from spear_deploy.data import EncodedSplit
from spear_deploy.errors import BackendError
from spear_deploy.jobs.deploy.search import Pruned
from spear_deploy.jobs.deploy.verification import beside
from spear_deploy.measure import Measurement
from spear_deploy.network import Model
from spear_deploy.network.device import CPU
from spear_deploy.network.fingerprint import fingerprint
from spear_deploy.report.build import limit_prediction
from spear_deploy.report.checks import error_percent
from spear_deploy.report.lre_part import LreCheck
from spear_deploy.report.schema import LimitPrediction
from spear_deploy.search import Finalist, Prediction
from spear_deploy.system.journal import NOTHING, Journal
from spear_deploy.targets.target import Target

VERIFIED_SAMPLES = 100
"""Test samples that the plainly fine-tuned network runs in programs of others: it only serves this check."""


def tested_in(
    backend: Backend, executable: Executable, model: Model, test: EncodedSplit, journal: Journal
) -> Measurement:
    """What a network does on the test split in one arithmetic, measured once in a run."""
    return journal.remember(
        Measurement,
        "measurement",
        "test",
        backend.name,
        fingerprint(model),
        make=lambda: measure_executable(executable, model, test),
    )


def plain_on_test(finalist: Finalist, target: Target, test: EncodedSplit, journal: Journal) -> dict[str, Measurement]:
    """The plainly fine-tuned network on the test split, in torch float64 and in the target's arithmetic, by backend."""
    model, floating, own = finalist.plain.model, TorchBackend(), target.backend
    found = {floating.name: tested_in(floating, floating.prepare(model), model, test, journal)}
    if own.name != floating.name:
        found[own.name] = measure_on(own, model, test)
    return found


def check_limits(pruned: Pruned, target: Target, tested: Measurement) -> dict[str, LimitPrediction]:
    """What the search predicted of limits on activity, beside the plainly fine-tuned network on test, by their keys.

    `tested` is in the target's arithmetic.
    """
    problem, winner = pruned.problem, pruned.choice.winner
    if not problem.activity_limits:
        return {}
    candidate = problem.factory.candidate(winner.features.keep_ratios)  # closing steps change the winner's own
    network = winner.plain.model.network
    uses = target.activity_uses(network, target.activity(winner.plain.model, tested))
    return {
        each.limit.quantity.key: limit_prediction(each.predict(candidate), use)
        for each, use in zip(problem.activity_limits, uses, strict=True)
    }


def check_prediction(
    finalist: Finalist,
    target: Target,
    test: EncodedSplit,
    trained_on: int,
    plain: Mapping[str, Measurement],
    verifiers: Sequence[Backend],
    tell: Callable[[str], None],
    journal: Journal = NOTHING,
) -> dict[str, LreCheck]:
    """LRE's interval and what each backend measured of the plainly fine-tuned network on the test split.

    By backend: torch in float64, the target's integers where it has some (`plain`), and in floating point
    those of `verifiers` that must repeat torch, on some samples. LRE speaks of the mean over the samples that it was
    `trained_on`.
    """
    model = finalist.plain.model
    floating = TorchBackend()
    in_torch = floating.prepare(model)
    tested = plain[floating.name]
    prediction = for_images(finalist.prediction, tested, trained_on, target.dense)
    checks = {floating.name: check_of(floating.arithmetic, prediction, tested)}
    own = target.backend
    if own.name != floating.name:
        checks[own.name] = check_of(own.arithmetic, target.from_torch(prediction), plain[own.name])
    few = test.take(slice(0, VERIFIED_SAMPLES)).on(CPU)
    for backend in verifiers:
        if backend.reference != floating.name:
            continue
        try:
            found = beside(model, backend, in_torch, few, journal)
        except BackendError as error:  # the pruned network itself ran; its verdict does not hang on this check
            tell(f"LRE's prediction is not held against {backend.name}: {error}")
            continue
        scale = found.reference.synops / tested.synops if tested.synops else 1.0
        checks[backend.name] = check_of(backend.arithmetic, prediction.scaled(scale), found.measured)
    return checks


def for_images(prediction: Prediction, tested: Measurement, seen: int, alike: Measurement) -> Prediction:
    """A prediction of the mean over `seen` samples, widened by what these and the tested ones may lie apart.

    Both are finite and independent of each other. How far single samples lie apart is that of the tested ones, of a
    single one that of `alike`.
    """
    spread = tested if tested.samples > 1 else alike
    each = spread.per_sample.numpy()
    relative = float(each.std(ddof=1)) / spread.synops if len(each) > 1 and spread.synops else 0.0
    return prediction.widened(relative * np.sqrt(1 / tested.samples + 1 / seen))


def check_of(arithmetic: str, predicted: Prediction, measured: Measurement) -> LreCheck:
    """A prediction beside a measurement on the same images in the same arithmetic."""
    return LreCheck(
        arithmetic=arithmetic,
        samples=measured.samples,
        synops=measured.synops,
        predicted=predicted.value,
        low=predicted.low,
        high=predicted.high,
        covered=predicted.low <= measured.synops <= predicted.high,
        error_percent=error_percent(predicted.value, measured.synops),
    )
