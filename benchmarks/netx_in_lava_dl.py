"""Files for netx in lava-dl's own reader, against ours, output by output.

    python -m benchmarks.netx_in_lava_dl FILE.net... [--time-steps 12] [--input-shape 2x8x8] [--data x.npz]

Time steps and shape are those of the file where it says them. The first test samples of `--data` go in, or made-up
spikes, as what the file says that inputs become. lava-dl 0.6.0 asks for Python below 3.11 and imports
more than its reader needs; beside lava-nc it can be had by

    pip install --no-deps --ignore-requires-python lava-dl opencv-python-headless

Its layers each pass spikes on a step late, so that its outputs come by the number of layers less one after ours.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spear_deploy.backends.fixed_point import LoihiExecution, quantize
from spear_deploy.backends.fixed_point.quantized import input_integers
from spear_deploy.backends.lava.worker import compat
from spear_deploy.data import encode, load_data
from spear_deploy.network import Model
from spear_deploy.network.load import load_any

STEPS_BEHIND = 70
"""Silent steps behind the input: more than a file's axons are late."""


MOST_LAYERS = 12


def lava_dl() -> Any:
    """The class that reads files, without the detection of objects that its package imports and nothing here needs."""
    unused = "lava.lib.dl.slayer.object_detection"
    sys.modules.setdefault(unused, ModuleType(unused))
    return importlib.import_module("lava.lib.dl.netx.hdf5").Network


def run(path: Path, sample: NDArray[np.int32], bits: int) -> NDArray[np.bool_]:
    """Output spikes `[T, neurons]` of lava-dl's network on one sample `[T, *input_shape]` of values of so many bits."""
    source, sink = (importlib.import_module(f"lava.proc.io.{end}").RingBuffer for end in ("source", "sink"))
    conditions = importlib.import_module("lava.magma.core.run_conditions")
    configs = importlib.import_module("lava.magma.core.run_configs")
    turned = sample.transpose(0, 3, 2, 1) if sample.ndim == 4 else sample  # lava-dl has x, y, channel
    steps = len(turned)
    # without a reset that never comes its neurons hear their biases a step late
    network = lava_dl()(
        net_config=str(path),
        reset_interval=10 * steps,
        reset_offset=1,
        input_shape=turned.shape[1:],
        input_message_bits=bits,
    )
    sent = source(data=np.moveaxis(turned, 0, -1))
    heard = sink(shape=network.out.shape, buffer=steps)
    sent.s_out.connect(network.inp)
    network.out.connect(heard.a_in)
    heard.run(condition=conditions.RunSteps(num_steps=steps), run_cfg=configs.Loihi2SimCfg(select_tag="fixed_pt"))
    found: NDArray[np.bool_] = np.moveaxis(heard.data.get(), -1, 0) != 0
    heard.stop()
    return (found.transpose(0, 3, 2, 1) if found.ndim == 4 else found).reshape(steps, -1)


def compared(ours: NDArray[np.bool_], theirs: NDArray[np.bool_]) -> tuple[int, int]:
    """How many outputs differ, and by how many steps theirs come later: where fewest differ."""
    steps = len(ours)
    return min((int((theirs[late:] != ours[: steps - late]).sum()), late) for late in range(MOST_LAYERS))


def inputs_of(model: Model, data: str | None, samples: int) -> Tensor:
    """Samples `[T, B, *input_shape]`, with silence behind them."""
    if data is not None:
        spikes = encode(load_data(data).test.first(samples), model.encoding, model.time_steps).inputs
    else:
        shape = (model.time_steps, samples, *model.network.input_shape)
        spikes = (torch.rand(shape, generator=torch.Generator().manual_seed(0)) < 0.5).float()
    return torch.cat([spikes, torch.zeros(STEPS_BEHIND, *spikes.shape[1:])])


def main() -> None:
    """Print a line a file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--time-steps", type=int)
    parser.add_argument("--input-shape")
    parser.add_argument("--data")
    parser.add_argument("--samples", type=int, default=5)
    options = parser.parse_args()
    shape = None if options.input_shape is None else tuple(int(size) for size in options.input_shape.split("x"))
    warnings.simplefilter("ignore")
    compat.apply()
    for path in options.files:
        model = load_any(path, time_steps=options.time_steps, input_shape=shape)
        inputs = inputs_of(model, options.data, options.samples)
        quantized = quantize(model, calibration=inputs)
        outputs = LoihiExecution(quantized).run(inputs).outputs[model.network.read_out]
        sent, bits = input_integers(quantized, inputs), 0 if quantized.levels is None else quantized.format.graded_bits
        differ, late = 0, set[int]()
        for place in range(inputs.shape[1]):
            sample = sent[:, place].numpy().astype(np.int32)
            here, behind = compared((outputs[:, place] != 0).flatten(1).numpy(), run(path, sample, bits))
            differ, late = differ + here, late | {behind}
        said = f"{differ} differ, {', '.join(map(str, sorted(late)))} steps later"
        print(
            f"{path.name}: {int((outputs != 0).sum())} output spikes of {inputs.shape[1]} samples, {said}", flush=True
        )


if __name__ == "__main__":
    main()
