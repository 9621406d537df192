"""Chips: those that are known, one with the source of every figure, and how two differ."""

from __future__ import annotations

from collections.abc import Sequence

from spear_deploy.hardware.chip.profile import Profile
from spear_deploy.report.chip_json import overview_json
from spear_deploy.report.terminal.table import Table
from spear_deploy.report.words.quantity_text import status_text, value_text


def chips_table(profiles: Sequence[Profile]) -> Table:
    """A line a chip."""
    table = Table("name", "chip", "cores", "figures", "unknown", "energy of a synaptic operation")
    for profile in profiles:
        about = overview_json(profile)
        cores = "-" if about["cores"] is None else f"{about['cores']:,}"
        table.add_row(profile.name, profile.title, cores, str(about["figures"]), str(about["unknown"]), _price(profile))
    return table


def figures_text(profile: Profile, keys: Sequence[str]) -> list[str]:
    """Figures by their keys: key and value on a line, below it, indented, its status and all its words.

    No table: a column that is left beside key and value at 80 columns holds one word a line.
    """
    lines = []
    figures = profile.figures()
    for key in keys:
        figure = figures[key]
        notes = [figure.source, figure.quote and f'"{figure.quote}"', figure.operating_point, figure.note]
        lines.append(f"{key}: {value_text(figure)}")
        lines += [f"    {' '.join(note.split())}" for note in (status_text(figure), *notes) if note]
    return lines


def differences(first: Profile, second: Profile) -> dict[str, list[str | None]]:
    """Figures that two chips do not share, by key: what each has, None where it has none."""
    texts = [
        {
            key: f"{value_text(each)}, {each.status}" if each.known else "unknown"
            for key, each in profile.figures().items()
        }
        for profile in (first, second)
    ]
    keys = [key for key in dict.fromkeys([*texts[0], *texts[1]]) if texts[0].get(key) != texts[1].get(key)]
    return {key: [found.get(key) for found in texts] for key in keys}


def differences_table(first: Profile, second: Profile) -> Table:
    """A line for each figure that two chips do not share."""
    table = Table()
    table.add_column("figure", no_wrap=True)
    for profile in (first, second):
        table.add_column(profile.name)
    for key, texts in differences(first, second).items():
        table.add_row(key, *(text or "-" for text in texts))
    return table


def alike(first: Profile, second: Profile) -> int:
    """How many figures two chips share."""
    return len((first.figures().keys() & second.figures().keys()) - differences(first, second).keys())


def _price(profile: Profile) -> str:
    price = profile.energy.synaptic_operation
    if price is None:
        return "not priced apart"
    return "unknown" if not price.known else f"{value_text(price)}, {price.status}"
