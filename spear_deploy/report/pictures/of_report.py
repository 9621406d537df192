"""Every figure that a report can show."""

from __future__ import annotations

from spear_deploy.report.pictures.chip import cores_figure, energy_figure, rounding_figure
from spear_deploy.report.pictures.figure import Figure
from spear_deploy.report.pictures.layers import layers_figure, raster_figure, rates_figure
from spear_deploy.report.pictures.prediction import backends_figure, lre_figure
from spear_deploy.report.pictures.search import pareto_figure, search_figure
from spear_deploy.report.schema import Report

FIGURES = (
    backends_figure,
    lre_figure,
    search_figure,
    pareto_figure,
    layers_figure,
    raster_figure,
    rates_figure,
    cores_figure,
    energy_figure,
    rounding_figure,
)


def figures(report: Report) -> list[Figure]:
    """Every figure that the report holds the numbers of, in their order on the page."""
    drawn = (make(report) for make in FIGURES)
    return [figure for figure in drawn if figure is not None]
