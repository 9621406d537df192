"""Figures of many runs as the cells of a table."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from benchmarks.evidence.store import Json

ESTIMATOR_ORDER = ("linear", "per-layer", "constant", "log-line", "ridge", "gaussian process")


def judged_table(rows: list[Json], key: str) -> str:
    """How estimators judged networks, by what `key` says of them."""
    table = []
    order = [(part, name) for part in dict.fromkeys(row[key] for row in rows) for name in ESTIMATOR_ORDER]
    for (part, estimator), found in grouped(rows, lambda row: (row[key], row["estimator"]), order):
        table.append(
            [
                part,
                estimator,
                f"{100 * np.mean([row['mean'] for row in found]):.1f} %",
                f"{100 * max(row['worst'] for row in found):.0f} %",
                f"{100 * np.mean([row['bias'] for row in found]):+.1f} %",
                f"{np.mean([row['coverage'] for row in found]):.2f}",
            ]
        )
    return table_of([key, "estimator", "mean error", "worst", "bias", "coverage"], table)


def grouped(
    runs: Sequence[Json], key: Callable[[Json], Hashable], order: Sequence[Hashable] = ()
) -> list[tuple[Any, list[Json]]]:
    """Runs by what they have in common; in that order, or in its own."""
    found: dict[Hashable, list[Json]] = {each: [] for each in order}
    for run in runs:
        found.setdefault(key(run), []).append(run)
    groups = [(each, part) for each, part in found.items() if part]
    return groups if order else sorted(groups, key=lambda group: str(group[0]).rjust(20))


def spread(values: Sequence[float], *, plus: bool = True) -> str:
    """Mean and deviation, and the least of them."""
    sign = "+" if plus else ""
    deviation = np.std(values, ddof=1) if len(values) > 1 else 0.0
    return f"{np.mean(values):{sign}.2f} ± {deviation:.2f} ({min(values):{sign}.2f})"


def standard_error(values: Sequence[float]) -> float:
    """Of a mean."""
    return float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0


def percent(share: float | None) -> str:
    """A share as text."""
    return "not known" if share is None else f"{100 * share:.0f} %"


def table_of(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)
