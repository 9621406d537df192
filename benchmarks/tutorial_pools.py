"""The networks of snnTorch's tutorials 6 and 7 with `--adapt`, beside the same with their pools moved by hand.

    python -m benchmarks.tutorial_pools mnist --seeds 3     # idx files of MNIST, tutorial 6
    python -m benchmarks.tutorial_pools nmnist --seeds 3    # recordings of N-MNIST, tutorial 7
    python -m benchmarks.tutorial_pools                     # the page alone

A network is trained as the tutorials write it: Conv - MaxPool - Leaky. Its weights go into two model files, as they are
and with every pool behind its neurons, and both go through the main job on Loihi 2 with the same budget and seed, the
first with `adapt`. Raw figures are kept, one JSON file a seed and arm; what is there is not made again.
"""

from __future__ import annotations

import argparse
import hashlib
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import snntorch as snn
import torch
from snntorch import functional, surrogate, utils
from torch import Tensor, nn

from benchmarks.evidence.settings import MNIST_FOLDER, ROOT, mnist
from benchmarks.evidence.store import Hands, Json, Unit, results
from spear_deploy import DeployConfig, deploy, load_data
from spear_deploy.data import Dataset, Split, encode
from spear_deploy.jobs.deploy.request import quickened
from spear_deploy.measure.measurement import accuracy_on
from spear_deploy.network import Model, from_snntorch
from spear_deploy.report import Report

RAW = ROOT / "docs" / "evidence" / "raw" / "tutorial_pools"
PAGE = ROOT / "docs" / "evidence" / "tutorial_pools.md"
BUILD = ROOT / "build" / "tutorial_pools"
NMNIST_ZIP = ROOT.parent / "shared" / "cases" / "nmnist" / "recordings.zip"
"""Where N-MNIST's recordings are looked for."""

ARMS = ("adapt", "by hand")
BUDGET = "50%"
PLAIN_EPOCHS = 1
FINAL_EPOCHS = 3
EVALUATIONS = 10
LAVA_SECONDS = 8.0
"""For samples in Lava; a busy machine needs more for as many, and no accuracy depends on it."""

MNIST_TRAIN, MNIST_VALIDATION = 2000, 500
"""Images, the first of each split of the others' evidence; all 2,000 of test."""


@dataclass(frozen=True)
class Tutorial:
    """A tutorial's network and data.

    Attributes:
        title: on the page.
        read: gives the data.
        shape: of one time step.
        widths: channels of the two convolutions.
        time_steps: T.
        encoding: of the samples.
        epochs: of the training.
        batch: samples a step of it.

    """

    title: str
    read: Callable[[], Dataset]
    shape: tuple[int, int, int]
    widths: tuple[int, int]
    time_steps: int
    encoding: str
    epochs: int
    batch: int

    @property
    def name(self) -> str:
        """What a unit's setting is called."""
        return self.title


def network(tutorial: Tutorial, *, pool_behind: bool = False) -> nn.Sequential:
    """Conv - MaxPool - Leaky twice, then a Linear: or Conv - Leaky - MaxPool, with parameters under other names."""
    options: dict[str, Any] = {"beta": 0.5, "spike_grad": surrogate.fast_sigmoid(slope=25), "init_hidden": True}
    layers: list[nn.Module] = []
    channels, side = tutorial.shape[0], tutorial.shape[1]
    for width in tutorial.widths:
        pool, neurons = nn.MaxPool2d(2), snn.Leaky(**options)
        layers += [nn.Conv2d(channels, width, 5), *((neurons, pool) if pool_behind else (pool, neurons))]
        channels, side = width, (side - 4) // 2
    layers += [nn.Flatten(), nn.Linear(channels * side**2, 10), snn.Leaky(**options)]
    return nn.Sequential(*layers)


@cache
def trained(tutorial: Tutorial, seed: int) -> nn.Sequential:
    """The tutorial's network, trained as there: Adam, and counts of spikes (80 % for the class, 20 % for others)."""
    torch.manual_seed(seed)
    net, split = network(tutorial), tutorial.read().train
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    loss = functional.mse_count_loss(correct_rate=0.8, incorrect_rate=0.2)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(tutorial.epochs):
        for index in torch.randperm(len(split), generator=generator).split(tutorial.batch):
            optimizer.zero_grad()
            loss(_run(net, tutorial, split, index), split.y[index]).backward()
            optimizer.step()
    utils.reset(net)
    return net


def _run(net: nn.Sequential, tutorial: Tutorial, split: Split, index: Tensor) -> Tensor:
    utils.reset(net)
    x = torch.as_tensor(split.x[index]).float()
    steps = (
        x.clamp(max=1).transpose(0, 1) if tutorial.encoding == "clipped" else x.expand(tutorial.time_steps, *x.shape)
    )
    return torch.stack([net(step) for step in steps])


def model(tutorial: Tutorial, net: nn.Sequential, arm: str) -> Model:
    """The model of an arm, from the same weights."""
    if arm == "by hand":
        moved = network(tutorial, pool_behind=True)
        for mine, theirs in zip(_weighted(moved), _weighted(net), strict=True):
            mine.load_state_dict(theirs.state_dict())
        net = moved
    return from_snntorch(
        net,
        input_shape=tutorial.shape,
        time_steps=tutorial.time_steps,
        encoding=tutorial.encoding,
        read_out="count",
    )


def _weighted(net: nn.Sequential) -> list[nn.Module]:
    return [layer for layer in net if isinstance(layer, nn.Conv2d | nn.Linear)]


def settings(arm: str, seed: int, lava_seconds: float = LAVA_SECONDS) -> DeployConfig:
    """Those of `--quick`, with fewer epochs of the fine-tunes."""
    config = quickened(
        DeployConfig(
            budgets=(BUDGET,), seed=seed, adapt=arm == "adapt", lava_seconds=lava_seconds, cache=BUILD / "cache"
        )
    )
    plan = config.plan
    plan = replace(
        plan,
        plain=replace(plan.plain, epochs=PLAIN_EPOCHS),
        final=replace(plan.final, epochs=FINAL_EPOCHS),
    )
    return replace(config, plan=plan, evaluations=EVALUATIONS)


def job(tutorial: Tutorial, seed: int, arm: str, lava_seconds: float = LAVA_SECONDS) -> Json:
    """One arm through the main job."""
    data = tutorial.read()
    given = model(tutorial, trained(tutorial, seed), arm)
    before = accuracy_on(given, encode(data.test, given.encoding, given.time_steps))
    done = deploy(given, "loihi2", data, settings(arm, seed, lava_seconds))
    return _figures(done.report) | {"trained": before, "weights": weights(done.model)}


def weights(given: Model) -> str:
    """A hash of all weights and biases, in the order of the layers, whatever these are called."""
    network = given.network
    digest = hashlib.sha256()
    for name in (name for stage in network.stages for name in stage):
        for kind in ("weight", "bias"):
            values = getattr(network.nodes[name], kind, None)
            if values is not None:
                digest.update(np.ascontiguousarray(values, np.float64).tobytes())
    return digest.hexdigest()


def _figures(report: Report) -> Json:
    basis = report.verdict.basis
    measured = report.measured[basis]
    return {
        "accuracy": measured.accuracy,
        "samples": measured.samples,
        "synops": measured.synops,
        "arithmetic": measured.arithmetic,
        "budget": report.budget.synops,
        "dense": {"accuracy": report.dense.accuracy, "synops": report.dense.synops},
        "splits": {name: split.samples for name, split in report.splits.items()},
        "keep_ratios": report.pruned.keep_ratios,
        "adaptations": [each.model_dump(by_alias=True) for each in report.adaptations],
        "agreement": {name: [each.samples, each.equal] for name, each in report.agreement.items()},
        "verdict": {"ok": report.verdict.ok, "reason": report.verdict.reason},
        "seconds": report.seconds,
        "told": report.told,
    }


@cache
def _mnist() -> Dataset:
    data = load_data(mnist(MNIST_FOLDER).data)
    return replace(data, train=data.train.first(MNIST_TRAIN), validation=data.validation.first(MNIST_VALIDATION))


@cache
def _nmnist() -> Dataset:
    folder = BUILD / "nmnist"
    if not folder.is_dir():
        working = folder.with_suffix(".partial")
        with zipfile.ZipFile(NMNIST_ZIP) as archive:
            names = [name for name in archive.namelist() if name.endswith(".bin")]
            for name in names:
                place = working / Path(name).parent.name / Path(name).name
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(archive.read(name))
        working.rename(folder)
    return load_data(folder, input_shape=TUTORIALS["nmnist"].shape, time_steps=TUTORIALS["nmnist"].time_steps)


TUTORIALS = {
    "mnist": Tutorial("tutorial 6 on MNIST", _mnist, (1, 28, 28), (6, 12), 4, "direct", 12, 64),
    "nmnist": Tutorial("tutorial 7 on N-MNIST", _nmnist, (2, 34, 34), (6, 12), 5, "clipped", 20, 32),
}
"""Half the widths of the tutorials or less, and fewer time steps, so that jobs take minutes."""


def table(found: Sequence[Json]) -> str:
    """A row for each seed, and the paired differences."""
    rows = [
        "| seed | dense, pools before | dense, pools moved | with `--adapt` | pools moved by hand | difference |"
        " SynOps, both | said |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    differences = []
    for seed, (adapted, by_hand) in pairs(found).items():
        differences.append(100 * (adapted["accuracy"] - by_hand["accuracy"]))
        cells = (
            seed,
            f"{adapted['trained']:.1%}",
            f"{by_hand['trained']:.1%}",
            f"{adapted['accuracy']:.2%}",
            f"{by_hand['accuracy']:.2%}",
            f"{differences[-1]:+.2f}",
            f"{adapted['synops']:,.0f}, {by_hand['synops']:,.0f}",
            ", ".join(
                "OK" if each["verdict"]["ok"] else each["verdict"]["reason"].partition(":")[0]
                for each in (adapted, by_hand)
            ),
        )
        rows.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join([*rows, "", f"{_paired(differences)} {_became(found)}"])


def pairs(found: Sequence[Json]) -> dict[int, tuple[Json, Json]]:
    """Both arms of each seed that has both: with `adapt`, and by hand."""
    arms = [{each["seed"]: each for each in found if each["arm"] == arm} for arm in ARMS]
    return {seed: (arms[0][seed], arms[1][seed]) for seed in sorted(set(arms[0]) & set(arms[1]))}


def _paired(differences: Sequence[float]) -> str:
    mean = f"Mean difference {np.mean(differences):+.2f} points"
    if len(differences) < 2:
        return mean + "."
    return f"{mean}, standard error {np.std(differences, ddof=1) / len(differences) ** 0.5:.2f}."


def _became(found: Sequence[Json]) -> str:
    ways = sorted({change["to"].split(" (")[0] for each in found for change in each["adaptations"]})
    equal = sum(one["weights"] == other["weights"] for one, other in pairs(found).values())
    return (
        f"What `--adapt` chose: {'; '.join(ways)}. Delivered networks that are the same to the last bit:"
        f" {equal} of {len(pairs(found))}."
    )


def page(found: dict[str, list[Json]]) -> str:
    """The page of evidence."""
    parts = []
    for name, runs in found.items():
        splits = runs[0]["splits"]
        sizes = " / ".join(f"{splits[part]:,}" for part in splits)
        each = TUTORIALS[name]
        judged = f"{each.widths[0]} and {each.widths[1]} channels, T = {each.time_steps}, {sizes} samples."
        parts.append(f"## T{each.title[1:]}\n\n{judged}\n\n{table(runs)}")
    return f"""# Pools before the neuron

Written by `python -m benchmarks.tutorial_pools` from [raw figures](raw/tutorial_pools). Networks of snnTorch's
tutorials 6 and 7, Conv - MaxPool - Leaky, are trained as they stand there, at small width. Loihi 2 cannot compare
currents: the same weights go through the main job once as they are with `--adapt`, and once with each pool moved behind
its neurons by hand. Both have a budget of {BUDGET} of their own dense SynOps and the same seed; the settings are those
of `--quick` made smaller still, for time: {PLAIN_EPOCHS} epoch of the plain
fine-tune, {FINAL_EPOCHS} of the last and {EVALUATIONS} candidates.
Accuracies are on test; those of delivered networks, and SynOps, are of the chip's integers. `dense` are the trained
networks before the job, in torch.

{(chr(10) * 2).join(parts)}
"""


def main() -> None:
    """Gather what is missing of one tutorial, if one is named, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tutorial", choices=TUTORIALS, nargs="?")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--lava-seconds", type=float, default=LAVA_SECONDS, help="for the samples of each run in Lava")
    Hands.add_to(parser)
    options = parser.parse_args()
    if options.tutorial:
        run = partial(job, lava_seconds=options.lava_seconds)
        units = [
            Unit(options.tutorial, run, {"seed": seed, "arm": arm}) for seed in range(options.seeds) for arm in ARMS
        ]
        Hands.of(options).gather(TUTORIALS[options.tutorial], RAW, units)
    found = {name: results(RAW, name) for name in TUTORIALS}
    PAGE.write_text(page({name: runs for name, runs in found.items() if runs}))


if __name__ == "__main__":
    from benchmarks import tutorial_pools  # by the name that other processes know

    tutorial_pools.main()
