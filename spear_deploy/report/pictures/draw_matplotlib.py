"""Figures as SVG and PNG files, drawn without a browser or a screen."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from matplotlib import rc_context, style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from spear_deploy.report.pictures.figure import Axis, Figure, Mark, Panel, Series, style_of
from spear_deploy.system.files import MARK

FORMATS = ("svg", "png")
_WIDTH_IN, _PANEL_IN, _DPI = 8.0, 3.0, 150
_MARKERS = {
    "circle": "o",
    "square": "s",
    "triangle-up": "^",
    "diamond": "D",
    "cross": "P",
    "x": "x",
    "star": "*",
}
_DASHES: dict[str, Any] = {
    "solid": "solid",
    "dash": (0, (5, 2)),
    "dot": (0, (1, 2)),
    "dashdot": (0, (5, 2, 1, 2)),
    "longdash": (0, (9, 3)),
    "longdashdot": (0, (9, 3, 1, 3)),
}
# Names come from users' files: a dollar sign in them is no formula. Text stays text. A `matplotlibrc` in the current
# folder changes nothing either: it could have LaTeX set, which is another program, and reads files that a name tells.
_SETTINGS: dict[Any, Any] = {"text.parse_math": False, "svg.fonttype": "none", "svg.hashsalt": "spear-deploy"}


def canvas_bytes(figure: Figure, ending: str) -> bytes:
    """The figure as a file, `svg` or `png`; the same figure gives the same bytes."""
    stamp: dict[str, Any] = {"Date": None, "Creator": MARK} if ending == "svg" else {"Software": MARK}
    written = BytesIO()
    with style.context("default"), rc_context(_SETTINGS):
        draw(figure).savefig(written, format=ending, metadata=stamp)
    return written.getvalue()


def draw(figure: Figure) -> Canvas:
    """The figure on a canvas of matplotlib's."""
    canvas = Canvas(figsize=(_WIDTH_IN, 0.5 + _PANEL_IN * len(figure.panels)), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(canvas)
    canvas.suptitle(figure.title)
    all_axes = canvas.subplots(len(figure.panels), 1, squeeze=False)[:, 0]
    for axes, panel in zip(all_axes, figure.panels, strict=True):
        _panel(axes, panel)
    return canvas


def _panel(axes: Axes, panel: Panel) -> None:
    places = {name: float(place) for place, name in enumerate(panel.x.categories)}
    bars = [series for series in panel.series if series.mark is Mark.BARS]
    for series in panel.series:
        points = [
            (places[x] if isinstance(x, str) else x, y, place)
            for place, (x, y) in enumerate(zip(series.x, series.y, strict=True))
            if x is not None and y is not None
        ]
        if points:
            _series(axes, series, points, bars if places else [])
    for level in panel.levels:
        line = axes.axvline if level.upright else axes.axhline
        line(level.at, color="black", linestyle="dashed", linewidth=1.2, label=level.name)
    if places:
        axes.set_xticks(list(places.values()), list(places), rotation=20 if len(places) > 4 else 0)
    _axis(axes, panel.x, "x")
    _axis(axes, panel.y, "y")
    axes.grid(alpha=0.3)
    axes.set_axisbelow(True)
    if len(panel.series) + len(panel.levels) > 1 and axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize="small", loc="upper right")  # to look for the best place takes seconds


def _series(axes: Axes, series: Series, points: list[tuple[float, float, int]], beside: list[Series]) -> None:
    style = style_of(series)
    x, y = [point[0] for point in points], [point[1] for point in points]
    if series.mark is Mark.BARS:
        width = 0.8 / max(len(beside), 1)
        shift = (beside.index(series) - (len(beside) - 1) / 2) * width if beside else 0.0
        axes.bar(
            [at + shift for at in x],
            y,
            width,
            color=style.colour,
            hatch=style.pattern * 2,
            edgecolor="#333333",
            linewidth=0.5,
            label=series.name,
        )
        return
    look: dict[str, Any] = {"color": style.colour, "label": series.name}
    size = 9 if series.emphasis else 4
    if series.mark is Mark.POINTS:
        look |= {"linestyle": "none", "marker": _MARKERS[style.marker], "markersize": size}
    else:
        look |= {"linestyle": _DASHES[style.dash]}
    if series.mark is Mark.LINE:
        look |= {"marker": _MARKERS[style.marker], "markersize": size}
    if series.mark is Mark.STEPS:
        look |= {"drawstyle": "steps-post"}
    if series.low:
        below = [_apart(point[1], series.low[point[2]]) for point in points]
        above = [_apart(series.high[point[2]], point[1]) for point in points]
        axes.errorbar(x, y, yerr=[below, above], capsize=3, elinewidth=1.2, **look)
    else:
        axes.plot(x, y, **look)


def _apart(more: float | None, less: float | None) -> float:
    """The length of an arm of an error bar, signed intervals that leave out their value cut to none."""
    return 0.0 if more is None or less is None else max(more - less, 0.0)


def _axis(axes: Axes, axis: Axis, which: str) -> None:
    if which == "x":
        axes.set_xlabel(axis.title)
    else:
        axes.set_ylabel(axis.title)
    if axis.log:
        (axes.set_xscale if which == "x" else axes.set_yscale)("log")
        # matplotlib writes powers as formulas, which are switched off.
        (axes.xaxis if which == "x" else axes.yaxis).set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    if axis.whole:
        (axes.xaxis if which == "x" else axes.yaxis).set_major_locator(MaxNLocator(integer=True))
    if axis.percent:
        (axes.xaxis if which == "x" else axes.yaxis).set_major_formatter(PercentFormatter(1.0))
