"""What LRE's prediction can be held against in a report, of this version or an earlier one."""

from __future__ import annotations

from spear_deploy.report.schema import LreCheck, Report

IN_INTEGERS = ("loihi", "lava_fixed")
"""Backends that compute as the target does; predictions for them are scaled to its arithmetic."""


def predicted_in(report: Report, backend: str) -> tuple[float, float, float]:
    """LRE's prediction for a backend's arithmetic: low, value, high."""
    factor = report.lre.target_factor if backend in IN_INTEGERS else 1.0
    return factor * report.lre.low, factor * report.lre.predicted, factor * report.lre.high


def checks(report: Report) -> dict[str, LreCheck]:
    """LRE's prediction beside each backend's measurement of what it predicts, the plain fine-tune.

    Reports of before there was a second phase hold the pruned network's own measurements; there,
    a backend that ran fewer images than torch is left out: no prediction was made for these.
    """
    if report.lre.check or not report.measured:
        return report.lre.check
    most = max(found.samples for found in report.measured.values())
    found = {}
    for name, measured in report.measured.items():
        if measured.samples == most and measured.synops:
            low, value, high = predicted_in(report, name)
            found[name] = LreCheck(
                arithmetic=measured.arithmetic,
                samples=measured.samples,
                synops=measured.synops,
                predicted=value,
                low=low,
                high=high,
                covered=low <= measured.synops <= high,
                error_percent=100 * (value - measured.synops) / measured.synops,
            )
    return found
