"""What stands on a page: sections of tables and figures, without any markup."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from spear_deploy.report import tables
from spear_deploy.report.pictures import Figure, Table, figures
from spear_deploy.report.pictures.core_picture import CorePicture, Square, draw
from spear_deploy.report.reading import RunFolder
from spear_deploy.report.schema import Report
from spear_deploy.report.words.wording import verdict_text, warnings

MOST_ROUTERS = 1024
"""Routers that a core map may show and still be read."""


@dataclass(frozen=True)
class Drawn:
    """A picture that is markup already, made by this package and nobody else, and what it shows."""

    svg: str
    says: str


CORE_MAP = (
    "Where the cores lie: a grey square is a router, a number the layer, the filled height the use of the resource that"
    " fills a core most. Numbers: in the table of cores above."
)


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        key: its address within the page.
        heading: a few words.
        tables: shown as they are.
        figures: each with its numbers.
        drawn: a picture that is markup already; None where there is none.
        text: shown as typed, such as a command.

    """

    key: str
    heading: str
    tables: tuple[tables.Captioned, ...] = ()
    figures: tuple[Figure, ...] = ()
    drawn: Drawn | None = None
    text: str = ""


@dataclass(frozen=True)
class Page:
    """A whole page; `ok` is None where no verdict can be given."""

    title: str
    ok: bool | None
    verdict: str
    warnings: tuple[str, ...]
    sections: tuple[Section, ...]


def run_page(run: RunFolder) -> Page:
    """The page of one run; of a folder without a readable report, what is there and what is not."""
    report, files = run.report, _files(run)
    if report is None:
        verdict = "No verdict: this run folder has no report that can be read."
        return Page("A run without its report", None, verdict, run.gaps, (Section("files", "Files", (files,)),))
    drawn = {figure.key: figure for figure in figures(report)}

    def pick(*keys: str) -> tuple[Figure, ...]:
        return tuple(drawn[key] for key in keys if key in drawn)

    sections = (
        Section(
            "outcome",
            "Before and after",
            (tables.before_after(report), tables.limits(report), *tables.adaptations(report)),
        ),
        Section(
            "prediction",
            "Prediction and measurement",
            (*tables.prediction(report), *tables.estimators(report), *tables.agreement(report)),
            pick("measured", "lre"),
        ),
        Section("search", "Search", tables.finalists(report), pick("search", "pareto")),
        Section("layers", "Layers and spikes", (), pick("layers", "rates", "raster")),
        Section("chip", "On the chip", tables.cores(report), pick("cores", "energy", "rounding"), _drawn(report)),
        Section(
            "again",
            "Make it again",
            (tables.origin(report), *tables.stages(report), *tables.told(report), files),
            text=shlex.join(report.command),
        ),
    )
    refused = tuple(f"Not written as {reason}." for reason in run.refused)
    title = f"{Path(report.model).name} on {report.target}"
    kept = tuple(section for section in sections if section.tables or section.figures)
    return Page(title, report.verdict.ok, verdict_text(report), (*run.gaps, *warnings(report), *refused), kept)


def _drawn(report: Report) -> Drawn | None:
    svg = core_map(report)
    return Drawn(svg, CORE_MAP) if svg else None


def core_map(report: Report) -> str:
    """The cores on the mesh as SVG; empty where places are unknown or too many to see."""
    placement = report.placement
    if placement is None or placement.mesh is None or placement.cores_left_out:
        return ""
    columns, rows = placement.mesh.columns * placement.chips, placement.mesh.rows
    if columns * rows > MOST_ROUTERS:
        return ""
    squares = [
        Square(
            core.layer,
            core.column,
            core.row,
            core.share,
            f"core {core.core}, {core.layer}: {core.neurons:,} neurons; "
            + ("no limit is known" if core.share is None else f"{core.binding} {core.share:.1%}"),
        )
        for core in placement.core_table
        if core.column is not None and core.row is not None and core.column < columns and core.row < rows
    ]
    layers = {layer.layer: layer.cores for layer in placement.per_layer}
    known = [square for square in squares if square.layer in layers]
    title = f"{report.target}: {placement.cores} cores on the mesh, filled by use"
    return draw(CorePicture(title, columns, rows, placement.mesh.cores_per_router, layers, known))


def _files(run: RunFolder) -> tables.Captioned:
    rows = tuple((file.name, file.sha256) for file in run.files) or (("none", ""),)
    return tables.Captioned("Networks in this folder.", Table(("file", "SHA-256"), rows))
