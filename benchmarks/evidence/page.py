"""From raw results to a page of tables, each with one sentence on what it shows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from benchmarks.evidence import tables
from benchmarks.evidence.store import Json, results

SECTIONS: tuple[tuple[str, str, Callable[[list[Json]], tuple[str, str]]], ...] = (
    ("main_job", "The promise: the main job at three budgets", tables.main_job),
    ("main_job", "LRE's prediction against what was measured after the plain fine-tune", tables.lre_check),
    ("main_job", "The prediction of the delivered network against what was measured of it", tables.delivered),
    ("strategy", "Strategies at an equal number of evaluations", tables.strategies),
    ("ablation", "What each addition brings: the line, the ridge, another strategy, the constraint", tables.ablation),
    ("lre_error", "LRE on held-out random networks, by estimator and number of samples", tables.lre_error),
    ("strategy", "LRE on the networks that searches picked", tables.chosen),
    ("outside", "Outside of the sampled range", tables.outside),
    ("other_network", "Another network, another number of time steps", tables.other_network),
    ("other_data", "Another data set", tables.other_data),
    ("tar", "Sensitivity to TAR's constants", tables.tar),
    ("energy", "The share of SynOps in the energy of an inference", tables.energy),
)


def write_page(name: str, raw: Path, path: Path) -> None:
    """Write the page of a setting from what was gathered of it."""
    parts = [_head(name, raw)]
    for experiment, title, table in SECTIONS:
        found = results(raw, experiment)
        if experiment == "ablation":
            found = tables.with_penalty(found, results(raw, "strategy"))
        if experiment == "main_job" and table is tables.main_job:
            found = tables.with_uniform(found, results(raw, "uniform"))
        if table is tables.delivered:
            found = [run for run in found if run.get("delivered")]
        if found:
            sentence, text = table(found)
            made = _span({str(each["date"]) for each in found})
            parts.append(f"## {title}\n\nMade on {made}. {sentence}\n\n{text}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n\n".join(parts) + "\n")


def _head(name: str, raw: Path) -> str:
    everything = [result for folder in _folders(raw) for result in results(raw, folder)]
    span = _span({str(each["date"]) for each in everything})
    command = "make evidence" if name == "digits" else f"make evidence-{name}"
    seeds = len({each["seed"] for each in results(raw, "main_job")})
    return (
        f"# Evidence: {name}\n\n"
        f"Made by `{command}` on {span}, {seeds} seeds of the main job. The raw figures are in"
        f" [raw/{name}](raw/{name}), one file for each piece; `mean ± standard deviation (worst)` is over the seeds."
        f" Accuracies and SynOps are those of the chip's integers (loihi2) for both networks of a difference, in points"
        f" of the test split, unless a table says otherwise."
    )


def _span(dates: set[str]) -> str:
    first, *_, last = [*sorted(dates), max(dates)]
    return first if first == last else f"{first} to {last}"


def _folders(raw: Path) -> Iterable[str]:
    return sorted(folder.name for folder in raw.iterdir() if folder.is_dir())
