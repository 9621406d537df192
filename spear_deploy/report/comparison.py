"""Several runs or targets on one page."""

from __future__ import annotations

from collections.abc import Sequence

from spear_deploy.hardware.amounts import unit_for
from spear_deploy.report.checks import checks
from spear_deploy.report.content import Page, Section
from spear_deploy.report.front import front_columns, front_notes, front_rows
from spear_deploy.report.pictures import Figure, Table
from spear_deploy.report.pictures.figure import Axis, Level, Mark, Panel, Series
from spear_deploy.report.reading import RunFolder
from spear_deploy.report.schema import Report
from spear_deploy.report.seeds import SEEDS_SAID, left_out, seed_columns, seed_rows
from spear_deploy.report.tables import Captioned
from spear_deploy.report.words.names import names_apart
from spear_deploy.report.words.quantity_text import error_text
from spear_deploy.report.words.scores import in_percent, score_text
from spear_deploy.report.words.scores import names as names_of_scores
from spear_deploy.report.words.wording import cut_mark, energy_words, time_words, verdict_text


def comparison_page(runs: Sequence[RunFolder]) -> Page:
    """One page for several runs; those without a readable report are named."""
    names = names_apart([run.path for run in runs])
    reports = {
        f"{name}{cut_mark(run.report)}": run.report
        for name, run in zip(names, runs, strict=True)
        if run.report is not None
    }
    gaps = tuple(f"{name}: {gap}" for name, run in zip(names, runs, strict=True) for gap in run.gaps)
    ok = [report.verdict.ok for report in reports.values()]
    covered = sum(report.verdict.covered for report in reports.values())
    cut = sum(bool(report.interrupted) for report in reports.values())
    verdict = (
        f"{sum(ok)} of {len(runs)} runs are OK; LRE's 95 % interval holds the measured SynOps in {covered} of"
        f" {len(reports)}.{f' Cut short, and the best so far: {cut}.' if cut else ''}"
        if reports
        else f"No verdict: none of the {len(runs)} run folders has a report that can be read."
    )
    sections: tuple[Section, ...] = ()
    if reports:
        tables = (*_front(reports), *_seeds(reports), _table(reports), _verdicts(reports))
        sections = (Section("runs", "The runs", tables, comparison_figures(reports)),)
    return Page(f"{len(runs)} runs compared", all(ok) and len(ok) == len(runs) if ok else None, verdict, gaps, sections)


def comparison_figures(reports: dict[str, Report]) -> tuple[Figure, ...]:
    """Accuracy, SynOps, prediction and energy, run by run."""
    each = list(reports.values())
    found = (_outcome(tuple(reports), each), _prediction(tuple(reports), each), _energy(tuple(reports), each))
    return tuple(figure for figure in found if figure is not None)


def _outcome(names: tuple[str, ...], reports: list[Report]) -> Figure:
    axis = Axis("run", categories=names)
    left = tuple(_share(report.pruned.synops, report.dense.synops) for report in reports)
    parameters = tuple(_share(report.pruned.parameters, report.dense.parameters) for report in reports)
    return Figure(
        "outcome",
        "What is left",
        "Accuracy of the pruned network beside the dense one, and the share of SynOps and parameters that is left;"
        " test split, torch float64.",
        (
            Panel(
                axis,
                Axis(names_of_scores(reports), percent=in_percent(reports)),
                (
                    Series("dense", names, tuple(report.dense.accuracy for report in reports), style=5),
                    Series("pruned", names, tuple(report.pruned.accuracy for report in reports), emphasis=True),
                ),
            ),
            Panel(
                axis,
                Axis("pruned / dense", percent=True),
                (
                    Series("SynOps", names, left, Mark.BARS),
                    Series("parameters", names, parameters, Mark.BARS, style=1),
                ),
            ),
        ),
    )


def _prediction(names: tuple[str, ...], reports: list[Report]) -> Figure:
    """On the images and in the arithmetic that the verdict judges; None where no prediction was made for these."""
    found = [checks(report).get(report.verdict.basis) for report in reports]
    held = [one if one is not None and one.synops else None for one in found]
    predicted = tuple(None if one is None else one.predicted / one.synops for one in held)
    lows = tuple(None if one is None else one.low / one.synops for one in held)
    highs = tuple(None if one is None else one.high / one.synops for one in held)
    bases = ", ".join(dict.fromkeys(report.verdict.basis for report in reports))
    return Figure(
        "predicted",
        "Predicted over measured SynOps",
        "LRE's prediction with its 95 % interval as a share of the SynOps that were measured on test by the backend"
        f" that is judged ({bases}); an interval that reaches over the line holds them.",
        (
            Panel(
                Axis("run", categories=names),
                Axis("predicted / measured", percent=True),
                (Series("predicted", names, predicted, low=lows, high=highs),),
                (Level("measured", 1.0),),
            ),
        ),
    )


def _energy(names: tuple[str, ...], reports: list[Report]) -> Figure | None:
    costs = [report.cost.get("pruned") for report in reports]
    energies = [None if cost is None else cost.energy_pj for cost in costs]
    if not any(energies):
        return None
    unit, worth_pj = unit_for(max(energy.high for energy in energies if energy is not None), "pJ")
    statuses = ", ".join(sorted({cost.energy_status for cost in costs if cost is not None and cost.energy_pj}))
    return Figure(
        "energy",
        "Energy of an inference",
        f"Typical energy of the pruned network with its range ({statuses}); where the chip has no price for a part,"
        " or the run is of an earlier version, there is none.",
        (
            Panel(
                Axis("run", categories=names),
                Axis(f"energy [{unit}]", log=True),
                (
                    Series(
                        "pruned",
                        names,
                        tuple(None if energy is None else energy.typical / worth_pj for energy in energies),
                        low=tuple(None if energy is None else energy.low / worth_pj for energy in energies),
                        high=tuple(None if energy is None else energy.high / worth_pj for energy in energies),
                        emphasis=True,
                    ),
                ),
            ),
        ),
    )


def _table(reports: dict[str, Report]) -> Captioned:
    rows = tuple(
        (
            name,
            report.target,
            "OK" if report.verdict.ok else "NOT OK",
            f"{score_text(report, report.dense.accuracy)} to {score_text(report, report.pruned.accuracy)}",
            f"{report.dense.synops:,.0f} to {report.pruned.synops:,.0f}",
            f"{error_text(report.verdict.prediction_error_percent)},"
            f" {'inside' if report.verdict.covered else 'OUTSIDE'}",
            energy_words(report.cost.get("pruned")),
            time_words(report.cost.get("pruned")),
            "not recorded" if report.placement is None else f"{report.placement.cores:,}",
        )
        for name, report in reports.items()
    )
    columns = (
        "run",
        "target",
        "verdict",
        names_of_scores(reports.values()),
        "SynOps / inference",
        "LRE's error",
        "energy",
        "time",
        "cores",
    )
    return Captioned(
        "Dense to pruned on test (torch float64); energy and time of the pruned network.", Table(columns, rows)
    )


def _front(reports: dict[str, Report]) -> tuple[Captioned, ...]:
    """As each run is judged; none of reports of before the target measured."""
    held = {name: report for name, report in reports.items() if report.verdict.basis in report.measured}
    if not held:
        return ()
    rows = tuple((name, held[name].target, *cells) for name, cells in front_rows(held).items())
    said = "What each run is judged by: test, in the arithmetic of its chip. " + ". ".join(front_notes(held)) + "."
    return (Captioned(said, Table(("run", "target", *front_columns(held)), rows)),)


def _seeds(reports: dict[str, Report]) -> tuple[Captioned, ...]:
    """Nothing where no run has a like of another seed."""
    rows = tuple(seed_rows(reports))
    said = ". ".join((SEEDS_SAID, *left_out(reports)))
    return (Captioned(f"{said}.", Table(seed_columns(reports), rows)),) if rows else ()


def _verdicts(reports: dict[str, Report]) -> Captioned:
    rows = tuple((name, verdict_text(report)) for name, report in reports.items())
    return Captioned("The verdicts.", Table(("run", "verdict"), rows))


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None
