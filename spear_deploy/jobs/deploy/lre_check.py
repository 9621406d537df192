"""LRE's prediction against what it predicts: SynOps after the plain fine-tune, on data it never saw."""

from __future__ import annotations

import numpy as np
import torch

from spear_deploy.backends.backend import TorchBackend, measure_ready
from spear_deploy.backends.lava import run_lava
from spear_deploy.data import EncodedSplit
from spear_deploy.errors import BackendError
from spear_deploy.measure import Measurement
from spear_deploy.report.schema import LreCheck
from spear_deploy.search import Finalist, Prediction
from spear_deploy.targets.target import Target
from spear_deploy.validation import compare_with_lava

LAVA_SAMPLES = 100
"""Test samples that the plainly fine-tuned network runs in Lava: it only serves this check."""

LAVA_SECONDS = 60.0


def check_prediction(finalist: Finalist, target: Target, test: EncodedSplit, *, in_lava: bool) -> dict[str, LreCheck]:
    """LRE's interval and what each backend measured of the plainly fine-tuned network on the test split.

    By backend: torch in float64, the target's integers where it has some, and Lava in float64.
    """
    model = finalist.plain.model
    in_torch = TorchBackend(torch.float64).ready(model)
    tested = measure_ready(in_torch, model, test)
    prediction = for_images(finalist.prediction, tested)
    checks = {"torch": check_of("float64", prediction, tested)}
    if target.backend.name != "torch":
        on_target = measure_ready(target.backend.ready(model), model, test)
        checks[target.backend.name] = check_of(target.backend.arithmetic, target.from_torch(prediction), on_target)
    if in_lava:
        few = test.take(slice(0, LAVA_SAMPLES))
        try:
            ran = run_lava(model, few.as_float64(), time_limit_s=5 * LAVA_SECONDS, sample_budget_s=LAVA_SECONDS)
        except BackendError:  # the pruned network itself ran; its verdict does not hang on this check
            return checks
        found = compare_with_lava("torch", in_torch, model, ran, few)
        checks["lava"] = check_of("float64", prediction.scaled(found.ours.synops / tested.synops), found.lava)
    return checks


def for_images(prediction: Prediction, tested: Measurement) -> Prediction:
    """A prediction of the mean, widened by what a finite set of images adds to it."""
    each = tested.per_sample.numpy()
    relative = float(each.std(ddof=1)) / tested.synops / np.sqrt(len(each)) if len(each) > 1 else 0.0
    return prediction.widened(relative)


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
        error_percent=100.0 * (predicted.value - measured.synops) / measured.synops,
    )
