"""Figures for Plotly: plain values, one plot a panel."""

from __future__ import annotations

import math
from typing import Any

from spear_deploy.report.pictures.figure import Axis, Figure, Mark, Panel, Series, style_of

_MODES = {Mark.POINTS: "markers", Mark.LINE: "lines+markers", Mark.STEPS: "lines"}


def plots(figure: Figure) -> list[dict[str, Any]]:
    """`data` and `layout` of each panel, as `Plotly.newPlot` takes them."""
    return [_plot(panel) for panel in figure.panels]


def _plot(panel: Panel) -> dict[str, Any]:
    shapes, notes = [], []
    for level in panel.levels:
        ends = {"x0": level.at, "x1": level.at, "y0": 0, "y1": 1, "xref": "x", "yref": "paper"}
        where: dict[str, Any] = {
            "x": level.at,
            "y": 1,
            "xref": "x",
            "yref": "paper",
            "xanchor": "left",
            "yanchor": "top",
        }
        if not level.upright:
            ends = {"x0": 0, "x1": 1, "y0": level.at, "y1": level.at, "xref": "paper", "yref": "y"}
            where = {"x": 1, "y": level.at, "xref": "paper", "yref": "y", "xanchor": "right", "yanchor": "bottom"}
        shapes.append({"type": "line", **ends, "line": {"color": "#000000", "dash": "dash", "width": 1.5}})
        notes.append({**where, "text": plain(level.name), "showarrow": False})
    layout = {
        "xaxis": _axis(panel.x) | (_whole_ticks(panel) if panel.x.whole else {}),
        "yaxis": _axis(panel.y),
        "shapes": shapes,
        "annotations": notes,
        "barmode": "group" if panel.x.categories else "overlay",
        "showlegend": len(panel.series) > 1,
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
        "margin": {"l": 60, "r": 12, "t": 64, "b": 50},  # above the legend the tool bar has its own line
        "font": {"family": "system-ui, sans-serif", "size": 12, "color": "#1a1a1a"},
        "paper_bgcolor": "#ffffff",
        "plot_bgcolor": "#ffffff",
        "hovermode": "closest",
    }
    return {"data": [_trace(series) for series in panel.series], "layout": layout}


def _axis(axis: Axis) -> dict[str, Any]:
    title = {"text": plain(axis.title), "standoff": 14}  # off the ticks, however long their names
    shown: dict[str, Any] = {"title": title, "automargin": True, "gridcolor": "#dddddd"}
    if axis.categories:
        names = [plain(name) for name in axis.categories]
        shown |= {"type": "category", "categoryorder": "array", "categoryarray": names}
    else:
        # Powers of ten, not prefixes: the unit in the title has one already.
        shown |= {"type": "log" if axis.log else "linear", "zerolinecolor": "#999999", "exponentformat": "power"}
    if axis.percent:
        shown["tickformat"] = ".4~%"
    return shown


def _whole_ticks(panel: Panel) -> dict[str, Any]:
    """Ticks at whole numbers only, at most about ten."""
    numbers = [x for series in panel.series for x in series.x if isinstance(x, float)]
    span = max(numbers) - min(numbers) if numbers else 0
    return {"tick0": 0, "dtick": max(1, math.ceil(span / 10))}


def _trace(series: Series) -> dict[str, Any]:
    style = style_of(series)
    trace: dict[str, Any] = {
        "name": plain(series.name),
        "x": [plain(x) if isinstance(x, str) else x for x in series.x],
        "y": list(series.y),
    }
    if series.mark is Mark.BARS:
        pattern = {"shape": style.pattern, "fillmode": "overlay", "size": 6}
        trace |= {
            "type": "bar",
            "marker": {"color": style.colour, "pattern": pattern, "line": {"color": "#333333", "width": 0.5}},
        }
    else:
        trace |= {
            "type": "scatter",
            "mode": _MODES[series.mark],
            "marker": {"color": style.colour, "symbol": style.marker, "size": 12 if series.emphasis else 7},
            "line": {
                "color": style.colour,
                "dash": style.dash,
                "shape": "hv" if series.mark is Mark.STEPS else "linear",
            },
        }
    if series.low:
        trace["error_y"] = {
            "type": "data",
            "symmetric": False,
            "array": [_apart(high, y) for high, y in zip(series.high, series.y, strict=True)],
            "arrayminus": [_apart(y, low) for low, y in zip(series.low, series.y, strict=True)],
            "color": style.colour,
            "thickness": 1.5,
        }
    return trace


def _apart(more: float | None, less: float | None) -> float | None:
    return None if more is None or less is None else more - less


def plain(text: str) -> str:
    """Text that Plotly draws as it stands: it would read tags in it."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
