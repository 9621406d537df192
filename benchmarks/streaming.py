"""How much memory a data set takes that is larger than memory might be: events of 2 x 128 x 128, read by the batch.

    python -m benchmarks.streaming [--samples 10000] [--size 128] [--steps 20] [--widths 8 16 32] [--folder DIR]

Writes a folder of packed events (made up, one of eight bits set; kept there for the next time), then measures a network
of convolutions on all of them, and fine-tunes it for one epoch of all of them, in one process and one thread. The
peak is the resident set at its highest (Linux), of which the proportional set size is a part: it holds the imports and
the network too.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks.speed.nets import CLASSES, convolutional
from benchmarks.speed.timing import high_water_mib
from spear_deploy.data import encode, load_data
from spear_deploy.measure import measure_split
from spear_deploy.network import Model, from_snntorch
from spear_deploy.system.memory import reuse_memory
from spear_deploy.training import Recipe, fine_tune

AT_ONCE = 64
OTHERS = 32
"""Samples of validation and of test, which nothing here reads."""


@dataclass(frozen=True)
class Row:
    """One stage.

    Attributes:
        stage: which.
        processor_s: time of one thread.
        peak_mib: the resident set at its highest; None where the system does not say.

    """

    stage: str
    processor_s: float
    peak_mib: float | None


def write_events(folder: Path, samples: int, shape: tuple[int, ...]) -> None:
    """A folder of packed events `[samples, *shape]`; one that is there already stays."""
    if folder.is_dir():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    room = Path(tempfile.mkdtemp(dir=folder.parent))
    rng = np.random.default_rng(0)
    packed = (*shape[:-1], shape[-1] // 8)
    for part, count in (("train", samples), ("val", OTHERS), ("test", OTHERS)):
        head = {"descr": "|u1", "fortran_order": False, "shape": (count, *packed)}
        with (room / f"x_{part}_bits.npy").open("wb") as file:
            np.lib.format.write_array_header_1_0(file, head)
            for start in range(0, count, AT_ONCE):
                size = (min(AT_ONCE, count - start), *packed)
                drawn = [rng.integers(0, 256, size, dtype=np.uint8) for _ in range(3)]
                file.write((drawn[0] & drawn[1] & drawn[2]).data)
        np.save(room / f"y_{part}.npy", np.arange(count) % CLASSES)
    try:
        room.rename(folder)
    except OSError:
        shutil.rmtree(room)
        raise


def network(size: int, time_steps: int, widths: tuple[int, ...] = (8, 16, 32)) -> Model:
    """Convolutions of 3 x 3 with stride 2, and a dense layer."""
    torch.manual_seed(0)
    made = convolutional(2, size, tuple(f"/{width}" for width in widths))
    return from_snntorch(made, input_shape=(2, size, size), time_steps=time_steps, encoding="spikes")


def multiply_adds(model: Model) -> int:
    """Of one step, every weight at every place."""
    found, shapes = 0, model.network.shapes
    for name, node in model.network.nodes.items():
        weight = getattr(node, "weight", None)
        if weight is not None:
            places = int(np.prod(shapes[name])) // weight.shape[0]
            found += weight.size * places
    return found


def stages(folder: Path, model: Model, batch: int = 64) -> list[Row]:
    """Measuring, and one epoch."""
    data = encode(load_data(folder).train, "spikes", model.time_steps)
    works: dict[str, Callable[[], object]] = {
        "measure": lambda: measure_split(model, data),
        "one epoch": lambda: fine_tune(model, data, Recipe(epochs=1, batch=batch), seed=0),
    }
    rows = []
    for name, work in works.items():
        print(f"{name} ...", file=sys.stderr, flush=True)
        start = time.process_time()
        peak = high_water_mib(work)
        rows.append(Row(name, time.process_time() - start, peak))
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--size", type=int, default=128, help="a multiple of 8")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--widths", type=int, nargs="+", default=(8, 16, 32), help="channels of the convolutions")
    parser.add_argument("--batch", type=int, default=64, help="of training")
    parser.add_argument("--folder", type=Path, default=Path("build/streaming"))
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    reuse_memory()  # as jobs do
    shape = (given.steps, 2, given.size, given.size)
    folder = given.folder / f"{given.samples}x{'x'.join(map(str, shape))}"
    write_events(folder, given.samples, shape)
    model = network(given.size, given.steps, tuple(given.widths))
    rows = stages(folder, model, given.batch)
    whole = given.samples * int(np.prod(shape))
    print(f"{given.samples:,} samples of {' x '.join(map(str, shape))}: {whole / 2**23:,.0f} MiB in bits, in float32")
    print(f"{whole / 2**18:,.0f} MiB; a network of {multiply_adds(model) / 1e6:.1f} M multiply-adds a step")
    for row in rows:
        peak = "" if row.peak_mib is None else f"{row.peak_mib:8.0f} MiB at most"
        print(f"{row.stage:10} {row.processor_s:8.1f} s of processor time {peak}")
    if given.json:
        given.json.write_text(json.dumps([asdict(row) for row in rows], indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
