"""The page of fronts and its figure, from what was gathered."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.evidence.cells import standard_error
from benchmarks.evidence.store import Json
from benchmarks.fronts.arms import AGENT, ARMS, EVALUATIONS
from benchmarks.fronts.cases import BUDGETS, CASES, ONE_CHIP, UNBOUND, Case
from benchmarks.fronts.tuned import ARMS_TUNED, SHARES
from benchmarks.tar import spread
from spear_deploy.report.pictures.figure import Axis, Figure, Mark, Panel, Series
from spear_deploy.search.strategies.front_state import STATE

Gathered = Mapping[str, list[Json]]
"""Runs by the name of their case."""

PICTURE = "![The best accuracy before fine-tuning over the budget, for every search](fronts.svg)\n\n"

NOTES = {
    "mnist-deep": "LRE's twelve samples of this dense network put its upper end 1.4 times above what it predicts."
    " On another one of the same training it was twice that, and candidates far narrower: three seeds, front against"
    " evolution agent 3.0 ± 1.2, greedy 6.1 ± 0.9.",
}
"""What has to be known of the figures of a case."""

RIVALS = ("evolution", "greedy", "greedy, carried")
"""What an agent has to break even with."""


def page(runs: Gathered, tuned: Gathered) -> str:
    """The page of evidence."""
    tables = "\n\n".join(
        f"## {CASES[name].title}\n\n{table(found, CASES[name])}{earlier_agent(found)}{note(name)}"
        for name, found in runs.items()
    )
    return f"""# One agent for a front

Written by `python -m benchmarks.fronts` from [raw figures](raw/fronts): {EVALUATIONS} evaluations for each pair of
budget and chip (`uniform`: one), {len(BUDGETS)} budgets and no limits of a chip where a table says nothing else.

- `agent`: `--strategy agent`, DDPG trained once over all pairs, whose budget and chip stand in its state; for each
  its answer and {AGENT.constants.moves_per_group} greedy moves for each group from there, in a third of the evaluations
  at most. Its training counts.
- `greedy, carried`: greedy, each budget from the best of the one before it.
- The others begin anew for each pair. Arms missing from a table were not run there.

Accuracy in % on validation, recalibrated, before fine-tuning: the best of the front's candidates whose SynOps are
predicted to stay within the budget. `front` is the mean over budgets, which lie about equally far apart in the
logarithm: the hypervolume over log SynOps, by its width. Means over seeds; with ± their standard errors. Each
table is of one dense network: seeds are of the searches, and greedy, which draws nothing before it is stuck, hardly
has any.

Three chips: a whole Loihi 2, which holds every network here, and what others leave of one, 48 and 20 KiB of synapse
memory; the digits' dense network takes 92. Of the deep networks vgg10 takes 45 cores and
sew-resnet 33, and 24 or 20 are left. A chip's column is the mean over its six budgets, `front` that over all 18 pairs.

{PICTURE if figure(runs).panels else ""}{tables}

## How many pairs an agent needs

The agent's `front` less that of others, paired by seed, by how many pairs of budget and chip it is trained for, with
{EVALUATIONS} evaluations for each.

{break_even(runs)}

## After fine-tuning

The best candidates for {" and ".join(f"{share:.0%}" for share in SHARES)} of the SynOps
from the same fronts, each through both phases of the fine-tune of `spear+`, held at that budget on Loihi 2: accuracy
in % on test in its integers, and how many exceed the budget there.

{tuned_table(tuned)}
"""


def figures_by_arm(runs: Sequence[Json], case: Case) -> dict[str, dict[int, list[float]]]:
    """The row of each seed in %, by the arms that were run."""
    return {
        arm: {run["seed"]: [100 * each for each in case.row(run["best"])] for run in runs if run["arm"] == arm}
        for arm in ARMS
        if any(run["arm"] == arm for run in runs)
    }


def shared_seeds(figures: Mapping[str, Mapping[int, object]]) -> list[int]:
    """The seeds that every arm has."""
    return sorted(set.intersection(*(set(found) for found in figures.values())))


def ahead(figures: Mapping[str, Mapping[int, Sequence[float]]], arm: str, rival: str) -> list[float]:
    """An arm's mean over a front less another's, by seed."""
    both = shared_seeds({name: figures[name] for name in (arm, rival)})
    return [float(np.mean(figures[arm][seed]) - np.mean(figures[rival][seed])) for seed in both]


def table(runs: Sequence[Json], case: Case = ONE_CHIP) -> str:
    """Arms by budgets, or by chips where there are several, on one network; arms that were not run are left out."""
    figures = figures_by_arm(runs, case)
    seeds = shared_seeds(figures)
    figures = {arm: {seed: found[seed] for seed in seeds} for arm, found in figures.items()}
    rows = [[_seeds(len(seeds)), *case.columns, "front", "front, against evolution"]]
    rows.append(["---"] * len(rows[0]))
    for arm, found in figures.items():
        each = np.array([found[seed] for seed in seeds])
        rows.append(
            [
                arm,
                *(f"{value:.1f}" for value in each.mean(0)),
                spread(list(each.mean(1))),
                "" if arm == "evolution" or "evolution" not in figures else spread(ahead(figures, arm, "evolution")),
            ]
        )
    return _lines(rows)


def earlier_agent(runs: Sequence[Json]) -> str:
    """What is to be said where an agent was measured that sees another state than now."""
    if all(run.get("state") == list(STATE) for run in runs if run["arm"] == "agent"):
        return ""
    return "\n\nThe agent of this table is an earlier one: it does not see the chip's limits, and has 7 moves a budget."


def note(name: str) -> str:
    """What has to be known of a table, in a paragraph of its own."""
    return f"\n\n{NOTES[name]}" if name in NOTES else ""


def break_even(runs: Gathered) -> str:
    """The agent against each rival by the number of pairs, and from which number on it is even or ahead, by network."""
    by_network: dict[str, dict[int, Mapping[str, dict[int, list[float]]]]] = {}
    for name, found in runs.items():
        figures = figures_by_arm(found, CASES[name])
        if "agent" in figures:
            by_network.setdefault(_OTHER_PAIRS.sub("", name), {})[CASES[name].pairs] = figures
    several = {network: dict(sorted(each.items())) for network, each in by_network.items() if len(each) > 1}
    rows = [["network", "pairs", *(f"against {rival}" for rival in RIVALS)], ["---"] * (2 + len(RIVALS))]
    said = []
    for network, each in several.items():
        gaps = {
            rival: {pairs: ahead(figures, "agent", rival) for pairs, figures in each.items() if rival in figures}
            for rival in RIVALS
        }
        rows += [
            [network, str(pairs), *(spread(gaps[rival][pairs]) if pairs in gaps[rival] else "" for rival in RIVALS)]
            for pairs in each
        ]
        said.append(f"{network}: {'; '.join(said_of(rival, gaps[rival]) for rival in RIVALS if gaps[rival])}.")
    return (
        f"{_lines(rows)}\n\nThe agent, which is even where it is behind by no more than the standard error, is\n\n"
        + "\n".join(f"- {each}" for each in said)
    )


_OTHER_PAIRS = re.compile(r"-(chips|\d+)$")
"""How the name of a case ends that has another number of pairs on the same network."""


def said_of(rival: str, gaps: Mapping[int, Sequence[float]]) -> str:
    """From how many pairs on the agent is not behind a rival by more than the standard error over seeds."""
    behind = {pairs: np.mean(each) + standard_error(each) < 0 for pairs, each in gaps.items()}
    even = [pairs for pairs in gaps if not any(behind[more] for more in gaps if more >= pairs)]
    return f"even with {rival} from {min(even)} pairs on" if even else f"behind {rival} at up to {max(gaps)}"


def tuned_table(tuned: Gathered) -> str:
    """Accuracy after fine-tuning, arms by networks and budgets; differences from evolution paired by seed."""
    head = ["", *(f"{share:.0%}" for share in SHARES), *(f"{share:.0%}, against evolution" for share in SHARES), "over"]
    rows = [head, ["---"] * len(head)]
    for name, runs in tuned.items():
        by_arm = {arm: {run["seed"]: run["tuned"] for run in runs if run["arm"] == arm} for arm in ARMS_TUNED}
        by_arm = {arm: found for arm, found in by_arm.items() if found}
        seeds = shared_seeds(by_arm)
        for arm, found in by_arm.items():
            each = {share: [100 * found[seed][str(share)]["accuracy"] for seed in seeds] for share in SHARES}
            rival = {
                share: [100 * by_arm["evolution"][seed][str(share)]["accuracy"] for seed in seeds] for share in SHARES
            }
            over = sum(found[seed][str(share)]["share"] > 1 for seed in seeds for share in SHARES)
            rows.append(
                [
                    f"{CASES[name].title}, {arm} ({_seeds(len(seeds))})",
                    *(spread(each[share]) for share in SHARES),
                    *(
                        "" if arm == "evolution" else spread([a - b for a, b in zip(each[s], rival[s], strict=True)])
                        for s in SHARES
                    ),
                    f"{over} of {len(seeds) * len(SHARES)}",
                ]
            )
    return _lines(rows)


def figure(runs: Gathered) -> Figure:
    """Accuracy over the budget for every arm, a panel a network."""

    def panel(name: str) -> Panel:
        case = CASES[name]
        figures = figures_by_arm(runs[name], case)
        seeds = shared_seeds(figures)
        series = tuple(
            Series(
                arm,
                case.budgets,
                tuple(float(value) / 100 for value in np.mean([found[seed] for seed in seeds], axis=0)),
                Mark.LINE,
                style=list(ARMS).index(arm),
            )
            for arm, found in figures.items()
        )
        return Panel(
            Axis(f"{case.title}: SynOps allowed", log=True, percent=True), Axis("accuracy", percent=True), series
        )

    whole = [name for name in runs if CASES[name].chips is UNBOUND and CASES[name].budgets == BUDGETS]
    return Figure(
        "fronts",
        "Before fine-tuning, by every search",
        "The best accuracy on validation over the SynOps that are allowed.",
        tuple(panel(name) for name in whole),
    )


def _seeds(count: int) -> str:
    return f"{count} seeds" if count > 1 else f"{count} seed"


def _lines(rows: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
