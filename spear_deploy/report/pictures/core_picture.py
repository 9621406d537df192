"""A picture of the core map: routers, the cores at them, which layer each holds and how full it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, sqrt

from spear_deploy.hardware.comparison import Row
from spear_deploy.hardware.cost.mesh import CoreMap, map_in_order
from spear_deploy.hardware.placement.placement import Core, Placement
from spear_deploy.report.pictures.file import xml_text
from spear_deploy.system.files import MARK

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


@dataclass(frozen=True)
class Square:
    """One core: its layer, the router that it lies at, the share in use (None: unknown), and what to say of it."""

    layer: str
    column: int
    row: int
    share: float | None
    text: str


@dataclass(frozen=True)
class CorePicture:
    """What the picture shows.

    Attributes:
        title: of the whole.
        columns, rows: routers, of all chips side by side.
        cores_per_router: places at each.
        layers: cores of each layer, in the order of execution.
        squares: the cores.

    """

    title: str
    columns: int
    rows: int
    cores_per_router: int
    layers: Mapping[str, int]
    squares: Sequence[Square]


def row_svg(row: Row) -> str | None:
    """The map of a network on a chip, as `core_map_svg` draws it; None where the chip's routers are not known."""
    placement = row.verdict.placement
    core_map = map_in_order(placement) if row.cost is None else row.cost.core_map
    return None if core_map is None else core_map_svg(placement, core_map)


def core_map_svg(placement: Placement, core_map: CoreMap) -> str:
    """The map as an SVG document.

    A square is a core, its colour and number the layer, its filled height the use of the
    resource that binds; pointing at it names layer, rectangle and every use.
    """
    mesh = core_map.mesh
    places = core_map.place.tolist()
    return draw(
        CorePicture(
            f"{placement.profile.title}: {placement.cores_needed} cores",
            mesh.columns * placement.chips_needed,
            mesh.rows,
            mesh.cores_per_router,
            {layer: grid.size for layer, grid in placement.grids.items()},
            [_square(core, column, row) for core, (column, row) in zip(placement.cores, places, strict=True)],
        )
    )


def draw(picture: CorePicture) -> str:
    """The picture as an SVG document."""
    side = ceil(sqrt(picture.cores_per_router))
    router = side * _CORE + _GAP
    layers = list(picture.layers)
    width = max(2 * _MARGIN + picture.columns * router, 420)
    height = 2 * _MARGIN + picture.rows * router + _LINE * (len(layers) + 1)
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        ' font-family="sans-serif" font-size="11">',
        f"<title>{xml_text(picture.title)}</title><desc>{MARK}</desc>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for column in range(picture.columns):
        for row in range(picture.rows):
            x, y = _MARGIN + column * router, _MARGIN + row * router
            size = side * _CORE
            drawn.append(f'<rect x="{x}" y="{y}" width="{size}" height="{size}" fill="#f2f2f2" stroke="#cccccc"/>')
    taken: dict[tuple[int, int], int] = {}
    for square in picture.squares:
        at = square.column, square.row
        slot = taken[at] = taken.get(at, -1) + 1
        x = _MARGIN + square.column * router + slot % side * _CORE
        y = _MARGIN + square.row * router + slot // side * _CORE
        drawn += _core(square, layers.index(square.layer), x, y)
    top = _MARGIN + picture.rows * router + _LINE
    for index, (layer, cores) in enumerate(picture.layers.items()):
        y = top + index * _LINE
        colour = _COLOURS[index % len(_COLOURS)]
        drawn.append(f'<rect x="{_MARGIN}" y="{y - 10}" width="12" height="12" fill="{colour}"/>')
        text = f"{index + 1}  {layer}: {cores} core{'s' if cores > 1 else ''}"
        drawn.append(f'<text x="{_MARGIN + 18}" y="{y}">{xml_text(text)}</text>')
    drawn.append("</svg>")
    return "\n".join(drawn) + "\n"


def _square(core: Core, column: int, row: int) -> Square:
    uses = "; ".join(f"{use.resource} {use.of_text} {use.unit}" for use in core.uses)
    tile = core.tile
    part = f"channels {_range(tile.channels)}, rows {_range(tile.rows)}, columns {_range(tile.columns)}"
    share = None if core.binding is None else core.binding.share
    return Square(core.layer, column, row, share, f"{core.layer}: {part}; {uses}")


def _core(square: Square, layer: int, x: int, y: int) -> list[str]:
    colour = _COLOURS[layer % len(_COLOURS)]
    share = 1.0 if square.share is None else min(1.0, square.share)
    full = round((_CORE - 2) * share, 1)
    return [
        "<g>",
        f"<title>{xml_text(square.text)}</title>",
        f'<rect x="{x + 1}" y="{y + 1}" width="{_CORE - 2}" height="{_CORE - 2}" fill="{colour}" fill-opacity="0.25"/>',
        f'<rect x="{x + 1}" y="{y + _CORE - 1 - full:.1f}" width="{_CORE - 2}" height="{full}" fill="{colour}"/>',
        f'<text x="{x + _CORE / 2}" y="{y + _CORE / 2 + 4}" text-anchor="middle">{layer + 1}</text>',
        "</g>",
    ]


def _range(bounds: tuple[int, int]) -> str:
    first, stop = bounds
    return f"{first}" if stop - first == 1 else f"{first} to {stop - 1}"
