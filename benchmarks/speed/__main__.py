"""Our speed, measured on this machine: at most 15 minutes on one core.

    make bench
    python -m benchmarks.speed [--json FILE] [--tables FILE.md] [--net NAME] [--rounds 7] [--most 12]
    python -m benchmarks.speed --tables-of FILE [--tables FILE.md]

Processor time of one thread, so that a busy machine counts little; what is compared takes turns in one process, and
the median of the ratios counts. Peers that are not installed, or cannot run a network, are told and left out. --tables
writes the tables between the two marks of a Markdown file. The JSON is kept after each network, so that a run that is
interrupted keeps what it has.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch

from benchmarks.speed.measured import Row, beside_peers, growth, own_stages
from benchmarks.speed.nets import NETS
from benchmarks.speed.peers import installed
from spear_deploy.system.files import write_whole
from spear_deploy.system.memory import reuse_memory

MARKS = ("<!-- benchmarks.speed: begin -->", "<!-- benchmarks.speed: end -->")


def machine() -> dict[str, object]:
    """What it was measured on."""
    return {
        "cores": os.cpu_count(),
        "architecture": platform.machine(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "peers": installed(),
    }


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table in Markdown."""
    return [f"| {' | '.join(each)} |" for each in (head, ["---"] * len(head), *rows)]


def tables(result: Row) -> str:
    """All that was measured, in Markdown."""
    found, peers = result["machine"], result["machine"]["peers"]
    versions = ", ".join(f"{name} {version}" for name, version in peers.items())
    lines = [
        f"`make bench`: {found['cores']} cores ({found['architecture']}), one thread, torch {found['torch']},"
        f" {versions}; processor time, medians of ratios, {result['seconds'] / 60:.0f} minutes in all.",
        "",
    ]
    names = ["products alone", *peers]
    for task in ("inference", "training"):
        rows = []
        for each in result["peers"]:
            times = each[task]
            ratios = [f"{times[name]['of_ours']:.2f}" if name in times else "" for name in names]
            rows.append([each["net"], f"{times['ours']['ms']:.1f}", *ratios])
        title = f"{task.capitalize()}: our milliseconds a batch, and what others take of that (above 1: we are faster)."
        lines += [title, ""]
        lines += [*table(["network", "ours, ms", *names], rows), ""]
    missing = [f"{each['net']}: {name}: {why}" for each in result["peers"] for name, why in each["missing"].items()]
    lines += [*(f"Not run: {each}." for each in missing), ""] if missing else []
    rows = [
        [
            each["net"],
            f"{each['ms']['forward']:.1f}",
            *(f"{each[key]:.2f}" for key in ("measure_of_forward", "measure64_of_forward64", "measure64_of_forward")),
            *(
                f"{each[key]:.2f}" if key in each else "not held"
                for key in ("integers_of_float", "preparing_in_forwards")
            ),
        ]
        for each in result["stages"]
    ]
    head = ["network", "float32 forward, ms", "`measure` / forward", "in float64 / forward in float64"]
    head += ["in float64 / forward in float32", "integers / float run", "preparing integers, in forwards"]
    lines += ["Our own stages over the same samples.", "", *table(head, rows), ""]
    if result["growth"]:
        rows = [
            [
                each["stage"],
                f"{each['axis']} {each['sizes'][0]} to {each['sizes'][-1]}",
                f"{each['time_exponent']:.2f}",
                "" if each["memory_exponent"] is None else f"{each['memory_exponent']:.2f}",
                f"{each['seconds'][-1]:.2f}",
                "" if each["peak_mib"][-1] is None else f"{each['peak_mib'][-1]:.0f}",
            ]
            for each in result["growth"]
        ]
        head = ["stage", "over", "time ~ size ^", "memory ~ size ^", "s at the largest", "MiB beside the process"]
        lines += ["Growth, on three convolutions of 28 x 28 events.", "", *table(head, rows), ""]
    return "\n".join(lines)


def write_between(page: Path, text: str) -> None:
    """Put a text between the marks of a page."""
    before, _, rest = page.read_text().partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    page.write_text(f"{before}{MARKS[0]}\n{text}\n{MARKS[1]}{after}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--tables", type=Path)
    parser.add_argument("--net", choices=[net.name for net in NETS], action="append")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--most", type=float, default=12, help="seconds after which a comparison begins no round")
    parser.add_argument("--no-growth", action="store_true")
    parser.add_argument("--tables-of", type=Path, metavar="JSON", help="measure nothing: the tables of a run's JSON")
    given = parser.parse_args()
    if given.tables_of:
        found = tables(json.loads(given.tables_of.read_text()))
        print(found)
        if given.tables:
            write_between(given.tables, found)
        return 0
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    reuse_memory()  # as jobs do, for everyone
    start = time.monotonic()
    result: Row = {"machine": machine(), "peers": [], "stages": [], "growth": []}
    for net in (net for net in NETS if given.net is None or net.name in given.net):
        print(f"{time.monotonic() - start:5.0f} s  {net.name}", file=sys.stderr, flush=True)
        result["peers"].append(beside_peers(net, given.rounds, given.most))
        result["stages"].append(own_stages(net, given.rounds, given.most))
        keep(result, start, given.json)
    if not given.no_growth:
        print(f"{time.monotonic() - start:5.0f} s  growth", file=sys.stderr, flush=True)
        result["growth"] = growth(given.rounds, given.most)
    keep(result, start, given.json)
    print(tables(result))
    if given.tables:
        write_between(given.tables, tables(result))
    return 0


def keep(result: Row, start: float, path: Path | None) -> None:
    """Write what is measured so far, so that a run that is interrupted keeps it; `--tables-of` makes tables of it."""
    result["seconds"] = time.monotonic() - start
    if path:
        write_whole(path, json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
