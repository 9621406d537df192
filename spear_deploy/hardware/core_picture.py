"""A picture of the core map: routers, the cores at them, which layer each holds and how full it is."""

from __future__ import annotations

from math import ceil, sqrt
from xml.sax.saxutils import escape

from spear_deploy.hardware.mesh import CoreMap
from spear_deploy.hardware.placement import Core, Placement

_CORE = 18
_GAP = 6
_LINE = 18
_MARGIN = 16
_COLOURS = (
    "#4477aa",
    "#ee6677",
    "#228833",
    "#ccbb44",
    "#66ccee",
    "#aa3377",
    "#bbbbbb",
    "#ee8866",
    "#44bb99",
    "#99ddff",
)
"""Colours that stay apart for colour-blind readers (Paul Tol, qualitative schemes, 2021)."""


def core_map_svg(placement: Placement, core_map: CoreMap) -> str:
    """The map as an SVG document.

    A square is a core, its colour and number the layer, its filled height the use of the
    resource that binds; pointing at it names layer, rectangle and every use.
    """
    mesh = core_map.mesh
    side = ceil(sqrt(mesh.cores_per_router))
    router = side * _CORE + _GAP
    columns, rows = mesh.columns * placement.chips_needed, mesh.rows
    layers = list(placement.grids)
    width = max(2 * _MARGIN + columns * router, 420)
    height = 2 * _MARGIN + rows * router + _LINE * (len(layers) + 1)
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        ' font-family="sans-serif" font-size="11">',
        f"<title>{escape(placement.profile.title)}: {placement.cores_needed} cores</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for column in range(columns):
        for row in range(rows):
            x, y = _MARGIN + column * router, _MARGIN + row * router
            size = side * _CORE
            drawn.append(f'<rect x="{x}" y="{y}" width="{size}" height="{size}" fill="#f2f2f2" stroke="#cccccc"/>')
    taken: dict[tuple[int, int], int] = {}
    for core, (column, row) in zip(placement.cores, core_map.place.tolist(), strict=True):
        slot = taken[column, row] = taken.get((column, row), -1) + 1
        x = _MARGIN + column * router + slot % side * _CORE
        y = _MARGIN + row * router + slot // side * _CORE
        drawn += _core(core, layers.index(core.layer), x, y)
    top = _MARGIN + rows * router + _LINE
    for index, layer in enumerate(layers):
        y = top + index * _LINE
        cores = placement.grids[layer].size
        colour = _COLOURS[index % len(_COLOURS)]
        drawn.append(f'<rect x="{_MARGIN}" y="{y - 10}" width="12" height="12" fill="{colour}"/>')
        text = f"{index + 1}  {layer}: {cores} core{'s' if cores > 1 else ''}"
        drawn.append(f'<text x="{_MARGIN + 18}" y="{y}">{escape(text)}</text>')
    drawn.append("</svg>")
    return "\n".join(drawn) + "\n"


def _core(core: Core, layer: int, x: int, y: int) -> list[str]:
    colour = _COLOURS[layer % len(_COLOURS)]
    share = min(1.0, core.binding.share) if core.binding is not None else 1.0
    full = round((_CORE - 2) * share, 1)
    uses = "; ".join(f"{use.resource} {use.used:,.0f} of {use.allowed:,.0f} {use.unit}" for use in core.uses)
    tile = core.tile
    part = f"channels {_range(tile.channels)}, rows {_range(tile.rows)}, columns {_range(tile.columns)}"
    return [
        "<g>",
        f"<title>{escape(core.layer)}: {part}; {escape(uses)}</title>",
        f'<rect x="{x + 1}" y="{y + 1}" width="{_CORE - 2}" height="{_CORE - 2}" fill="{colour}" fill-opacity="0.25"/>',
        f'<rect x="{x + 1}" y="{y + _CORE - 1 - full:.1f}" width="{_CORE - 2}" height="{full}" fill="{colour}"/>',
        f'<text x="{x + _CORE / 2}" y="{y + _CORE / 2 + 4}" text-anchor="middle">{layer + 1}</text>',
        "</g>",
    ]


def _range(bounds: tuple[int, int]) -> str:
    first, stop = bounds
    return f"{first}" if stop - first == 1 else f"{first} to {stop - 1}"
