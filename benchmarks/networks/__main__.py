"""Networks as people have them, each held against its own framework, and where it goes from there.

python -m benchmarks.networks [--only NAME..] [--lava [NAME..]] [--to docs/networks.md]
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import torch

from benchmarks.networks.judge import judge
from benchmarks.networks.page import joined, lines_in, page
from benchmarks.networks.registry import CASES


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="networks whose names hold one of these")
    parser.add_argument(
        "--lava",
        nargs="*",
        metavar="NAME",
        help="run these in Lava too (all if none is named), floating and fixed point",
    )
    parser.add_argument(
        "--to", type=Path, metavar="FILE", help="write the table there; rows that --only leaves out stay"
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    chosen = [case for name, case in CASES.items() if not options.only or any(part in name for part in options.only)]
    rows = []
    for case in chosen:
        if case.missing:
            print(f"{case.name}: left out, {case.missing} is not installed", flush=True)
            continue
        start = time.perf_counter()
        in_lava = options.lava is not None and (not options.lava or any(part in case.name for part in options.lava))
        row = judge(case, lava=in_lava)
        rows.append(row)
        cells = "; ".join(f"{name} {cell.text}{' WRONG' if cell.wrong else ''}" for name, cell in row.cells.items())
        print(f"{case.name}: {row.refused or cells} ({time.perf_counter() - start:.1f} s)", flush=True)
    if options.to:
        kept = lines_in(options.to.read_text()) if options.only and options.to.is_file() else {}
        options.to.write_text(page(joined(kept, rows, list(CASES))))
    wrong = [row.case.name for row in rows if row.wrong]
    print(f"{len(rows)} networks, {sum(bool(row.cells) for row in rows)} load, {len(wrong)} wrong: {', '.join(wrong)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
