"""Our prices against what was measured on chips: benchmarks/silicon.csv, one published row a line.

    python benchmarks/silicon.py

Prints, as a table in Markdown, low - typical - high by our profiles beside the measured figure. A network that is not
to be had is held by what its row gives: the idle power of its chips over the time between two inferences. A network of
N-MNIST's counts is made.
"""

import csv
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import nir
import numpy as np
import torch

from spear_deploy.hardware import Activity, Cost, estimate, load_profile, place
from spear_deploy.hardware.chip.figures import Spread
from spear_deploy.measure.events import Events
from spear_deploy.measure.record import Recorder
from spear_deploy.network import Network

ROWS = Path(__file__).with_suffix(".csv")
INPUTS, HIDDEN, CLASSES, STEPS = 2312, 512, 10, 300
MOST_APART = 2.0
INPUT_EVENTS, HIDDEN_SPIKES = 2640, 5000
"""Of an inference: together 1.4 M SynOps, what a network of this kind does on real recordings."""


def nmnist() -> tuple[Network, Activity]:
    """A dense network of the published counts, and random spikes that change in every step."""
    nodes: dict[str, nir.NIRNode] = {"input": nir.Input(np.array([INPUTS]))}
    for name, width, before in (("hidden", HIDDEN, INPUTS), ("out", CLASSES, HIDDEN)):
        ones = np.ones(width)
        nodes[f"fc_{name}"] = nir.Linear(np.ones((width, before)))
        nodes[name] = nir.IF(r=ones, v_threshold=ones, v_reset=ones * 0, metadata={"dt": 1e-3})
    nodes["output"] = nir.Output(np.array([CLASSES]))
    names = list(nodes)
    network = Network(nir.NIRGraph(nodes, list(pairwise(names)), type_check=False))
    generator = torch.Generator().manual_seed(0)
    events = {
        name: torch.rand((STEPS, 1, size), generator=generator) < count / STEPS / size
        for name, size, count in (
            ("input", INPUTS, INPUT_EVENTS),
            ("hidden", HIDDEN, HIDDEN_SPIKES),
            ("out", CLASSES, 30),
        )
    }
    recorder = Recorder(network)
    recorder.add({name: Events.of(each) for name, each in events.items()})
    spikes = {name: each.sum((0, 1)).double().numpy() for name, each in events.items()}
    return network, Activity(spikes, STEPS, analog_input=False, inferences=1, record=recorder.record())


def line(
    work: str,
    chip: str,
    had: str,
    what: str,
    found: Spread,
    measured: float,
    unit: str,
    reason: str,
    bound: bool = False,
) -> str:
    """One row: inside the range or not, how far from the typical value, and where it is far, what is missing."""
    inside = "inside" if found.low <= measured <= found.high else "outside"
    if bound:  # a part against the whole: it must not exceed it
        inside = "part of it" if found.low <= measured else "more than the whole"
    factor = measured / found.typical
    far = max(factor, 1 / factor) > MOST_APART and not bound
    spread = " - ".join(f"{value:.3g}" for value in (found.low, found.typical, found.high))
    cells = (
        work,
        chip,
        had,
        what,
        f"{spread} {unit}",
        f"{measured:g} {unit}",
        inside,
        f"{factor:.1f}",
        reason if far else "",
    )
    return f"| {' | '.join(cells)} |"


def missing(cost: Cost) -> str:
    """What was counted, and has no price or time on the chip."""
    unpriced = [term.missing[0] for term in cost.timing.unpriced if term.missing]
    counts = ", ".join(f"{term.name}: {term.count:,.0f} {term.unit}" for term in cost.outside.terms)
    return f"no price for {', '.join(dict.fromkeys([*cost.outside.missing, *unpriced]))} ({counts})"


def scaled(spread: Spread, factor: float) -> Spread:
    return Spread(spread.low * factor, spread.typical * factor, spread.high * factor)


def lines() -> Iterator[str]:
    with ROWS.open(newline="") as file:
        rows = list(csv.DictReader(file))
    network, activity = nmnist()
    for row in rows:
        if row["network"].startswith("N-MNIST"):
            for chip in ("loihi1", "loihi1-nahuku"):
                cost = estimate(network, place(network, load_profile(chip)), activity)
                had = "network made to its counts"
                if cost.energy_pj is not None and cost.time_ns is not None:
                    energy, time, why = scaled(cost.energy_pj, 1e-9), scaled(cost.time_ns, 1e-6), missing(cost)
                    yield line(row["work"], chip, had, "energy", energy, float(row["mj_total"]), "mJ", why)
                    yield line(row["work"], chip, had, "time", time, float(row["ms"]), "ms", why)
        if not (row["ms"] and row["mj_total"]):
            continue
        static = load_profile(row["chip"]).energy.static_per_chip
        assert static is not None
        interval_ms = 1e3 / float(row["per_s"]) if row["per_s"] else float(row["ms"])
        idle = scaled(static.spread, float(row["chips"]) * interval_ms * 1e-3)
        had = f"counts alone: {row['network']}"
        what = "idle energy"
        if row["mj_dynamic"]:
            measured = float(row["mj_total"]) - float(row["mj_dynamic"])
            used = " (its price rests on this row)" if row["used"] else ""
            yield line(row["work"], row["chip"], had, what + used, idle, measured, "mJ", "")
        else:
            total = float(row["mj_total"])
            what += "; measured: with all else"
            yield line(row["work"], row["chip"], had, what, idle, total, "mJ", "", bound=True)


if __name__ == "__main__":
    columns = (
        "row (all at second hand)",
        "profile",
        "what was had",
        "what",
        "predicted low - typical - high",
        "measured",
    )
    print(f"| {' | '.join((*columns, 'inside', 'measured / typical', 'missing, where further apart than 2'))} |")
    print("|---" * 9 + "|")
    for text in lines():
        print(text)
