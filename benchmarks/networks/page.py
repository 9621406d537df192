"""The table as a page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.networks.judge import COLUMNS, Row

PAGE = Path(__file__).parents[2] / "docs" / "networks.md"

HEAD = """# Networks as people have them

Written by `python -m benchmarks.networks --lava [NAME..] --to docs/networks.md`, on small random networks whose every
layer spikes. Each is run by its own framework; a figure stands where all spikes are the same in every place:

- spikes: all neuron layers on the samples of the table;
- SynOps: of a mean sample, counted once more by loops over every synapse;
- Loihi 2: whether `check` finds nothing;
- integers: its own, spikes equal to Lava's fixed point on 2 samples ("held" where Lava was not run);
- NIR, ONNX, netx: the file, written, read and run again, spikes equal (netx: those of its integers);
- Lava: the same in Lava, in float64, on 2 samples ("written" where it was not run).

A number in brackets is the reason of a refusal, below.
"""


def page(rows: Sequence[Row]) -> str:
    """The page, with each reason said once."""
    reasons: list[str] = []

    def note(text: str) -> str:
        said = text.split(": ", 1)[-1]
        if said not in reasons:
            reasons.append(said)
        return f"[{reasons.index(said) + 1}]"

    lines = [
        HEAD,
        f"| network | by | {' | '.join(COLUMNS)} |",
        "|---" * (2 + len(COLUMNS)) + "|",
    ]
    for row in rows:
        if row.refused:
            cells = [note(row.refused), *["-"] * (len(COLUMNS) - 1)]
        else:
            found = [row.cells[name] for name in COLUMNS]
            cells = [
                f"**{cell.text}**" if cell.wrong else note(cell.text) if cell.refused else cell.text for cell in found
            ]
        lines.append(f"| {row.case.name} | {row.case.source} | {' | '.join(cells)} |")
    lines += ["", *(f"[{number}] {text}  " for number, text in enumerate(reasons, 1))]
    return "\n".join(lines) + "\n"
