"""The table of all runs, and what they say together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy import stats

from benchmarks.promise.runs import BUDGETS, Json

HIGH = 0.85
"""Dense networks above it may lose less."""

MOST_LOST = {"50%": (1.0, 2.0), "30%": (2.0, 4.0), "15%": (4.0, 8.0)}
"""Points against the tuned dense network, mean by data set: where the dense one is above `HIGH`, and where not."""


def table(results: Sequence[Json]) -> str:
    """What came of all runs, in words and tables."""
    rows = [
        {
            "network": each["network"],
            "budget": budget,
            "shift": bool(each["shift"]),
            "tuned": each["tuned_dense"],
            **one,
        }
        for each in results
        for budget, one in each.get("budgets", {}).items()
    ]
    ran = [row for row in rows if "refused" not in row]
    lines = [
        f"{len(results)} networks, {sum('refused' in each for each in results)} of them refused as they are;"
        f" {len(rows)} runs, {len(rows) - len(ran)} refused;"
        f" {sum('error' in each for each in results)} ended with a traceback.",
        "",
        f"- over budget by validation's bound: {_count(ran, lambda row: row['bound'] > row['budget_synops'])}",
        f"- over budget on test, no shift told before: {_count(ran, lambda row: _over(row) and not row['shift'])} of"
        f" {_count(ran, lambda row: not row['shift'])}",
        f"- over budget on test, shift told: {_count(ran, lambda row: _over(row) and row['shift'])} of"
        f" {_count(ran, lambda row: row['shift'])}",
        f"- at least .96 of the budget used by the bound: {_count(ran, _used)}",
        f"- ruined: {_count(ran, lambda row: row['ruined'])}, of these called OK:"
        f" {_count(ran, lambda row: row['ruined'] and row['ok'])}",
        f"- delivered after closing steps: {_count(ran, lambda row: row['repairs'] > 0)}, uniform:"
        f" {_count(ran, lambda row: row['delivered_uniform'])}",
        f"- paired with uniform, test accuracy: {_paired(ran)}",
        f"- LRE on plain networks: {_lre_errors([one for row in ran for one in row['predictions']])}",
        *_since_delivered(ran),
        "",
        "| network | budget | dense, same fine-tune | pruned | drop, 95 % | uniform | bound | test | repairs | said |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        if "refused" in row:
            lines.append(f"| {row['network']} | {row['budget']} | refused: {row['refused'][:80]} | | | | | | | |")
            continue
        low, high = row["drop_interval_points"]
        budget = row["budget_synops"]
        cells = (
            row["network"] + (" (shift told)" if row["shift"] else ""),
            row["budget"],
            f"{row['tuned']['test']['accuracy']:.1%}",
            f"{row['accuracy']['test']:.1%}",
            f"{row['drop_points']:.1f} ({low:.1f} to {high:.1f})",
            f"{row['uniform']['accuracy']:.1%}" if row["uniform"] else "",
            f"{row['bound'] / budget:.3f}",
            f"{row['synops']['test'] / budget:.3f}",
            row["repairs"],
            "OK" if row["ok"] else "ruined" if row["ruined"] else "over",
        )
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join([*lines, "", _by_set(ran)]) + "\n"


def _over(row: Json) -> bool:
    return bool(row["synops"]["test"] > row["budget_synops"])


def _used(row: Json) -> bool:
    return bool(row["bound"] >= 0.96 * row["budget_synops"])


def _count(rows: Sequence[Json], test: Callable[[Json], bool]) -> int:
    return sum(bool(test(row)) for row in rows)


def _paired(rows: Sequence[Json]) -> str:
    differences = [100 * (row["accuracy"]["test"] - row["uniform"]["accuracy"]) for row in rows if row["uniform"]]
    if len(differences) < 2:
        return "too few"
    error = np.std(differences, ddof=1) / np.sqrt(len(differences))
    return f"{np.mean(differences):+.2f} points, standard error {error:.2f} ({len(differences)} runs)"


def _since_delivered(rows: Sequence[Json]) -> list[str]:
    """What runs hold since delivered networks have a prediction of their own."""
    held = [row for row in rows if "delivered" in row]
    if not held:
        return []
    plain = [row for row in held if _plain_uniform(row)]
    return [
        f"- on delivered networks: {_lre_errors([row['delivered'] for row in held])}",
        f"- uniform, projected: claims at least .9 of the search's limit in {_count(held, _claims)} of {len(held)},"
        f" measured after the plain fine-tune at least .75 of it in {_count(plain, _fills)} of {len(plain)}",
    ]


def _claims(row: Json) -> bool:
    return bool(row["claimed_share"] >= 0.9)


def _plain_uniform(row: Json) -> Json | None:
    """The uniform network after its plain fine-tune; it is the last that goes through that phase."""
    found: list[Json] = [one for one in row["predictions"] if one.get("uniform")]
    return found[0] if found else None


def _fills(row: Json) -> bool:
    found = _plain_uniform(row)
    return found is not None and found["measured"] >= 0.75 * found["limit"]


def _lre_errors(found: Sequence[Json]) -> str:
    if not found:
        return "none"
    errors = [abs(one["predicted"] / one["measured"] - 1) for one in found if one["measured"]]
    constant = [abs(one["constant"] / one["measured"] - 1) for one in found if one["measured"]]
    inside = sum(one["low"] <= one["measured"] <= one["high"] for one in found)
    interval = stats.binomtest(inside, len(found)).proportion_ci(method="exact")
    return (
        f"mean error {np.mean(errors):.1%} (a single constant {np.mean(constant):.1%}), {inside} of {len(found)}"
        f" inside, coverage {interval.low:.2f} to {interval.high:.2f} (Clopper-Pearson 95 %)"
    )


def _by_set(rows: Sequence[Json]) -> str:
    lines = [
        "| data set | budget | runs | mean drop to dense, same fine-tune | wanted | paired with uniform |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    sets = sorted({row["network"].rsplit("-", 1)[0] for row in rows})
    for name in sets:
        for budget in BUDGETS:
            part = [row for row in rows if row["network"].rsplit("-", 1)[0] == name and row["budget"] == budget]
            if part:
                drop = np.mean([row["drop_points"] for row in part])
                dense = np.mean([row["tuned"]["test"]["accuracy"] for row in part])
                most = MOST_LOST[budget][int(dense <= HIGH)]
                lines.append(f"| {name} | {budget} | {len(part)} | {drop:.2f} | {most:.1f} | {_paired(part)} |")
    return "\n".join(lines)
