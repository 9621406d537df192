"""A page as one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import gzip
from functools import cache
from importlib.resources import files

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from spear_deploy import __version__
from spear_deploy.report.content import Page
from spear_deploy.report.pictures import plots


def render(page: Page) -> str:
    """The page as HTML.

    Everything that comes from a run is escaped: as text by the template, for Plotly's own tags
    by `plots`. Plotly is packed, which makes the file less than half as large; the browser
    unpacks it.
    """
    environment = Environment(loader=FunctionLoader(_resource), autoescape=True, undefined=StrictUndefined)
    drawn = {figure.key: plots(figure) for section in page.sections for figure in section.figures}
    html: str = environment.get_template("report.html.j2").render(
        page=page,
        plots=drawn,
        plotly=Markup(_plotly() if drawn else ""),
        css=Markup(_resource("report.css")),
        js=Markup(_resource("report.js")),
        version=__version__,
    )
    return html


def _resource(name: str) -> str:
    return (files("spear_deploy.report") / "page" / name).read_text(encoding="utf-8")


@cache
def _plotly() -> str:
    """Plotly.js, gzipped, in base64; the same bytes every time."""
    return base64.b64encode(gzip.compress(get_plotlyjs().encode(), 9, mtime=0)).decode("ascii")
