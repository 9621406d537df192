"""The figures of a report: described once, drawn by Plotly in a page and by matplotlib into files."""

from typing import TYPE_CHECKING

from spear_deploy.system.lazy import lazily

if TYPE_CHECKING:
    from spear_deploy.report.pictures.draw_plotly import plots
    from spear_deploy.report.pictures.figure import Figure, Table
    from spear_deploy.report.pictures.of_report import FIGURES, figures
else:
    __getattr__ = lazily(__name__, __file__)

__all__ = ["FIGURES", "Figure", "Table", "figures", "plots"]
