"""Each table, and the sentence that its figures say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from benchmarks.evidence.cells import grouped, judged_table, percent, spread, standard_error, table_of
from benchmarks.evidence.store import Json

BUDGETS = ("50%", "30%", "15%")


def with_uniform(runs: list[Json], uniform: list[Json]) -> list[Json]:
    """The main job's runs, each with what the uniform network of the same budget and seed did on test, if any."""
    plain = {(each["budget"], each["seed"]): each["test"] for each in uniform}
    return [run | {"uniform": plain.get((run["budget"], run["seed"]))} for run in runs]


def with_penalty(runs: list[Json], strategies: list[Json]) -> list[Json]:
    """The ablation's arms, and those that are the strategies of our own pipeline."""
    names = {"ddpg": "spear + ridge + penalty", "evolution": "spear + ridge + evolution + penalty"}
    return runs + [run | {"arm": names[run["arm"]]} for run in strategies if run["arm"] in names]


def main_job(runs: list[Json]) -> tuple[str, str]:
    """Budget, accuracy, repairs, and the paired difference to the uniform network, fine-tuned as often."""
    rows = []
    for budget, part in grouped(runs, lambda run: run["budget"], BUDGETS):
        shares = [run["share_of_budget"] for run in part]
        beside = [run for run in part if run["uniform"] is not None]
        paired = [100 * (run["accuracy_on_target"] - run["uniform"]["accuracy"]) for run in beside]
        rows.append(
            [
                budget,
                len(part),
                f"{np.mean(shares):.3f} ({min(shares):.3f} to {max(shares):.3f})",
                sum(share > 1 for share in shares),
                _lost(part, "answers"),
                _lost(part, "answers_to_given"),
                f"{np.mean(paired):+.2f} ± {standard_error(paired):.2f}, lost {sum(each < 0 for each in paired)}"
                if paired
                else "",
                sum(run["uniform"]["synops"] > run["budget_synops"] for run in beside) if beside else "",
                sum(run["repairs"] > 0 for run in part),
                sum(run["delivered_uniform"] for run in part) if "delivered_uniform" in part[0] else "not recorded",
                f"{100 * np.mean([run['parameters_share'] for run in part]):.0f} %",
                sum(all(run["agreements"].values()) for run in part),
            ]
        )
    over = sum(run["share_of_budget"] > 1 for run in runs)
    near = sum(0.9 <= run["share_of_budget"] <= 1 for run in runs)
    sentence = (
        f"{over} of {len(runs)} runs exceed their budget on the test split, {near} use between 0.9 and 1.0 of it;"
        f" all layers are equal in Lava in {sum(all(run['agreements'].values()) for run in runs)}."
    )
    head = [
        "budget",
        "runs",
        "SynOps / budget, test",
        "over",
        "accuracy to dense, same fine-tune",
        "to dense as given",
        "paired to uniform (± standard error)",
        "uniform over",
        "repaired",
        "uniform delivered",
        "parameters",
        "equal in Lava",
    ]
    return sentence, table_of(head, rows)


def lre_check(runs: list[Json]) -> tuple[str, str]:
    """Predicted against measured, on test samples that LRE never saw."""
    return _checked([run | {"check": run["lre_check"], "alone": run.get("constant")} for run in runs])


def delivered(runs: list[Json]) -> tuple[str, str]:
    """The same of the delivered network, which has a prediction of its own."""
    return _checked(
        [
            run
            | {
                "check": run["delivered"]["check"],
                "alone": run["delivered"]["constant"] / run["delivered"]["predicted"],
            }
            for run in runs
        ]
    )


def _checked(runs: list[Json]) -> tuple[str, str]:
    """`check` of each run by backend; `alone` is a single constant's prediction over LRE's."""
    rows = []
    backends = list(dict.fromkeys(name for run in runs for name in run["check"]))
    for budget, part in grouped(runs, lambda run: run["budget"], BUDGETS):
        for name in backends:
            held = [run for run in part if name in run["check"]]
            checks = [run["check"][name] for run in held]
            errors = [each["error_percent"] for each in checks]
            alone = [
                abs(run["alone"] * run["check"][name]["predicted"] / run["check"][name]["synops"] - 1)
                for run in held
                if run["alone"] is not None
            ]
            rows.append(
                [
                    budget,
                    name,
                    len(checks),
                    f"{np.mean(np.abs(errors)):.1f} %",
                    f"{100 * np.mean(alone):.1f} %" if alone else "not recorded",
                    f"{max(np.abs(errors)):.1f} %",
                    f"{np.mean(errors):+.1f} %",
                    f"{np.mean([each['covered'] for each in checks]):.2f}",
                ]
            )
    by = [name for name in backends if name.startswith("lava")]
    checks = [run["check"][by[0]] for run in runs if by and by[0] in run["check"]]
    errors = [abs(each["error_percent"]) for each in checks]
    inside = sum(each["covered"] for each in checks)
    sentence = (
        f"Against Lava's own spike counts the prediction errs by {np.mean(errors):.1f} % on average and"
        f" {max(errors):.1f} % at worst, and its 95 % interval holds {inside} of {len(checks)} networks"
        f" ({_coverage(inside, len(checks))})."
        if checks
        else "No run was held against Lava."
    )
    head = ["budget", "measured in", "runs", "mean error", "of a single constant", "worst", "bias", "covered"]
    return sentence, table_of(head, rows)


def _coverage(inside: int, count: int) -> str:
    found = stats.binomtest(inside, count).proportion_ci(method="exact")
    return f"coverage {found.low:.2f} to {found.high:.2f}, Clopper-Pearson 95 %"


def strategies(runs: list[Json]) -> tuple[str, str]:
    """Accuracy after all fine-tunes, by strategy."""
    rows, means = [], {}
    for arm, part in grouped(runs, lambda run: run["arm"], ("ddpg", "evolution", "greedy", "random", "uniform")):
        test = [100 * (run["test"]["accuracy"] - run["dense"]["test"]["accuracy"]) for run in part]
        validation = [100 * (run["validation"]["accuracy"] - run["dense"]["validation"]["accuracy"]) for run in part]
        before = [100 * run["best_by_evaluation"][-1] for run in part]
        means[arm] = float(np.mean([*test, *validation]))
        half = [_evaluations_to(run["best_by_evaluation"]) for run in part]
        rows.append(
            [arm, len(part), spread(test), spread(validation), spread(before, plus=False), f"{np.mean(half):.0f}"]
        )
    best, worst = max(means, key=lambda arm: means[arm]), min(means, key=lambda arm: means[arm])
    sentence = (
        f"At {runs[0]['asked']['budget']} of the SynOps {best} is best and {worst} worst,"
        f" {means[best] - means[worst]:.2f} points apart over test and validation; a single run varies by"
        f" {np.std([100 * run['test']['accuracy'] for run in runs], ddof=1):.2f}."
    )
    head = [
        "strategy",
        "runs",
        "accuracy to dense as given, test",
        "to dense as given, validation",
        "best before fine-tuning",
        "evaluations to its best",
    ]
    return sentence, table_of(head, rows)


def ablation(runs: list[Json]) -> tuple[str, str]:
    """One addition at a time; runs of before 0.2.0 called the projected line `spear`."""
    rows, means = [], {}
    names = {
        "SPEAR": "SPEAR's pipeline",
        "spear": "line, projected",
        "spear + ridge": "ridge, projected",
        "spear + ridge + evolution": "ridge, projected, evolution",
        "spear + ridge + penalty": "ridge, projected, constraint",
        "spear + ridge + evolution + penalty": "ridge, projected, evolution, constraint",
    }
    for old, part in grouped(runs, lambda run: run["arm"], list(names)):
        arm = names.get(old, old)
        test = [100 * (run["test"]["accuracy"] - run["dense"]["test"]["accuracy"]) for run in part]
        shares = [run["test"]["synops"] / run["budget"] for run in part]
        means[arm] = float(np.mean(test))
        rows.append(
            [
                arm,
                len(part),
                spread(test),
                f"{np.mean(shares):.3f} ({min(shares):.3f} to {max(shares):.3f})",
                sum(share > 1 for share in shares),
                sum(run["repairs"] for run in part),
            ]
        )
    last = list(means)[-1]
    sentence = (
        f"At {runs[0]['asked']['budget']} of the SynOps, `{last}` ends"
        f" {means[last] - means[next(iter(means))]:+.2f} points from `{next(iter(means))}` on the test split."
    )
    return sentence, table_of(
        ["arm", "runs", "accuracy to dense as given, test", "SynOps / budget, test", "over", "repairs"], rows
    )


def lre_error(runs: list[Json]) -> tuple[str, str]:
    """Held-out errors by number of samples."""
    rows = [row | {"samples": f"{row['samples']}, {row['part']}"} for run in runs for row in run["rows"]]
    numbers = [row["samples"] for run in runs for row in run["rows"]]
    at = max(number for number in numbers if number <= 28)
    mean = {
        (name, part): 100
        * np.mean([row["mean"] for row in rows if row["estimator"] == name and row["samples"] == f"{at}, {part}"])
        for name in ("linear", "ridge")
        for part in runs[0]["networks"]
    }
    least = list(runs[0]["networks"])[-1]
    sentence = (
        f"With {at} samples the ridge errs by {mean['ridge', 'all']:.1f} % on random networks and by"
        f" {mean['ridge', least]:.1f} % on those with {least} after the fine-tune, one line by"
        f" {mean['linear', 'all']:.0f} and {mean['linear', least]:.0f} %; more samples do not help the line."
    )
    return sentence, judged_table(rows, "samples")


def chosen(runs: list[Json]) -> tuple[str, str]:
    """Errors on every finalist of every search."""
    rows = []
    names = list(runs[0]["finalists"][0]["predictions"])
    errors: dict[str, list[float]] = {}
    for name in names:
        found = [(one["predictions"][name], one["plain_synops"]) for run in runs for one in run["finalists"]]
        errors[name] = [100 * (value - truth) / truth for (value, _, _), truth in found]
        inside = [low <= truth <= high for (_, low, high), truth in found]
        rows.append(
            [
                name,
                len(found),
                f"{np.mean(np.abs(errors[name])):.1f} %",
                f"{max(np.abs(errors[name])):.1f} %",
                f"{np.mean(errors[name]):+.1f} %",
                f"{np.mean(inside):.2f}",
            ]
        )
    sentence = (
        f"On the {len(errors[names[0]])} finalists that the searches picked, the worst case for an estimator, the ridge"
        f" errs by {np.mean(np.abs(errors['ridge'])):.1f} %, the line by {np.mean(np.abs(errors['linear'])):.1f} %."
    )
    return sentence, table_of(["estimator", "networks", "mean error", "worst", "bias", "coverage"], rows)


def outside(runs: list[Json]) -> tuple[str, str]:
    """Fitted above 30 % of the SynOps, held against what lies below."""
    rows = [row | {"part": "fit above 30 %, judged below"} for run in runs for row in run["rows"]]
    mean = {
        name: 100 * np.mean([row["mean"] for row in rows if row["estimator"] == name])
        for name in dict.fromkeys(row["estimator"] for row in rows)
    }
    best = min(mean, key=lambda name: mean[name])
    text = ", ".join(f"{name} {value:.0f} %" for name, value in mean.items())
    sentence = f"Beyond what was sampled every estimator is worse; {best} least so ({text})."
    return sentence, judged_table(rows, "part")


def other_network(runs: list[Json]) -> tuple[str, str]:
    """A fit carried over to another network, and a few samples of its own."""
    rows = []
    for run in runs:
        for part in ("carried over", "fitted anew"):
            rows += [row | {"part": f"{run['network']}, {part}"} for row in run[part] if row["estimator"] == "ridge"]
    carried = 100 * np.mean([row["mean"] for row in rows if "carried" in row["part"]])
    anew = 100 * np.mean([row["mean"] for row in rows if "anew" in row["part"]])
    better = "needs no samples of its own" if carried <= anew else "has to be fitted again"
    sentence = (
        f"Carried over to another network the ridge errs by {carried:.1f} %, fitted on 12 samples of that network by"
        f" {anew:.1f} %: for a new network LRE {better}."
    )
    return sentence, judged_table(rows, "part")


def other_data(runs: list[Json]) -> tuple[str, str]:
    """A fit of the digits' network, held against this setting's."""
    parts = ("carried over from digits", "fitted here")
    rows = [row | {"part": part} for run in runs for part in parts for row in run[part]]
    mean = {
        part: 100 * np.mean([row["mean"] for row in rows if row["part"] == part and row["estimator"] == "ridge"])
        for part in dict.fromkeys(row["part"] for row in rows)
    }
    carried, here = mean.values()
    sentence = f"Carried over from the digits the ridge errs by {carried:.1f} %, fitted on this data by {here:.1f} %."
    return sentence, judged_table(rows, "part")


def tar(runs: list[Json]) -> tuple[str, str]:
    """DDPG with other constants of the reward."""
    rows, means = [], {}
    for name, part in grouped(runs, lambda run: run["name"]):
        best = [100 * run["accuracy"] for run in part]
        means[name] = float(np.mean(best))
        keeps = np.mean([run["keeps"] for run in part])
        late = np.mean([run["late_accuracy"] for run in part])
        rows.append([name, len(part), spread(best, plus=False), f"{100 * late:.1f}", f"{100 * keeps:.0f} %"])
    moves = max(means.values()) - min(means.values())
    kept = min(run["keeps"] for run in runs)
    why = (
        "every candidate is projected onto the limits before it is rewarded, so the weight of an overshoot never enters"
        if kept == 1
        else f"{100 * kept:.0f} % of the candidates or more keep every limit"
    )
    sentence = f"The best candidate before fine-tuning moves by {moves:.2f} points between the constants: {why}."
    head = ["constants", "runs", "best accuracy before fine-tuning", "mean of the last third", "keep every limit"]
    return sentence, table_of(head, rows)


def energy(runs: list[Json]) -> tuple[str, str]:
    """SynOps' share in the typical energy, chip by chip."""
    (run,) = runs
    rows = []
    for name, chip in run["chips"].items():
        rows.append([name, percent(chip["share"]), percent(chip["share_without_idle"]), chip["status"]])
    known = {name: chip["share"] for name, chip in run["chips"].items() if chip["share"] is not None}
    sentence = (
        f"Where all prices are known, SynOps take {100 * min(known.values()):.0f} to"
        f" {100 * max(known.values()):.0f} % of an inference's typical energy; idle power and neuron"
        " updates take the rest."
        if known
        else "No chip has all prices."
    )
    return sentence, table_of(["chip", "SynOps' share", "without idle power", "prices"], rows)


def _lost(runs: Sequence[Json], against: str) -> str:
    """Accuracy on test against another network's, both in the target's integers."""
    found = [-run[against]["drop_points"] for run in runs if run.get(against)]
    return spread(found) if found else "not recorded"


def _evaluations_to(curve: Sequence[float]) -> int:
    return 1 + int(np.argmax(np.asarray(curve) >= curve[-1]))
