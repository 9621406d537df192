"""Pages and figures as files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from spear_deploy.report.comparison import comparison_page
from spear_deploy.report.content import Page, run_page
from spear_deploy.report.html import render
from spear_deploy.report.reading import RunFolder, read_run
from spear_deploy.system.files import replaced_when_complete

PAGE = "report.html"
PLOTS = "plots"


def write_run(folder: Path, *, plot: bool = False) -> None:
    """`report.html` in the folder of a run, from what lies there; with `plot` its figures as well."""
    page = run_page(read_run(folder))
    write_page(page, folder / PAGE)
    if plot:
        write_plots(page, folder / PLOTS)


def make_page(runs: Sequence[RunFolder]) -> Page:
    """The page of one run, or of several beside each other."""
    return run_page(runs[0]) if len(runs) == 1 else comparison_page(runs)


def write_page(page: Page, path: Path) -> None:
    """The page as one HTML file.

    Raises:
        OutputError: the file cannot be written, or is there and no page of ours.

    """
    with replaced_when_complete(path, ours=_is_page) as working:
        working.write_text(render(page), encoding="utf-8")


def _is_page(path: Path) -> bool:
    """Whether a file is a page of ours: its title says so."""
    with path.open("rb") as file:
        return b"spear-deploy</title>" in file.read(1 << 16)


def write_plots(page: Page, folder: Path) -> list[Path]:
    """Every figure of the page as SVG and PNG, and the core map as SVG; returns their paths.

    Raises:
        OutputError: a file cannot be written.

    """
    from spear_deploy.report.pictures.draw_matplotlib import FORMATS, canvas_bytes  # slow to import, rarely needed

    written = []
    for section in page.sections:
        contents = {
            f"{figure.key}.{ending}": canvas_bytes(figure, ending) for figure in section.figures for ending in FORMATS
        }
        if section.drawn is not None:
            contents["core_map.svg"] = section.drawn.svg.encode()
        for name, content in contents.items():
            with replaced_when_complete(folder / name) as working:
                working.write_bytes(content)
            written.append(folder / name)
    return written
