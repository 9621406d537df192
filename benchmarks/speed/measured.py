"""What is measured: a network beside its peers, counting beside running, integers beside floats, growth."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any

import snntorch
import torch
from torch import Tensor, nn

from benchmarks.speed.nets import CLASSES, Net, convolutional
from benchmarks.speed.peers import PEERS, Run, installed, ours, products_alone
from benchmarks.speed.timing import Work, exponent, peak_mib, ratio, taking_turns
from spear_deploy.backends.backend import CALIBRATION_SAMPLES
from spear_deploy.backends.fixed_point.backend import ChipBackend
from spear_deploy.backends.fixed_point.formats import LOIHI2
from spear_deploy.backends.torch import TorchExecutable
from spear_deploy.data import EncodedSplit, SplitName
from spear_deploy.errors import BackendError
from spear_deploy.measure import measure_split
from spear_deploy.network import Simulation, batches, samples_at_once
from spear_deploy.training import Recipe, fine_tune

Row = dict[str, Any]


def inference(run: Run, x: Tensor) -> Work:
    """One forward pass without gradients."""

    def work() -> None:
        with torch.no_grad():
            run(x)

    return work


def step(module: nn.Module, run: Run, x: Tensor) -> Work:
    """Forward, cross-entropy of the mean output, backward, SGD."""
    optimiser = torch.optim.SGD(module.parameters(), lr=1e-4, momentum=0.9)
    labels = torch.arange(x.shape[1]) % CLASSES

    def work() -> None:
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(run(x).mean(0), labels).backward()
        optimiser.step()

    return work


def beside_peers(net: Net, rounds: int, most_s: float) -> Row:
    """Inference and training step of a network, ours and others', in processor time."""
    makers = {"ours": ours, "products alone": products_alone} | {name: PEERS[name] for name in installed()}
    made, missing = {}, {}
    x = net.inputs()
    for name, maker in makers.items():
        try:
            made[name] = maker(net)
            with torch.no_grad():
                made[name][1](x[:, :2])
        except Exception as error:  # a peer that cannot run the network is told and left out
            if name == "ours":
                raise
            made.pop(name, None)
            missing[name] = f"{type(error).__name__}: {str(error)[:120]}"
    if any(isinstance(part, snntorch.RSynaptic) for part in net.made()):
        made.pop("products alone", None)  # recurrent products are part of the loop
    row: Row = {"net": net.name, "missing": missing}
    for task in ("inference", "training"):
        works = {
            name: inference(run, x) if task == "inference" else step(module, run, x)
            for name, (module, run) in made.items()
        }
        times = taking_turns(works, rounds, most_s)
        row[task] = {
            name: {"ms": 1000 * median(each), "of_ours": ratio(each, times["ours"])} for name, each in times.items()
        }
    with torch.no_grad():
        sent = {name: run(x[:, :8]) for name, (_, run) in made.items() if name in ("ours", "snntorch")}
    row["outputs_equal_to_snntorch"] = float((sent["ours"] == sent["snntorch"]).double().mean())
    return row


def split_of(net: Net, samples: int) -> EncodedSplit:
    """Made-up samples of a network's shape."""
    return EncodedSplit(SplitName.TEST, net.inputs(samples), torch.arange(samples) % CLASSES, analog=net.static)


def passes(run: Callable[[Tensor], object], data: EncodedSplit, size: int) -> Work:
    """All samples, some at a time."""

    def work() -> None:
        with torch.no_grad():
            for part in batches(len(data), size):
                run(data.take(part).inputs)

    return work


def own_stages(net: Net, rounds: int, most_s: float) -> Row:
    """Counting against running, and the chip's integers against floating point, over the same samples."""
    model, data = net.model(), split_of(net, net.counted)
    backend = ChipBackend(LOIHI2, data.take(slice(0, CALIBRATION_SAMPLES)).inputs)
    size = samples_at_once(model.network, model.time_steps)

    works: dict[str, Work] = {
        "forward": passes(Simulation(model.graph), data, size),
        "forward64": passes(Simulation(model.graph, torch.float64), data, size),
        "measure": lambda: measure_split(model, data),
        "measure64": lambda: measure_split(model, data, dtype=torch.float64),
    }
    row: Row = {}
    try:
        works |= {
            "float run": passes(TorchExecutable(model, torch.float32).run, data, size),
            "integers": passes(backend.prepare(model).run, data, size),
            "preparing": lambda: backend.prepare(model),
        }
    except BackendError as error:
        row["missing"] = str(error)
    times = taking_turns(works, rounds, most_s)
    if "integers" in times:
        row["integers_of_float"] = ratio(times["integers"], times["float run"])
        row["preparing_in_forwards"] = ratio(times["preparing"], times["forward"])
    return row | {
        "net": net.name,
        "samples": len(data),
        "ms": {name: 1000 * median(each) for name, each in times.items()},
        "measure_of_forward": ratio(times["measure"], times["forward"]),
        "measure64_of_forward64": ratio(times["measure64"], times["forward64"]),
        "measure64_of_forward": ratio(times["measure64"], times["forward"]),
    }


def sized(width: int = 16, time_steps: int = 8) -> Net:
    """Three convolutions of a width."""
    widths = (width, "pool", 2 * width, "pool", 2 * width)
    return Net("three convolutions", lambda: convolutional(2, 28, widths), (2, 28, 28), time_steps, 32, 32)


def growth(rounds: int, most_s: float) -> list[Row]:
    """Exponents of processor time and peak memory with width, samples and time steps."""
    axes: dict[str, list[tuple[int, Net, int]]] = {
        "width": [(width, sized(width=width), 32) for width in (8, 16, 32)],
        "samples": [(samples, sized(), samples) for samples in (32, 64, 128)],
        "T": [(steps, sized(time_steps=steps), 32) for steps in (4, 8, 16)],
    }
    rows = []
    for axis, points in axes.items():
        sizes = [size for size, _, _ in points]
        stages: dict[str, list[tuple[float, float | None]]] = {}
        for _, net, samples in points:
            model, data = net.model(), split_of(net, samples)
            backend = ChipBackend(LOIHI2, data.take(slice(0, 32)).inputs)
            chip = backend.prepare(model)
            recipe = Recipe(epochs=1, batch=32)
            works: dict[str, Work] = {
                "measure": lambda model=model, data=data: measure_split(model, data),
                "epoch": lambda model=model, data=data, recipe=recipe: fine_tune(model, data, recipe, seed=0),
                "integers": passes(chip.run, data, 32),
                "preparing": lambda backend=backend, model=model: backend.prepare(model),
            }
            times = taking_turns(works, rounds, most_s)
            for name, work in works.items():
                stages.setdefault(name, []).append((median(times[name]), peak_mib(work)))
        for name, found in stages.items():
            seconds, peaks = [each for each, _ in found], [peak for _, peak in found]
            known = [max(peak, 1.0) for peak in peaks if peak is not None]
            rows.append(
                {
                    "axis": axis,
                    "sizes": sizes,
                    "stage": name,
                    "seconds": seconds,
                    "time_exponent": exponent(sizes, seconds),
                    "peak_mib": peaks,
                    "memory_exponent": exponent(sizes, known) if len(known) == len(peaks) else None,
                }
            )
    return rows
