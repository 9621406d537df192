"""Read many mutated files and say what came of it.

    python -m tests.fuzz --kind npz --inputs 5000 --seed 0
    python -m tests.fuzz --inputs 30 --seed 0 --command    # through the installed command, watched by strace

Exit code 0: each was read or refused in words; 1: some crashed, ran code, hung, took the memory or
ended in a traceback.
"""

import argparse
import sys

import torch

from tests.fuzz.command import through_the_command
from tests.fuzz.kinds import KINDS
from tests.fuzz.run import fuzz


def main() -> int:
    """Run the kinds asked for; the number of the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=[*KINDS, "all"], default="all")
    parser.add_argument("--inputs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--command", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    bad = 0
    for name in KINDS if given.kind == "all" else (given.kind,):
        outcomes, faults = fuzz(KINDS[name], given.inputs, given.seed, through_the_command if given.command else None)
        counts = ", ".join(f"{count} {word}" for word, count in outcomes.most_common())
        print(f"{name}: {given.inputs} inputs, seed {given.seed}: {counts}", flush=True)
        for fault in faults[:20]:
            print(f"  {fault}"[:400])
        bad += len(faults)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
