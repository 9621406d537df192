"""The table as a page, and the rows of one that was written before."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.networks.judge import COLUMNS, Row

PAGE = Path(__file__).parents[2] / "docs" / "networks.md"

HEAD = """# Networks as people have them

Written by `python -m benchmarks.networks --lava [NAME..] --to docs/networks.md`, on small random networks whose every
layer spikes; with `--only NAME..` the other rows stay as they are. Each is run by its own framework; a figure stands
where all spikes are the same in every place:

- spikes: all neuron layers on the samples of the table;
- SynOps: of a mean sample, counted once more by loops over every synapse;
- Loihi 2: whether `check` finds nothing;
- integers: its own, spikes equal to Lava's fixed point on 2 samples ("held" where Lava was not run);
- NIR, ONNX, netx: the file, written, read and run again, spikes equal (netx: those of its integers);
- Lava: the same in Lava, in float64, on 2 samples ("written" where it was not run).

A number in brackets is the reason of a refusal, below.
"""

_NUMBER = re.compile(r"\[(\d+)\]")


@dataclass(frozen=True)
class Line:
    """A row as it stands on a page: source, and a text or (`refused`) a reason for each column."""

    source: str
    cells: tuple[tuple[str, bool], ...]


def line_of(row: Row) -> Line:
    """A row that was judged."""
    if row.refused:
        return Line(row.case.source, ((_reason(row.refused), True), *[("-", False)] * (len(COLUMNS) - 1)))
    found = [row.cells[name] for name in COLUMNS]
    return Line(
        row.case.source,
        tuple(
            (f"**{cell.text}**", False)
            if cell.wrong
            else (_reason(cell.text) if cell.refused else cell.text, cell.refused)
            for cell in found
        ),
    )


def page(lines: Mapping[str, Line]) -> str:
    """The page of rows by network, with each reason said once."""
    reasons: list[str] = []

    def shown(text: str, refused: bool) -> str:
        if not refused:
            return text
        if text not in reasons:
            reasons.append(text)
        return f"[{reasons.index(text) + 1}]"

    written = [HEAD, f"| network | by | {' | '.join(COLUMNS)} |", "|---" * (2 + len(COLUMNS)) + "|"]
    for name, line in lines.items():
        cells = " | ".join(shown(*cell) for cell in line.cells)
        written.append(f"| {name} | {line.source} | {cells} |")
    written += ["", *(f"[{number}] {text}  " for number, text in enumerate(reasons, 1))]
    return "\n".join(written) + "\n"


def lines_in(text: str) -> dict[str, Line]:
    """The rows of a page, in its order."""
    reasons = dict(re.findall(r"^\[(\d+)\] (.*?) *$", text, flags=re.MULTILINE))
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    found = {}
    for name, source, *cells in rows[1:]:
        numbers = [_NUMBER.fullmatch(cell) for cell in cells]
        pairs = [
            (cell, False) if number is None else (reasons[number[1]], True)
            for cell, number in zip(cells, numbers, strict=True)
        ]
        found[name] = Line(source, tuple(pairs))
    return found


def joined(before: Mapping[str, Line], rows: Sequence[Row], order: Sequence[str]) -> dict[str, Line]:
    """Rows of a page with those that were judged since, in the order of the table; what it lost is left out."""
    after = {**before, **{row.case.name: line_of(row) for row in rows}}
    return {name: after[name] for name in order if name in after}


def _reason(text: str) -> str:
    return text.split(": ", 1)[-1]
