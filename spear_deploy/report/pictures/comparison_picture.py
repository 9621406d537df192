"""A picture of a comparison: the energy of an inference on each chip, low to high, on a logarithmic axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, floor, log10

from spear_deploy.hardware.amounts import energy_text
from spear_deploy.hardware.chip.figures import Spread, Status
from spear_deploy.hardware.comparison import Row
from spear_deploy.report.pictures.file import xml_text
from spear_deploy.system.files import MARK

_LEFT, _RIGHT, _LINE, _TOP = 290, 180, 26, 44
_AXIS = 420
_FITS, _DOES_NOT = "#228833", "#aa3377"
_DASHES = {Status.MEASURED: "", Status.PUBLISHED: "", Status.DERIVED: "", Status.ESTIMATED: ' stroke-dasharray="5 3"'}


def comparison_svg(rows: Sequence[Row]) -> str:
    """One line a row: a bar from low to high and a mark at typical, dashed where estimated.

    Green and a disc fit, purple and a ring do not; a chip without a price says so.
    """
    energies = [row.cost.energy_pj for row in rows if row.cost is not None and row.cost.energy_pj is not None]
    low = floor(log10(min((each.low for each in energies if each.low > 0), default=1.0)))
    high = max(low + 1, ceil(log10(max((each.high for each in energies if each.high > 0), default=10.0))))
    width, height = _LEFT + _AXIS + _RIGHT, _TOP + _LINE * len(rows) + 50

    def at(energy_pj: float) -> float:
        return _LEFT + _AXIS * (log10(max(energy_pj, 10.0**low)) - low) / (high - low)

    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        ' font-family="sans-serif" font-size="12">',
        f"<desc>{MARK}</desc>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="22" font-size="14">Energy of an inference</text>',
    ]
    bottom = _TOP + _LINE * len(rows)
    for power in range(low, high + 1):
        x = at(10.0**power)
        drawn.append(f'<line x1="{x:.1f}" y1="{_TOP - 8}" x2="{x:.1f}" y2="{bottom}" stroke="#dddddd"/>')
        label = energy_text(10.0**power).replace(".00", "").replace(".0 ", " ")
        drawn.append(f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle" fill="#555555">{label}</text>')
    for index, row in enumerate(rows):
        drawn += _line(row, _TOP + _LINE * index + _LINE / 2, at)
    legend = "the mark is the typical value: a disc where it fits, a ring where it does not; dashed: estimated"
    drawn.append(f'<text x="{_LEFT}" y="{bottom + 38}" fill="#555555">{legend}</text>')
    drawn.append("</svg>")
    return "\n".join(drawn) + "\n"


def _line(row: Row, y: float, at: Callable[[float], float]) -> list[str]:
    colour = _FITS if row.verdict.fits else _DOES_NOT
    name = f"{row.model}, {row.profile.name}{'' if row.verdict.fits else ' (does not fit)'}"
    drawn = [f'<text x="{_LEFT - 10}" y="{y + 4:.1f}" text-anchor="end">{xml_text(name)}</text>']
    energy = row.cost.energy_pj if row.cost is not None else None
    if row.cost is None or energy is None:
        why = "not measured" if row.cost is None else row.cost.unpriced_text
        drawn.append(f'<text x="{_LEFT + 6}" y="{y + 4:.1f}" fill="#888888">{xml_text(why)}</text>')
        return drawn
    return drawn + _bar(energy, row.cost.energy_status, colour, row.verdict.fits, y, at)


def _bar(energy: Spread, status: Status, colour: str, fits: bool, y: float, at: Callable[[float], float]) -> list[str]:
    low, typical, high = at(energy.low), at(energy.typical), at(energy.high)
    dashes, filled = _DASHES.get(status, ""), colour if fits else "#ffffff"
    return [
        f'<line x1="{low:.1f}" y1="{y}" x2="{high:.1f}" y2="{y}" stroke="{colour}" stroke-width="6"{dashes}/>',
        f'<circle cx="{typical:.1f}" cy="{y}" r="5" fill="{filled}" stroke="{colour}" stroke-width="2"/>',
        f'<text x="{_LEFT + _AXIS + 12}" y="{y + 4:.1f}">{xml_text(energy_text(energy))}</text>',
    ]
