"""What was measured on the test split, from which the report and the verdict follow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from spear_deploy.backends.backend import Executable, measure_on
from spear_deploy.backends.fixed_point.losses import RoundingLoss
from spear_deploy.backends.side_by_side import Result, observe
from spear_deploy.backends.torch import TorchBackend
from spear_deploy.errors import BudgetError
from spear_deploy.jobs.deploy.delivered import check_delivered
from spear_deploy.jobs.deploy.lre_check import check_limits, check_prediction, plain_on_test, tested_in
from spear_deploy.jobs.deploy.prepare import Prepared
from spear_deploy.jobs.deploy.reference import SAME_FINE_TUNE
from spear_deploy.jobs.deploy.request import DeployRequest
from spear_deploy.jobs.deploy.search import Pruned
from spear_deploy.jobs.deploy.verification import Verification, verifiers, verify
from spear_deploy.jobs.device_proof import prove_device
from spear_deploy.jobs.progress import Clock
from spear_deploy.measure import (
    SCORINGS,
    Compared,
    EffectiveOperations,
    Measurement,
    effective_operations,
)
from spear_deploy.measure.answers import DENSE
from spear_deploy.network.device import CPU
from spear_deploy.network.fingerprint import fingerprint
from spear_deploy.report.lre_part import DeliveredLre, LreCheck
from spear_deploy.report.schema import LimitPrediction
from spear_deploy.targets.target import Target


@dataclass(frozen=True)
class BothNetworks:
    """The dense and the pruned network, measured in one arithmetic."""

    arithmetic: str
    dense: Measurement
    pruned: Measurement


@dataclass(frozen=True)
class Evidence:
    """What was measured on the test split.

    Attributes:
        in_torch: both networks in torch, float64.
        on_target: both in the target's arithmetic.
        verified: the pruned network in backends that must repeat one of these.
        lre_checks: LRE's prediction beside the plainly fine-tuned network, which it predicts, by backend.
        answers: of the pruned network in the target's arithmetic, beside those of the dense one after the same
            fine-tune, or as it was given where the fine-tune did it harm: whichever is right more often.
        answers_to_given: likewise, beside those of the dense one as it was given.
        unrounded: beside those of the dense one as it is in floating point; None where the target computes in it.
        answers_to_tuned: likewise, beside those of the dense one after the same fine-tune.
        delivered: what was predicted of the pruned network itself, beside what each backend measured of it; None
            where that is the plainly fine-tuned network, which `lre_checks` are about, or one that no fine-tune is left
            of.
        effective: operations as NeuroBench counts them, of the dense and of the pruned network.
        losses: of rounding, where the target computes in integers.
        limit_predictions: what the search predicted of limits on activity beside mean SynOps, and what the plainly
            fine-tuned network used of them, by the key of the quantity.
        raster: what each layer of the pruned network sends on the first sample, `[T, 1, *shape]`, in torch.

    """

    in_torch: BothNetworks
    on_target: BothNetworks
    verified: Verification
    lre_checks: Mapping[str, LreCheck]
    answers: Compared
    answers_to_given: Compared
    answers_to_tuned: Compared
    effective: tuple[EffectiveOperations, EffectiveOperations]
    delivered: DeliveredLre | None = None
    unrounded: Compared | None = None
    losses: Sequence[RoundingLoss] = ()
    raster: Mapping[str, Tensor] = field(default_factory=dict)
    limit_predictions: Mapping[str, LimitPrediction] = field(default_factory=dict)


Note = Callable[[str, Measurement], None]
"""Told each measurement as it is made, so that none is lost where a later one fails."""


def examine(
    pruned: Pruned,
    on_target: Executable,
    target: Target,
    prepared: Prepared,
    request: DeployRequest,
    clock: Clock,
    note: Note,
) -> Evidence:
    """Run both networks on the test split, the pruned one in every backend that was asked for.

    `on_target` is the pruned network as the target's backend prepared it.

    Raises:
        BudgetError: the pruned network fell silent.

    """
    model, task, test = pruned.model, prepared.task, prepared.test
    floating, own, tell = TorchBackend(), target.backend, clock.progress.notice
    journal = prepared.journal.within(target.key)
    with clock.stage("test"):
        in_torch = floating.prepare(model)
        tested = tested_in(floating, in_torch, model, test, journal)
        note("test, in torch", tested)
        _check_alive(request.model, tested)
        prove_device(model, own, test)
        observed = journal.remember(
            Result,
            "measurement",
            "test",
            "target",
            fingerprint(model),
            make=lambda: observe(own.name, on_target, model, test),
        )
        note(f"test, in {own.name}", observed.measurement)
    references = {own.name: on_target, floating.name: in_torch}
    wanted = verifiers(request, target.chip, prepared.factory.train, tuple(references), tell)
    in_tools = journal.within(request.lava_seconds)
    verified = verify(model, references, wanted, test, clock, in_tools)
    for each in verified.found:
        note(f"test, in {each.backend.name}", each.measured)
    with clock.stage("LRE check"):
        ran = [each.backend for each in verified.found]
        winner = pruned.choice.winner
        plain = plain_on_test(winner, target, test, journal)
        in_their_versions = in_tools.within(*verified.versions.values())
        trained_on = len(prepared.factory.train)
        checks = check_prediction(winner, target, test, trained_on, plain, ran, tell, in_their_versions)
        of_limits = check_limits(pruned, target, plain[own.name])
    dense_there, reference = (measure_on(own, network, test) for network in (task.model, prepared.reference))
    answered, between = observed.measurement.predictions, SCORINGS[model.objective.kind].between
    given, tuned, unrounded = (
        between(answered, other.predictions, test.labels, task.data.train.y, model.classes, name)
        for other, name in (
            (dense_there, DENSE),
            (reference, SAME_FINE_TUNE),
            (prepared.dense_test, f"{DENSE} in floating point"),
        )
    )
    return Evidence(
        in_torch=BothNetworks(floating.arithmetic, prepared.dense_test, tested),
        on_target=BothNetworks(own.arithmetic, dense_there, observed.measurement),
        verified=verified,
        lre_checks=checks,
        limit_predictions=of_limits,
        answers=max(tuned, given, key=lambda answers: answers.drop_points),
        answers_to_given=given,
        answers_to_tuned=tuned,
        effective=(effective_operations(task.model, test), effective_operations(model, test)),
        delivered=None
        if pruned.choice.winner.result is not pruned.choice.winner.final  # of the plain one are `lre_checks`
        else check_delivered(
            pruned, target, prepared, {floating.name: tested, own.name: observed.measurement}, verified.found
        ),
        unrounded=unrounded if own.name != floating.name else None,
        losses=observed.losses,
        raster=in_torch.run(test.take(slice(0, 1)).on(CPU).inputs).outputs,
    )


def _check_alive(path: Path, tested: Measurement) -> None:
    """A network that fell silent keeps every budget and is of no use.

    Raises:
        BudgetError: nothing spikes on the test split.

    """
    if not tested.synops:
        raise BudgetError(
            f"{path}: pruned to these limits, the network no longer spikes on the test split;"
            " allow more SynOps, or a larger chip"
        )
