"""Whether what is promised holds on networks and data that nobody tuned to.

    python -m benchmarks.promise run build/foreign/*.pt --out docs/evidence/raw/promise
    python -m benchmarks.promise table docs/evidence/raw/promise --to docs/evidence/promise.md

`run` takes each model file through budgets of 50, 30 and 15 % on Loihi 2, in its integers, beside the
tuned dense network and the uniform one, and writes one JSON file a network after every budget; a second call
makes what is missing.
"""

from __future__ import annotations

import argparse
import json
import traceback
from pathlib import Path

import torch

from benchmarks.promise.runs import BUDGETS, Json, run
from benchmarks.promise.tables import table
from spear_deploy.errors import SpearDeployError
from spear_deploy.network.device import exact_products


def main() -> None:
    """Run what is missing, or write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    runs = verbs.add_parser("run")
    runs.add_argument("models", nargs="+", type=Path)
    runs.add_argument("--out", type=Path, required=True)
    runs.add_argument("--device", default="cpu")
    runs.add_argument("--lre-samples", type=int, default=24)
    runs.add_argument("--evaluations", type=int, default=100)
    runs.add_argument("--finalists", type=int, default=3)
    runs.add_argument("--cache", type=Path, help="keep LRE's samples here, so that a second call goes on")
    runs.add_argument("--no-uniform", action="store_true", help="leave that reference out")
    tables = verbs.add_parser("table")
    tables.add_argument("raw", type=Path)
    tables.add_argument("--to", type=Path)
    given = parser.parse_args()
    torch.set_flush_denormal(True)
    exact_products()
    if given.verb == "table":
        text = table([json.loads(path.read_text()) for path in sorted(given.raw.glob("*.json"))])
        print(text) if given.to is None else given.to.write_text(text)
        return
    given.out.mkdir(parents=True, exist_ok=True)
    changes = {"lre_samples": given.lre_samples, "evaluations": given.evaluations, "finalists": given.finalists}
    for path in given.models:
        out = given.out / f"{path.stem}.json"
        kept = json.loads(out.read_text()) if out.is_file() else {}
        if not {"refused", "error"} & set(kept) and set(kept.get("budgets", {})) != set(BUDGETS):
            found = _kept_safe(path, out, kept, given, changes)
            out.write_text(json.dumps(found) + "\n")
            print(path.stem, {budget: one.get("ok") for budget, one in found.get("budgets", {}).items()}, flush=True)


def _kept_safe(path: Path, out: Path, kept: Json, given: argparse.Namespace, changes: Json) -> Json:
    """A network's figures, or why there are none; written to `out` after every budget."""

    def write(found: Json) -> None:
        working = out.with_suffix(".partial")
        working.write_text(json.dumps(found) + "\n")
        working.replace(out)

    try:
        return run(
            path,
            device=given.device,
            done=kept.get("budgets"),
            uniform=not given.no_uniform,
            on_budget=write,
            cache=given.cache,
            **changes,
        )
    except SpearDeployError as error:
        return kept | {"network": path.stem, "refused": str(error)}
    except Exception:
        return kept | {"network": path.stem, "error": traceback.format_exc()}


if __name__ == "__main__":
    main()
