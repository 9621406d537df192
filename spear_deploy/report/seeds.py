"""Runs that differ in nothing but their seed, as one result with its spread."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from spear_deploy.hardware import SYNOPS, parse_budget
from spear_deploy.hardware.limit import BUDGET
from spear_deploy.report.asked import BY_CONTENT, HOW_RUN
from spear_deploy.report.front import judged
from spear_deploy.report.schema import Report
from spear_deploy.report.words.names import names_apart
from spear_deploy.report.words.scores import names as names_of_scores
from spear_deploy.report.words.scores import score_text

SEEDS_SAID = (
    "Means over seeds, ± their standard deviation: runs that differ in nothing else, on test, as each is judged"
)

FREE = frozenset(
    {
        *HOW_RUN,
        *BY_CONTENT,
        *("seed", "lava_seconds", "lava_python"),
        *("budgets", "pareto", "targets"),  # of which a result is of one: see `_setting`
    }
)
"""Of what was asked for, what may differ between runs beside each other: no result depends on it but by the seed."""

SMALLEST = "smallest found"
"""Where a largest drop was given, and the budget of SynOps was looked for."""

MOST_TOLD = 3
"""Of the settings by which columns differ."""


def by_seed(reports: Mapping[str, Report]) -> list[dict[int, Report]]:
    """Runs by their seeds, of each network, chip, budget and setting that has several; of one seed the last run."""
    found = [{report.seed: report for report in alike.values() if not report.interrupted} for alike in _alike(reports)]
    return [runs for runs in found if len(runs) > 1]


def left_out(reports: Mapping[str, Report]) -> list[str]:
    """Which runs no mean over seeds holds, though they differ from others in nothing else, and why; in one part."""
    told = []
    for alike in _alike(reports):
        counted = {report.seed: name for name, report in alike.items() if not report.interrupted}
        if len({report.seed for report in alike.values()}) > 1:
            for name, report in alike.items():
                if report.interrupted:
                    told.append(f"{name}, seed {report.seed} (its user cut it short in the {report.interrupted})")
                elif counted[report.seed] != name:
                    told.append(f"{name}, seed {report.seed} (run once more: {counted[report.seed]})")
    return [f"In no mean: {'; '.join(told)}"] if told else []


def _alike(reports: Mapping[str, Report]) -> list[dict[str, Report]]:
    """Runs by their names, of each network, chip, budget and setting."""
    found: dict[str, dict[str, Report]] = {}
    for name, report in reports.items():
        if report.request is not None and report.verdict.basis in report.measured:
            key = json.dumps(_setting(report), sort_keys=True, default=str)
            found.setdefault(key, {})[name] = report
    return list(found.values())


def seed_columns(reports: Mapping[str, Report]) -> tuple[str, ...]:
    """The heads of `seed_rows`."""
    return (
        *("network", "target", "budget", *(("settings",) if any(_apart(by_seed(reports))) else ())),
        *("seeds", names_of_scores(reports.values()), "to dense", "SynOps / inference"),
        *("of the budget", "ok", "LRE inside"),
    )


def seed_rows(reports: Mapping[str, Report]) -> list[tuple[str, ...]]:
    """A row for each setting that several seeds were run of; no two read the same."""
    found = by_seed(reports)
    apart = _apart(found)
    return [
        (
            network,
            runs[min(runs)].target,
            _budget_text(list(runs.values())),
            *((told,) if any(apart) else ()),
            *_row(runs),
        )
        for network, told, runs in zip(_networks(found), apart, found, strict=True)
    ]


def _row(by: Mapping[int, Report]) -> tuple[str, ...]:
    runs = list(by.values())
    one, number = runs[0], len(runs)
    shares = [report.budget.limits[0].pruned / report.budget.limits[0].allowed for report in runs]
    drops = [-report.answers.drop_points for report in runs if report.answers is not None]
    accuracies = [judged(report).accuracy for report in runs]
    return (
        ", ".join(map(str, sorted(by))),
        f"{score_text(one, mean(accuracies))} ± {score_text(one, stdev(accuracies))}",
        _spread(drops, "+z.2f", ".2f") if len(drops) == number else "",
        _spread([judged(report).synops for report in runs], ",.0f", ",.0f"),
        f"{mean(shares):.1%}, at most {max(shares):.1%}",
        f"{sum(report.verdict.ok for report in runs)} of {number}",
        f"{sum(report.verdict.covered for report in runs)} of {number}",
    )


def _spread(values: list[float], form: str, form_of_spread: str) -> str:
    return f"{mean(values):{form}} ± {stdev(values):{form_of_spread}}"


def _networks(found: Sequence[Mapping[int, Report]]) -> list[str]:
    """What the networks are called: short names that differ where their contents do."""
    paths: dict[str, Path] = {}
    for runs in found:
        one = next(iter(runs.values()))
        paths.setdefault(one.model_sha256, Path(one.model).with_suffix(""))
    names = dict(zip(paths, names_apart(list(paths.values())), strict=True))
    return [names[next(iter(runs.values())).model_sha256] for runs in found]


def _budget_text(runs: Sequence[Report]) -> str:
    """What was allowed, as it was asked for; the smallest budget that was looked for as it was found."""
    one = runs[0]
    synops = [_synops_asked(one)]
    if synops == [SMALLEST]:
        found = [float(report.budget.source.removesuffix("%")) for report in runs]
        synops = [f"{SMALLEST}: {mean(found):.1f}% ± {stdev(found):.1f}%"]
    return ", ".join([*filter(None, synops), *(each["origin"].removeprefix(BUDGET) for each in _others(one))])


def _synops_asked(report: Report) -> str:
    """The budget of SynOps as it was asked for; empty where none was."""
    asked = report.request or {}
    budgets = [*_budgets_asked(report), *asked.get("pareto", ())]
    if not budgets or any(each["quantity"] == SYNOPS.key for each in budgets):
        return report.budget.source
    return SMALLEST if report.max_drop is not None else ""


def _budgets_asked(report: Report) -> list[dict[str, Any]]:
    """The budgets as a request holds them; what was asked from Python stood there as texts once."""
    found = []
    for each in (report.request or {}).get("budgets", ()):
        limit = parse_budget(each) if isinstance(each, str) else None
        told = {} if limit is None else {key: getattr(limit, key) for key in ("allowed", "origin", "share")}
        found.append(each if limit is None else {"quantity": limit.quantity.key, **told})
    return found


def _others(report: Report) -> list[dict[str, Any]]:
    """The budgets beside that of SynOps, whatever their order was."""
    budgets = [each for each in _budgets_asked(report) if each["quantity"] != SYNOPS.key]
    return sorted(budgets, key=lambda each: str(each["quantity"]))


def _setting(report: Report) -> dict[str, Any]:
    """All but the seed that a result depends on.

    Which budgets and targets else were asked for is part of it only where results depend on that: an agent learns from
    all of them, and with a largest error samples are made until each budget is sure enough.
    """
    asked = report.request or {}
    beside = ("budgets", "pareto", "targets")
    learns = asked.get("strategy") == "agent" or asked.get("agent") is not None
    of_all = learns or asked.get("lre_error") is not None
    return {
        **{key: value for key, value in asked.items() if key not in FREE},
        **{"model": report.model_sha256, "data": report.data_sha256, "versions": report.versions},
        **{"device": report.device, "target": report.target, "synops": _synops_asked(report)},
        "others": _others(report),
        "profile": [each for each in asked.get("targets", ()) if each["content"]["name"] == report.target],
        "front": {key: asked.get(key) for key in beside} if of_all else None,
    }


def _apart(found: Sequence[Mapping[int, Report]]) -> list[str]:
    """By which settings columns differ that are of one network, target and budget, in words; empty where by none."""
    ones = [next(iter(runs.values())) for runs in found]
    heads = [(one.model_sha256, one.target, _synops_asked(one), str(_others(one))) for one in ones]
    flat = [dict(_flat(_setting(one))) for one in ones]
    told = []
    for head in heads:
        alike = [values for values, other in zip(flat, heads, strict=True) if other == head]
        keys = dict.fromkeys(key for values in alike for key in values)
        told.append([key for key in keys if len({values.get(key) for values in alike}) > 1])
    texts = [_told(values, keys, one) for values, keys, one in zip(flat, told, ones, strict=True)]
    read = list(zip(heads, texts, strict=True))
    return [
        f"{text} ({1 + read[:place].count(read[place])})" if read.count(read[place]) > 1 else text
        for place, text in enumerate(texts)
    ]


def _told(values: Mapping[str, str], keys: Sequence[str], report: Report) -> str:
    texts = [
        f"data {report.data} ({values[key][:6]})" if key == "data" else f"{key} {values.get(key, 'none')}"
        for key in keys
    ]
    more = [f"and {len(texts) - MOST_TOLD} more"] if len(texts) > MOST_TOLD else []
    return ", ".join([*texts[:MOST_TOLD], *more])


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Each value of nested ones, by the names that lead to it."""
    if isinstance(value, dict | list):
        for name, one in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _flat(one, f"{key}.{name}" if key else str(name))
    else:
        yield key, "none" if value is None else str(value)
