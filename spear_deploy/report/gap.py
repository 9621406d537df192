"""Where the gap between predicted and measured SynOps comes from, and how often the interval held.

For the plainly fine-tuned network, let P be LRE's prediction in torch, f the factor from torch to
the target's arithmetic (that of the dense network on validation), V its SynOps in torch on
validation, T in torch on test, and L in the target's arithmetic on test. Then

    P f / L  =  P / V   x   V / T   x   T f / L
    gap         LRE         data        quantisation

A report holds V only in the target's arithmetic, V' = V L / T, if rounding changes SynOps by the
same factor on validation as on test; measured again, V itself is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import log

from spear_deploy.backends import TORCH
from spear_deploy.report import LayerReport, Report
from spear_deploy.report.checks import besides_torch, checks, computes_as_target
from spear_deploy.report.lre_part import LreCheck


@dataclass(frozen=True)
class Gap:
    """The parts of predicted / measured, as factors; None where the run does not hold them.

    Their product is `total`.
    """

    total: float
    lre: float | None
    data: float | None
    quantisation: float

    @property
    def largest(self) -> str | None:
        """The part that is farthest from 1; None where a part is not known."""
        if self.lre is None or self.data is None:
            return None
        parts = {"LRE": self.lre, "data": self.data, "quantisation": self.quantisation}
        return max(parts, key=lambda name: abs(log(parts[name])))


@dataclass(frozen=True)
class LayerGap:
    """SynOps of one layer on test, by backend, and what rounding changed (a share; None: not both known)."""

    layer: str
    synops: dict[str, float]
    rounding: float | None


@dataclass(frozen=True)
class RunCheck:
    """One run.

    Attributes:
        run: its name.
        target: its chip.
        basis: the backend that is judged.
        checks: predicted against measured, by backend.
        gap: of the basis; None where the basis has no check.
        layers: SynOps layer by layer.
        network: which network the layers are of.
        again: whether it was measured again, or the figures are those of the run.
        delivered: the same of the network after the second phase, of which the run predicted less; empty where that is
            the plainly fine-tuned one, or is measured again.

    """

    run: str
    target: str
    basis: str
    checks: dict[str, LreCheck]
    gap: Gap | None
    layers: tuple[LayerGap, ...]
    network: str
    again: bool = False
    delivered: dict[str, LreCheck] = field(default_factory=dict)

    @property
    def covered(self) -> bool:
        """Whether LRE's interval, which is of the plainly fine-tuned network, holds what every backend measured."""
        return bool(self.checks) and all(check.covered for check in self.checks.values())


@dataclass(frozen=True)
class Coverage:
    """All runs together, by their basis; errors are absolute.

    Attributes:
        runs: how many.
        covered: in how many the interval holds what every backend measured.
        mean_error_percent, worst_error_percent: of the prediction; None where nothing spiked in any run.

    """

    runs: int
    covered: int
    mean_error_percent: float | None
    worst_error_percent: float | None


@dataclass(frozen=True)
class Again:
    """The plainly fine-tuned network, measured again.

    Attributes:
        validation_synops: in torch on validation.
        checks: predicted against measured on test, by backend.
        layers: on test, by backend.

    """

    validation_synops: float
    checks: dict[str, LreCheck]
    layers: dict[str, list[LayerReport]]


def check_run(run: str, report: Report, again: Again | None = None) -> RunCheck:
    """Hold a run's prediction against its measurements, or against new ones."""
    found = checks(report) if again is None else again.checks
    basis = report.verdict.basis
    layers = {name: one.per_layer for name, one in report.measured.items()} if again is None else again.layers
    plain = again is not None or not report.lre.check
    return RunCheck(
        run=run,
        target=report.target,
        basis=basis,
        checks=found,
        gap=_gap(report, found, basis, again),
        layers=_layers(layers, _rounding(report)),
        network="after the plain fine-tune" if plain else "final, after the second phase",
        again=again is not None,
        delivered={} if again is not None or report.lre.delivered is None else dict(report.lre.delivered.check),
    )


def coverage(runs: Sequence[RunCheck]) -> Coverage | None:
    """Coverage and errors over many runs; None where no run has a check of its basis."""
    held = [run.checks[run.basis].error_percent for run in runs if run.basis in run.checks]
    if not held:
        return None
    errors = [abs(error) for error in held if error is not None]
    mean, worst = (sum(errors) / len(errors), max(errors)) if errors else (None, None)
    return Coverage(len(runs), sum(run.covered for run in runs), mean, worst)


def _gap(report: Report, found: dict[str, LreCheck], basis: str, again: Again | None) -> Gap | None:
    judged, in_torch = found.get(basis), found.get(TORCH)
    if judged is None or in_torch is None or not judged.synops or not in_torch.synops:
        return None
    total = judged.predicted / judged.synops
    if computes_as_target(report, judged.arithmetic):
        quantisation = report.lre.target_factor * in_torch.synops / judged.synops
        rounded = judged.synops / in_torch.synops
    else:  # the same arithmetic: a subset of the images is no rounding
        quantisation, rounded = 1.0, 1.0
    validation = again.validation_synops if again is not None else _validation(report, rounded)
    if not validation:
        return Gap(total, None, None, quantisation)
    return Gap(total, total / quantisation / (validation / in_torch.synops), validation / in_torch.synops, quantisation)


def _validation(report: Report, rounded: float) -> float | None:
    """SynOps of the plainly fine-tuned winner on validation in torch, from those in the target's arithmetic."""
    chosen = next((one for one in report.finalists if one.chosen), None)
    if chosen is not None and chosen.closes is not None:  # LRE is held against the finalist that was closed
        chosen = report.finalists[chosen.closes]
    return None if chosen is None or chosen.plain_synops is None else chosen.plain_synops / rounded


def _rounding(report: Report) -> str | None:
    """The backend that computes as the target does, where that is not torch."""
    names = besides_torch(report)
    return next((name for name in names if computes_as_target(report, report.measured[name].arithmetic)), None)


def _layers(by_backend: dict[str, list[LayerReport]], rounding: str | None) -> tuple[LayerGap, ...]:
    names = dict.fromkeys(row.layer for rows in by_backend.values() for row in rows)
    found = []
    for name in names:
        synops = {backend: row.synops for backend, rows in by_backend.items() for row in rows if row.layer == name}
        exact, rounded = synops.get(TORCH), None if rounding is None else synops.get(rounding)
        found.append(LayerGap(name, synops, rounded / exact - 1 if exact and rounded is not None else None))
    return tuple(found)
