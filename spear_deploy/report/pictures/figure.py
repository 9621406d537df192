"""One description of a figure, which every way of drawing and every table follows.

A figure says what is shown; colours, markers and dashes are looked up by the place of a series,
so that no two backends can disagree and no series is told by its colour alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

Value = float | str | None
"""A number, the name of a category, or nothing where it is not known."""


class Mark(StrEnum):
    """How the values of a series are drawn."""

    POINTS = "points"
    LINE = "line"
    STEPS = "steps"
    BARS = "bars"


@dataclass(frozen=True)
class Series:
    """Values that belong together.

    Attributes:
        name: what they are, with split and arithmetic where these matter.
        x, y: as many of each; a y of None is not drawn.
        mark: how they are drawn.
        low, high: ends of each value's range, in y; empty where there is none.
        style: place in `STYLES`.
        emphasis: whether the marks stand out.

    """

    name: str
    x: tuple[Value, ...]
    y: tuple[float | None, ...]
    mark: Mark = Mark.POINTS
    low: tuple[float | None, ...] = ()
    high: tuple[float | None, ...] = ()
    style: int = 0
    emphasis: bool = False

    def __post_init__(self) -> None:
        if any(len(each) != len(self.x) for each in (self.y, self.low or self.x, self.high or self.x)):
            raise ValueError(f"{self.name}: x, y, low and high differ in length")


@dataclass(frozen=True)
class Axis:
    """One axis; `categories` in their order make it one of names, empty of numbers; `whole` of counts."""

    title: str
    categories: tuple[str, ...] = ()
    log: bool = False
    percent: bool = False
    whole: bool = False


@dataclass(frozen=True)
class Level:
    """A straight line across a panel, such as a budget: at a y, or `upright` at an x."""

    name: str
    at: float
    upright: bool = False


@dataclass(frozen=True)
class Panel:
    """One pair of axes with what is drawn on them."""

    x: Axis
    y: Axis
    series: tuple[Series, ...]
    levels: tuple[Level, ...] = ()


@dataclass(frozen=True)
class Table:
    """Numbers as text, a row each."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Figure:
    """Panels above each other.

    Attributes:
        key: names the file and the place in a page.
        title: a few words.
        says: what is shown, in a sentence or two; also what a reader who cannot see it is told.
        panels: from top to bottom.
        table: the numbers, where the general table would not be readable.

    """

    key: str
    title: str
    says: str
    panels: tuple[Panel, ...]
    table: Table | None = None

    @property
    def tables(self) -> tuple[Table, ...]:
        """All that is drawn, as numbers."""
        return (self.table,) if self.table is not None else tuple(_table(panel) for panel in self.panels)


@dataclass(frozen=True)
class Style:
    """How a series looks: Okabe and Ito's colours (2008), and what tells it without colour."""

    colour: str
    marker: str
    dash: str
    pattern: str


STYLES = (
    Style("#0072B2", "circle", "solid", ""),
    Style("#E69F00", "square", "dash", "/"),
    Style("#009E73", "triangle-up", "dot", "x"),
    Style("#D55E00", "diamond", "dashdot", "-"),
    Style("#CC79A7", "cross", "longdash", "\\"),
    Style("#000000", "x", "longdashdot", "."),
    Style("#56B4E9", "star", "solid", "|"),
)


def style_of(series: Series) -> Style:
    """The style at the place of a series, from the beginning again after the last."""
    return STYLES[series.style % len(STYLES)]


def number_text(value: Value, *, percent: bool = False) -> str:
    """A value for a table: counts whole, others with five significant digits, nothing as "not available"."""
    if value is None:
        return "not available"
    if isinstance(value, str):
        return value
    if percent:
        return f"{100 * value:.2f} %"
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.1f}" if abs(value) >= 1e4 else f"{value:,.5g}"


def _table(panel: Panel) -> Table:
    """Series side by side where they share their x, else one below the other."""
    ranged = [bool(series.low) for series in panel.series]
    share = panel.y.percent
    levels = tuple((level.name, number_text(level.at, percent=share and not level.upright)) for level in panel.levels)
    if len({series.x for series in panel.series}) == 1 and not levels:
        columns = [panel.x.title]
        for series, wide in zip(panel.series, ranged, strict=True):
            columns += [series.name, *([f"{series.name}: low", f"{series.name}: high"] if wide else [])]
        rows = []
        for place, x in enumerate(panel.series[0].x):
            row = [number_text(x, percent=panel.x.percent)]
            for series in panel.series:
                row += [number_text(each[place], percent=share) for each in _values(series)]
            rows.append(tuple(row))
        return Table(tuple(columns), tuple(rows))
    ends = ("low", "high") if any(ranged) else ()
    long = [
        (
            series.name,
            number_text(series.x[place], percent=panel.x.percent),
            *(number_text(each[place], percent=share) for each in _values(series)),
            *("" for _ in ends if not series.low),
        )
        for series in panel.series
        for place in range(len(series.x))
    ]
    long += [(name, "", text, *("" for _ in ends)) for name, text in levels]
    return Table(("", panel.x.title, panel.y.title, *ends), tuple(long))


def _values(series: Series) -> tuple[tuple[float | None, ...], ...]:
    return (series.y, series.low, series.high) if series.low else (series.y,)
