"""Runs that differ in nothing but their seed, as one result with its spread."""

from __future__ import annotations

import json
from collections.abc import Mapping
from statistics import mean, stdev

from spear_deploy.report.front import judged
from spear_deploy.report.schema import Report
from spear_deploy.report.words.scores import names as names_of_scores
from spear_deploy.report.words.scores import score_text

SEEDS_SAID = (
    "Means over seeds, ± their standard deviation: runs that differ in nothing else, on test, as each is judged"
)

FREE = frozenset(
    {
        *("seed", "model", "model_sha256", "data"),  # a network and its data are known by their content
        *("workers", "memory_bytes", "plot", "lava_seconds", "lava_python"),
    }
)
"""Of what was asked for, what may differ between runs beside each other: no result depends on it but by the seed."""


def by_seed(reports: Mapping[str, Report]) -> list[dict[int, Report]]:
    """Runs by their seeds, of each network, chip, budget and setting that has several; of one seed the last run."""
    found: dict[str, dict[int, Report]] = {}
    for report in reports.values():
        if report.request is not None and not report.interrupted and report.verdict.basis in report.measured:
            found.setdefault(_setting(report), {})[report.seed] = report
    return [runs for runs in found.values() if len(runs) > 1]


def seed_columns(reports: Mapping[str, Report]) -> tuple[str, ...]:
    """The heads of `seed_rows`."""
    return (
        *("target", "budget", "seeds", names_of_scores(reports.values()), "to dense", "SynOps / inference"),
        *("of the budget", "ok", "LRE inside"),
    )


def seed_rows(reports: Mapping[str, Report]) -> list[tuple[str, ...]]:
    """A row for each setting that several seeds were run of."""
    return [_row(list(runs.values()), sorted(runs)) for runs in by_seed(reports)]


def _row(runs: list[Report], seeds: list[int]) -> tuple[str, ...]:
    one, number = runs[0], len(runs)
    shares = [report.budget.limits[0].pruned / report.budget.limits[0].allowed for report in runs]
    drops = [-report.answers.drop_points for report in runs if report.answers is not None]
    accuracies = [judged(report).accuracy for report in runs]
    return (
        one.target,
        one.budget.source,
        ", ".join(map(str, seeds)),
        f"{score_text(one, mean(accuracies))} ± {score_text(one, stdev(accuracies))}",
        _spread(drops, "+z.2f", ".2f") if len(drops) == number else "",
        _spread([judged(report).synops for report in runs], ",.0f", ",.0f"),
        f"{mean(shares):.1%}, at most {max(shares):.1%}",
        f"{sum(report.verdict.ok for report in runs)} of {number}",
        f"{sum(report.verdict.covered for report in runs)} of {number}",
    )


def _spread(values: list[float], form: str, form_of_spread: str) -> str:
    return f"{mean(values):{form}} ± {stdev(values):{form_of_spread}}"


def _setting(report: Report) -> str:
    """All but the seed that a result depends on."""
    asked = {key: value for key, value in (report.request or {}).items() if key not in FREE}
    content = [report.model_sha256, report.data_sha256]
    known = [*content, report.target, report.budget.source, report.versions, report.device, asked]
    return json.dumps(known, sort_keys=True, default=str)
