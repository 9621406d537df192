"""How much memory and processor time a command takes by stage: the proportional set size of all its processes at most.

    python -m benchmarks.memory [--json FILE] [--every .5] -- spear-deploy --target loihi2 --workers 2 model.pt

Linux alone. A page that n processes share counts as 1/n of it in each (`Pss` of /proc/PID/smaps_rollup). The stage is
the last one that the command told to be done, as it tells where there is no terminal; so the first row is what comes
before, and each other row what comes after.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True)
class Peak:
    """The most memory that stood at one time.

    Attributes:
        after: what the command told last.
        seconds: since it began.
        mib: of all processes.
        of_each: of each process, the first one first.
        processor_s: processor time of all processes in the stage, to within the time between two looks.

    """

    after: str
    seconds: float
    mib: float
    of_each: tuple[float, ...]
    processor_s: float = 0.0


def family(process: int) -> list[int]:
    """A process and all that it started, and these."""
    found = [process]
    for children in PROC.glob(f"{process}/task/*/children"):
        try:
            each = children.read_text().split()
        except OSError:  # it is gone
            continue
        found += [one for child in each for one in family(int(child))]
    return found


def proportional_mib(process: int) -> float:
    """Its proportional set size; 0 of a process that is gone."""
    try:
        lines = (PROC / str(process) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:")), 0.0)


def processor_s(process: int) -> float:
    """Processor time that a process and those it waited for have taken; 0 of a process that is gone."""
    try:
        fields = (PROC / str(process) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def peaks(command: Sequence[str], every_s: float = 0.5) -> tuple[int, list[Peak]]:
    """Run a command; its exit code, and the peak after each line in which it told that a stage is done."""
    start = time.monotonic()
    told = ["start"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        lines = process.stderr

        def listen() -> None:
            for line in lines:
                sys.stderr.write(line)
                name, _, rest = line.partition("  ")
                done, _, total = rest.strip().partition(",")[0].partition("/")
                if total and done == total:
                    told.append(name.strip())

        threading.Thread(target=listen, daemon=True).start()
        found: dict[str, Peak] = {}
        spent: dict[str, float] = {}
        so_far_s = 0.0
        while process.poll() is None:
            all_of_it = family(process.pid)
            each = tuple(round(proportional_mib(one), 1) for one in all_of_it)
            after = told[-1]
            now_s = max(so_far_s, sum(processor_s(one) for one in all_of_it))
            spent[after] = spent.get(after, 0.0) + now_s - so_far_s
            so_far_s = now_s
            if after not in found or sum(each) > found[after].mib:
                found[after] = Peak(after, round(time.monotonic() - start, 1), round(sum(each), 1), each)
            time.sleep(every_s)
        return process.returncode, [replace(each, processor_s=round(spent[after], 1)) for after, each in found.items()]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--every", type=float, default=0.5, help="seconds between two looks")
    parser.add_argument("command", nargs="+")
    given = parser.parse_args()
    code, found = peaks(given.command, given.every)
    print(f"{'after':24} {'seconds':>8} {'MiB in all':>10} {'processor s':>11}  of each process")
    for peak in found:
        print(
            f"{peak.after:24} {peak.seconds:8.1f} {peak.mib:10.0f} {peak.processor_s:11.1f}"
            f"  {', '.join(f'{each:.0f}' for each in peak.of_each)}"
        )
    if given.json:
        given.json.write_text(json.dumps([asdict(peak) for peak in found], indent=2) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
