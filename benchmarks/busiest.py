"""Pruning under the busiest core against pruning under mean SynOps, and against more cores without any pruning.

    python -m benchmarks.busiest NETWORK SEED..     # digits, or uneven; a line a run into docs/evidence/raw/busiest/
    python -m benchmarks.busiest cores              # the shipped network on more and more cores: no search, seconds

Step time and energy are typical ones of our model by each chip's prices, from the spikes on the test split in the
chip's arithmetic. `python -m benchmarks.busiest table` prints what the raw lines say.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby, pairwise
from pathlib import Path

import torch
from torch import nn

import spear_deploy
from benchmarks.evidence.settings import BUILD, ROOT
from spear_deploy.backends.backend import measure_on
from spear_deploy.hardware import OnChip, activity_of, load_profile, parse_budgets
from spear_deploy.hardware.spreading import moved_text, spread
from spear_deploy.jobs.check import subjects_of
from spear_deploy.jobs.deploy.prepare import Prepared, prepare
from spear_deploy.jobs.deploy.request import DeployRequest
from spear_deploy.jobs.deploy.search import solve
from spear_deploy.jobs.progress import Clock, Silent
from spear_deploy.network import Model, Reading
from spear_deploy.targets.target import Target, limits_of

RAW = ROOT / "docs" / "evidence" / "raw" / "busiest"
ARMS = {
    "digits": (("mean SynOps", "40%"), ("busiest core", "core-step=40%")),
    "uneven": (("mean SynOps", "40%"), ("busiest core", "core-step=40%")),
    "deep": (
        ("mean SynOps", "40%"),
        ("mean SynOps", "25%"),
        ("busiest core", "core-step=40%"),
        ("busiest core", "core-step=25%"),
    ),
}
SPREAD_TO = "core-step=25%"
SAMPLES = 20
LRE_SAMPLES, EVALUATIONS = 8, 20
NETWORKS = {"digits": ("loihi1", "loihi2"), "uneven": ("loihi1", "loihi2"), "deep": ("loihi1", "loihi2")}
COLUMNS = (
    "network",
    "chip",
    "seed",
    "arm",
    "budget",
    "placed",
    "accuracy",
    "synops",
    "core_step",
    "step_us",
    "energy_uj",
)
HIDDEN = {"uneven": (64, 256), "deep": (64, 256, 64, 64)}
TIME_STEPS, EPOCHS = 4, {"uneven": 8, "deep": 30}


def model_of(name: str) -> Path:
    """The shipped network, or one with a wide layer in which nearly all operations are, or about half of them."""
    if name == "digits":
        return ROOT / "examples" / "digits.pt"
    path = BUILD / f"{name}.pt"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        _train(path, HIDDEN[name], EPOCHS[name])
    return path


def _train(path: Path, hidden: tuple[int, ...], epochs: int) -> None:
    import snntorch
    from snntorch import functional, utils

    torch.manual_seed(0)
    layers: list[nn.Module] = [nn.Flatten()]
    for before, after in pairwise((64, *hidden, 10)):
        layers += [
            nn.Linear(before, after),
            snntorch.Leaky(beta=0.5, init_hidden=True, reset_mechanism="zero", reset_delay=False),
        ]
    net, data = nn.Sequential(*layers), spear_deploy.load_data("digits")
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
    loss_of = functional.mse_count_loss(correct_rate=1.0, incorrect_rate=0.0)
    for _ in range(epochs):
        for batch in torch.randperm(len(data.train)).split(64):
            utils.reset(net)
            spikes = (torch.rand((TIME_STEPS, *data.train.x[batch].shape)) < data.train.x[batch]).float()
            loss = loss_of(torch.stack([net(step) for step in spikes]), data.train.y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    spear_deploy.save_model(
        net, path, input_shape=(1, 8, 8), time_steps=TIME_STEPS, encoding="rate", read_out="count", data="digits"
    )


def runs(name: str, seed: int) -> Iterator[tuple[object, ...]]:
    """Every arm on every chip; each network as it is placed by default, and on more cores."""
    chips = tuple(load_profile(chip) for chip in NETWORKS[name])
    request = DeployRequest(
        model=model_of(name),
        targets=chips,
        out=BUILD / "unused",
        seed=seed,
        budgets=("100%",),
        lre_samples=LRE_SAMPLES,
        evaluations=EVALUATIONS,
        finalists=1,
        lava=False,
        cache=BUILD / "samples",
    )
    prepared = prepare(request, Silent())
    dense = prepared.task.model
    for target in prepared.targets:
        for row in _measured(target, dense, prepared):
            yield name, target.chip.name, seed, "dense", "", *row
    for target in prepared.targets:
        for arm, budget in ARMS[name]:
            limits = limits_of(parse_budgets([budget]), target.plain_on_chip(dense))
            pruned = solve(replace(target, limits=limits, least_cores={}), request, prepared, Clock(Silent()))
            for row in _measured(target, pruned.model, prepared):
                yield name, target.chip.name, seed, arm, budget.removeprefix("core-step="), *row


def _measured(target: Target, model: Model, prepared: Prepared) -> Iterator[tuple[object, ...]]:
    found = measure_on(target.backend, model, prepared.test)
    activity = activity_of(found, model.time_steps, analog_input=prepared.test.analog)
    plain = OnChip(model.network, target.chip, activity)
    limits = limits_of(parse_budgets([SPREAD_TO]), target.plain_on_chip(prepared.task.model))
    for on_chip in (plain, spread(plain, limits)):
        step, energy = on_chip.cost.timing.step_ns, on_chip.cost.priced_pj
        assert step is not None
        assert energy is not None
        yield (
            moved_text(on_chip),
            round(found.accuracy, 4),
            round(found.synops),
            round(on_chip.cost.timing.term("synaptic operations").worst),
            round(step.typical / 1e3, 3),
            round(energy.typical / 1e6, 3),
        )
        if on_chip.least_cores == plain.least_cores and on_chip is not plain:
            return


def on_more_cores() -> Iterator[tuple[object, ...]]:
    """The shipped network on two chips, as placed by default and with the busiest core held to less and less."""
    for name in ("digits",):
        (subject,) = subjects_of([model_of(name)], None, SAMPLES, Reading(), lambda _: None)
        for chip in ("loihi1", "loihi2"):
            profile = load_profile(chip)
            seen = subject.seen(profile)
            assert seen is not None
            plain = OnChip(subject.model.network, profile, seen.activity)
            most = plain.cost.timing.term("synaptic operations").worst
            for part in (1, 2, 4, 8):
                placed = spread(plain, parse_budgets([f"core-step={most / part:.0f}"]))
                step, energy = placed.cost.timing.step_ns, placed.cost.priced_pj
                assert step is not None
                assert energy is not None
                core_step = placed.cost.timing.term("synaptic operations").worst
                cores = placed.placement.cores_needed
                yield name, chip, f"1/{part}", cores, round(core_step), step.typical / 1e3, energy.typical / 1e6


def write(name: str, seed: int) -> None:
    """A line a run, as soon as it is there."""
    RAW.mkdir(parents=True, exist_ok=True)
    with (RAW / f"{name}-{seed}.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in runs(name, seed):
            writer.writerow(row)
            file.flush()


def table() -> Iterator[str]:
    """Means over seeds, a line for each network, chip, arm, budget and placement."""
    found: dict[tuple[str, ...], dict[str, str]] = {}  # where more cores were of no use, a row stands twice
    for path in sorted(path for name in NETWORKS for path in RAW.glob(f"{name}-*.csv")):
        with path.open(newline="") as file:
            found |= {tuple(row.values()): row for row in csv.DictReader(file)}
    yield "| network | chip | arm | budget | cores | seeds | accuracy | SynOps | core-step | step | energy |"
    yield "|---|---|---|---|---|---|---|---|---|---|---|"

    def key(row: dict[str, str]) -> tuple[str, ...]:
        placed = "more" if row["placed"] else "as needed"
        return row["network"], row["chip"], row["arm"], row["budget"], placed

    for names, group in groupby(sorted(found.values(), key=key), key):
        each = list(group)
        mean = {column: sum(float(row[column]) for row in each) / len(each) for column in COLUMNS[6:]}
        seeds = len({row["seed"] for row in each})
        yield (
            f"| {' | '.join(names)} | {seeds} | {mean['accuracy']:.1%} | {mean['synops']:,.0f} |"
            f" {mean['core_step']:,.0f} | {mean['step_us']:.2f} us | {mean['energy_uj']:.2f} uJ |"
        )


if __name__ == "__main__":
    torch.set_flush_denormal(True)
    if sys.argv[1] == "table":
        print("\n".join(table()))
    elif sys.argv[1] == "cores":
        RAW.mkdir(parents=True, exist_ok=True)
        with (RAW / "cores.csv").open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("network", "chip", "core_step_held_to", "cores", "core_step", "step_us", "energy_uj"))
            writer.writerows((*row[:5], *(f"{value:.3f}" for value in row[5:])) for row in on_more_cores())
    else:
        for number in sys.argv[2:]:
            write(sys.argv[1], int(number))
