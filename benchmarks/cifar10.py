"""CIFAR-10 as SPEAR did it: its networks, its budgets, its terms; ours beside its published rows.

    python -m benchmarks.cifar10 --net vgg16 --device cuda --amp --data ../shared/cases/cifar10
    python -m benchmarks.cifar10 --net vgg16 --width 0.25 --images 4000 --epochs 10      # on a few cores
    python -m benchmarks.cifar10 --table

The dense network is trained by `examples/train_cifar10.py`; then each budget goes through the search and the fine-tune,
in floating point, as the paper's do, against the same network tuned alike without pruning. What stands in `--work`
and under docs/evidence/raw/cifar10 is not made again, so that a second call goes on where the first one ended.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from benchmarks.promise.runs import Json, run
from examples.train_cifar10 import HELD_OUT, load, normalised
from spear_deploy.cli.console import TerminalProgress
from spear_deploy.jobs.deploy.request import DEFAULT_PLAN
from spear_deploy.network.device import exact_products

ROOT = Path(__file__).resolve().parents[1]
RAW, PAGE = ROOT / "docs" / "evidence" / "raw" / "cifar10", ROOT / "docs" / "evidence" / "cifar10.md"
TARGET = "generic-45nm"
"""Floating point: the paper prunes for no chip."""

PUBLISHED = {
    "vgg16": (("62.5%", 33.1, 92.49), ("52.5%", 14.4, 91.77), ("46.4%", 11.9, 91.62)),
    "resnet18": (("39.2%", 30.3, 92.78),),
}
"""SynOps, parameters and accuracy in % (Xie et al., arXiv 2507.02945, which has no seeds and no absolute SynOps)."""


def main() -> None:
    """Make what is missing, or the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--net", choices=PUBLISHED, default="vgg16")
    parser.add_argument("--width", type=float, default=1.0, help="share of the channels")
    parser.add_argument("--epochs", type=int, default=25, help="of the dense training")
    parser.add_argument("--images", type=int, default=45_000, help="training images of the dense training")
    parser.add_argument("--tuned-images", type=int, default=45_000, help="of these, those that fine-tunes see")
    parser.add_argument("--test-images", type=int, default=10_000)
    parser.add_argument("--budgets", nargs="*", help="of SynOps; by default the paper's; none: only what they share")
    parser.add_argument("--lre-samples", type=int, default=12)
    parser.add_argument("--evaluations", type=int, default=40)
    parser.add_argument("--plain-epochs", type=int, default=1)
    parser.add_argument("--final-epochs", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--amp", action="store_true", help="train the dense network with products in bfloat16")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "cases" / "cifar10")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "cifar10", help="dense networks and data")
    parser.add_argument("--cache", type=Path, help="of finished steps; by default in --work")
    parser.add_argument("--raw", type=Path, default=RAW)
    parser.add_argument("--table", action="store_true", help="make nothing but the page, of all that is there")
    options = parser.parse_args()
    if options.table:
        text = page([json.loads(path.read_text()) for path in sorted(options.raw.glob("*.json"))])
        PAGE.write_text(text) if options.raw == RAW else print(text)
        return
    if not (options.data.is_dir()):
        parser.error(
            f"--data {options.data}: no such folder; wanted is one of train.npz and test.npz, or torchvision's"
        )
    pruned(options)


def pruned(options: argparse.Namespace) -> None:
    """Train the network, where it is not there, and take it through its budgets."""
    torch.set_flush_denormal(True)
    exact_products()
    name = f"{options.net}-{100 * options.width:g}pct-{options.seed}"
    for folder in (options.work, options.raw):
        folder.mkdir(parents=True, exist_ok=True)
    model, out = options.work / f"{name}.pt", options.raw / f"{name}.json"
    if not model.is_file():
        trained(options, options.work / name)
    budgets = [budget for budget, _, _ in PUBLISHED[options.net]] if options.budgets is None else options.budgets
    plan = replace(
        DEFAULT_PLAN,
        plain=replace(DEFAULT_PLAN.plain, epochs=options.plain_epochs),
        final=replace(DEFAULT_PLAN.final, epochs=options.final_epochs),
        fewest_steps=0,
        rounds=1,
    )
    kept = json.loads(out.read_text()) if out.is_file() else {}

    def keep(found: Json) -> None:
        about = {"net": options.net, "width": options.width, "tuned_images": options.tuned_images}
        about |= {"plain_epochs": options.plain_epochs, "final_epochs": options.final_epochs}
        out.write_text(json.dumps(found | about | {"dense_training": _read(options.work / f"{name}.json")}) + "\n")

    data = arrays(
        options.data,
        options.work / f"cifar10-{options.tuned_images}-{options.test_images}",
        train=min(options.tuned_images, options.images),
        validation=HELD_OUT,
        test=options.test_images,
    )
    found = run(
        model,
        seed=options.seed,
        device=options.device,
        budgets=budgets,
        done=kept.get("budgets"),
        uniform=False,
        profile=TARGET,
        plan=plan,
        on_budget=keep,
        progress=TerminalProgress(),
        data=str(data),
        lre_samples=options.lre_samples,
        evaluations=options.evaluations,
        finalists=1,
        cache=options.cache or options.work / "cache",
    )
    keep(found)


def trained(options: argparse.Namespace, stem: Path) -> None:
    """The dense network, by the example's own command."""
    command = [
        *(sys.executable, str(ROOT / "examples" / "train_cifar10.py"), "--net", options.net),
        *("--width", str(options.width), "--epochs", str(options.epochs), "--images", str(options.images)),
        *("--test-images", str(options.test_images), "--data", str(options.data), "--device", options.device),
        *("--seed", str(options.seed), "--out", str(stem), *(["--amp"] if options.amp else [])),
    ]
    subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])})


def arrays(source: Path, folder: Path, train: int, validation: int, test: int) -> Path:
    """The data set as a folder of arrays: values with the data set's mean and deviation taken out.

    Of the training images the first ones, of those that are held out from training the first ones for validation.
    """
    if not (folder / "y_test.npy").is_file():
        folder.mkdir(exist_ok=True)
        x, y = load(source, "train")
        held_out = len(x) - HELD_OUT
        for part, index in {
            "train": slice(0, min(train, held_out)),
            "val": slice(held_out, held_out + validation),
        }.items():
            _save(folder, part, x[index], y[index])
        x, y = load(source, "test")
        _save(folder, "test", x[:test], y[:test])
    return folder


def _save(folder: Path, part: str, x: torch.Tensor, y: torch.Tensor) -> None:
    np.save(folder / f"x_{part}.npy", normalised(x).numpy())
    np.save(folder / f"y_{part}.npy", y.numpy())


def _read(path: Path) -> Json:
    found: Json = json.loads(path.read_text()) if path.is_file() else {}
    return found


def page(results: list[Json]) -> str:
    """The table of all networks, the paper's rows among ours."""
    lines = [
        "# CIFAR-10 as SPEAR did it",
        "",
        "`make evidence-cifar10` (`python -m benchmarks.cifar10 --help`); raw figures in [raw/cifar10](raw/cifar10).",
        "T = 4, LIF with hard reset, tau 2; SynOps and accuracy on test, in floating point. The paper's rows are its",
        "own figures (arXiv 2507.02945): it gives no dense accuracy, no absolute SynOps and no seeds, and fine-tunes",
        "for 210 epochs on all images. Tuned dense is our dense network after the same fine-tune, without pruning.",
        "Rows of a share of the width and of few images show that budgets are kept, not what the paper's reach.",
        "",
        "| network | SynOps, M | SynOps, % | parameters, % | accuracy, % | dense, % | tuned dense, % | seed |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for each in results:
        dense = each["dense"]["test"]
        tuned = each["tuned_dense"]["test"]["accuracy"]
        lines.append(
            f"| {each['net']}, width {each['width']:g}, dense | {dense['synops'] / 1e6:.2f} | 100 | 100"
            f" | {100 * dense['accuracy']:.2f} | | {100 * tuned:.2f} | {each['seed']} |"
        )
        for budget, one in each["budgets"].items():
            lines.append(
                f"| {each['net']}, width {each['width']:g}, budget {budget} | {one['synops']['test'] / 1e6:.2f}"
                f" | {100 * one['synops']['test'] / dense['synops']:.1f} | {100 * one['parameters_share']:.1f}"
                f" | {100 * one['accuracy']['test']:.2f} | {100 * dense['accuracy']:.2f} | {100 * tuned:.2f}"
                f" | {each['seed']} |"
            )
    for net, rows in PUBLISHED.items():
        for synops, parameters, accuracy in rows:
            lines.append(f"| SPEAR, {net} | | {synops.rstrip('%')} | {parameters} | {accuracy} | | | |")
    return "\n".join([*lines, "", *map(_made, results)]) + "\n"


def _made(each: Json) -> str:
    dense, asked = each["dense_training"], each["settings"]
    return (
        f"- {each['net']}, width {each['width']:g}: {dense['parameters']:,} parameters, {dense['epochs']} epochs on"
        f" {dense['images']:,} images ({dense['data']}, {dense['device']}); fine-tunes on {each['samples'][0]:,} images"
        f" ({each['plain_epochs']} epochs plain, {each['final_epochs']} under the budget), {asked['lre_samples']} LRE"
        f" samples, {asked['evaluations']} evaluations."
    )


if __name__ == "__main__":
    main()
