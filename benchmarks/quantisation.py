"""What integers cost on MNIST: accuracy, spike counts, and what tuning while rounding gives back.

    python benchmarks/quantisation.py [../shared/cases] [--only "conv LIF"] [--bits 8 6 4] [--folder trained]

Networks are trained on 7,000 images of MNIST's t10k files (in the folder's mnist/), their scales
are chosen on training images, all figures are of the last 2,000. `tuned`: two more epochs with the
chip's rounding in the forward pass, beside as many without (`longer`, in floating point and in
integers). Counts: the layer whose spike count differs most from floating point. Fake: integers
against the float network with rounded weights, places and counts of spikes. One thread.
"""

import argparse
import gzip
import time
from pathlib import Path

import nir
import numpy as np
import snntorch
import torch
from torch import nn

from spear_deploy.backends.fixed_point import LOIHI2, LoihiExecution, fake_quantized, quantiser_for, quantize
from spear_deploy.data import EncodedSplit, SplitName
from spear_deploy.measure import classify
from spear_deploy.network import Simulation, batches, from_snntorch, load_model_file, save_model_file
from spear_deploy.training import Recipe, fine_tune

CALIBRATION = 256
TUNING = Recipe(epochs=2, batch=64, learning_rate=1e-3)


def images(folder):
    """MNIST's t10k images `[10000, 1, 28, 28]` from 0 to 1, and labels."""
    with gzip.open(folder / "mnist" / "t10k-images-idx3-ubyte.gz") as file:
        pixels = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 1, 28, 28)
    with gzip.open(folder / "mnist" / "t10k-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)
    return torch.from_numpy(pixels / np.float32(255)), torch.from_numpy(labels.astype(np.int64))


def still(x):
    """The same image in 6 steps."""
    return x.expand(6, *x.shape)


def rows(x):
    """The rows of an image one after the other, as spikes where it is bright: `[28, N, 28]`."""
    return (x[:, 0] > 0.4).float().transpose(0, 1).contiguous()


def leaky(beta=0.7):
    return snntorch.Leaky(beta, init_hidden=True, reset_mechanism="zero", reset_delay=False)


def synaptic():
    return snntorch.Synaptic(0.5, 0.7, init_hidden=True, reset_mechanism="zero", reset_delay=False)


def slow_leaky():
    return leaky(0.9)


def slow_synaptic():
    return snntorch.Synaptic(0.6, 0.9, init_hidden=True, reset_mechanism="zero", reset_delay=False)


def convolutional(neuron):
    return nn.Sequential(
        *(nn.Conv2d(1, 12, 3, stride=2), neuron(), nn.Conv2d(12, 24, 3, stride=2), neuron()),
        *(nn.Flatten(), nn.Linear(24 * 36, 10), neuron()),
    )


def recurrent(neuron):
    return nn.Sequential(nn.Linear(28, 100), neuron(), nn.Linear(100, 10), neuron())


def with_loop(model):
    """The model with synapses from each neuron of its first layer to each of it."""
    layer = model.network.layers[0]
    back = nir.Affine(torch.randn(100, 100).numpy() / 10, np.zeros(100))
    edges = [*model.graph.edges, (layer, "back"), ("back", layer)]
    return model.with_graph(nir.NIRGraph({**model.graph.nodes, "back": back}, edges, type_check=False))


CONVOLUTIONS = Recipe(epochs=5, batch=64, learning_rate=4e-3)
LOOPS = Recipe(epochs=12, batch=64, learning_rate=5e-3)
CASES = {
    "conv LIF": (lambda: convolutional(leaky), still, (1, 28, 28), CONVOLUTIONS, (0,)),
    "conv CubaLIF": (lambda: convolutional(synaptic), still, (1, 28, 28), CONVOLUTIONS, (0,)),
    "recurrent LIF": (lambda: recurrent(slow_leaky), rows, (28,), LOOPS, (0, 1, 2)),
    "recurrent CubaLIF": (lambda: recurrent(slow_synaptic), rows, (28,), LOOPS, (0, 1, 2)),
}


def trained(name, seed, train, folder):
    build, encode, shape, recipe, _ = CASES[name]
    path = folder / f"{name.replace(' ', '_')}_{seed}.pt"
    if not path.exists():
        torch.manual_seed(seed)
        time_steps = len(encode(torch.zeros(1, 1, 28, 28)))
        model = from_snntorch(build(), input_shape=shape, time_steps=time_steps)
        if encode is rows:
            model = with_loop(model)
        save_model_file(fine_tune(model, train, recipe, seed=seed), path)
    return load_model_file(path)


@torch.no_grad()
def outputs(run, inputs):
    parts = [run(inputs[:, part]).outputs for part in batches(inputs.shape[1])]
    return {name: torch.cat([part[name] for part in parts], dim=1) for name in parts[0]}


def floating(model, inputs):
    return outputs(Simulation(model.graph), inputs)


def accuracy(model, fired, labels):
    return 100 * float((classify(fired[model.network.read_out]) == labels).double().mean())


def worst_count(fired, wanted):
    return max(100 * abs(float(fired[n].sum()) / max(float(wanted[n].sum()), 1) - 1) for n in wanted)


def worst_places(fired, wanted):
    return max(100 * float((fired[n] != wanted[n]).sum()) / max(float(wanted[n].sum()), 1) for n in wanted)


def report(label, model, bits, calibration, inputs, labels):
    """One line: a network in integers."""
    wanted = floating(model, inputs)
    start = time.process_time()
    quantized = quantize(model, calibration=calibration, weight_bits=dict.fromkeys(model.network.layers, bits))
    seconds = time.process_time() - start
    fired = outputs(LoihiExecution(quantized).run, inputs)
    fake = floating(fake_quantized(model, quantized), inputs)
    exact, rounded = accuracy(model, wanted, labels), accuracy(model, fired, labels)
    print(
        f"{label:34} {bits} bit  float {exact:6.2f}  integers {rounded:6.2f} ({rounded - exact:+.2f})"
        f"  counts {worst_count(fired, wanted):5.2f} %"
        f"  fake: places {worst_places(fired, fake):5.2f} %, counts {worst_count(fired, fake):5.2f} %"
        f"  quantised in {seconds:5.1f} s",
        flush=True,
    )
    return exact, rounded


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="?", type=Path, default=Path("../shared/cases"))
    parser.add_argument("--only", choices=CASES, nargs="*", default=list(CASES))
    parser.add_argument("--bits", type=int, nargs="*", default=[8, 6, 4])
    parser.add_argument("--tune", type=int, nargs="*", default=[4], help="bits that are tuned for")
    parser.add_argument("--folder", type=Path, default=Path("trained"), help="where trained networks are kept")
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.folder.mkdir(exist_ok=True)
    x, y = images(options.cases)
    for name in options.only:
        _, encode, _, _, seeds = CASES[name]
        train = EncodedSplit(SplitName.TRAIN, encode(x[:7000]), y[:7000], analog=encode is still)
        test, labels = encode(x[8000:]), y[8000:]
        calibration = train.inputs[:, :CALIBRATION]
        changes = {}
        for seed in seeds:
            model = trained(name, seed, train, options.folder)
            for bits in options.bits:
                figures = report(f"{name}, seed {seed}", model, bits, calibration, test, labels)
                changes.setdefault((bits, "as trained"), []).append(figures)
            longer = fine_tune(model, train, TUNING, seed=seed) if options.tune else model
            for bits in options.tune:
                weight_bits = dict.fromkeys(model.network.layers, bits)
                quantiser = quantiser_for(model, LOIHI2, weight_bits, calibration=calibration)
                tuned = fine_tune(model, train, TUNING, seed=seed, quantiser=quantiser)
                exact, longer_rounded = report(f"{name}, seed {seed}, longer", longer, bits, calibration, test, labels)
                changes.setdefault((bits, "longer"), []).append((exact, longer_rounded))
                _, rounded = report(f"{name}, seed {seed}, tuned", tuned, bits, calibration, test, labels)
                changes.setdefault((bits, "tuned, against longer"), []).append((exact, rounded))
        for (bits, what), pairs in changes.items():
            mean = np.mean([rounded - exact for exact, rounded in pairs])
            print(f"{name:20} {bits} bit {what:22} mean of {len(pairs)}: {mean:+.2f} points", flush=True)


if __name__ == "__main__":
    main()
