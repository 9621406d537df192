"""Our Loihi integers against lava-nc's, and against our float simulation, in one run.

    python benchmarks/loihi_against_lava.py [--rounds 9] [--threads 2] [--lava-samples 20]

Two networks on inputs of 1 x 28 x 28 spikes, T = 20, batch 256: 784-256-10, and conv16 (3x3,
stride 2) - conv32 (3x3, stride 2) - dense10. Per sample; Lava without compiling and starting (the
difference between runs of many and of few samples, started before and after ours; the faster
counts). Ours and the simulation alternate; the fastest counts, as others may use the machine, and
the processor time is told beside it. Their ratio is the median over rounds. The rate of the machine is that of
a float32 matrix product of 2048 x 2048, taken in every round, the best counts; ours is counted as
if every synapse were multiplied in every step.
"""

import argparse
import time
from statistics import median

import snntorch
import torch
from torch import nn

from spear_deploy.backends.fixed_point import LoihiExecution, quantize
from spear_deploy.backends.lava import run_lava_fixed
from spear_deploy.network import Simulation, from_snntorch, synapse_matrix

TIME_STEPS, BATCH, LIMIT_S = 20, 256, 300


def leaky():
    return snntorch.Leaky(0.9, threshold=0.5, init_hidden=True, reset_mechanism="zero", reset_delay=False)


def dense():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 256), leaky(), nn.Linear(256, 10), leaky())


def convolutional():
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 3, stride=2), leaky(), nn.Conv2d(16, 32, 3, stride=2), leaky()),
        *(nn.Flatten(), nn.Linear(32 * 36, 10), leaky()),
    )


def seconds_of(task):
    start = time.perf_counter()
    task()
    return time.perf_counter() - start


def processor_seconds_of(task):
    start = time.process_time()
    task()
    return time.process_time() - start


def lava_s_per_sample(quantized, inputs, samples):
    """The time that each further sample takes."""
    few = max(2, samples // 10)
    runs = {
        count: run_lava_fixed(quantized, inputs[:, :count], time_limit_s=LIMIT_S).seconds for count in (few, samples)
    }
    return (runs[samples] - runs[few]) / (samples - few)


def matrix_rate():
    """Floating-point operations of a second in a product of matrices."""
    a = torch.rand(2048, 2048)
    return 2 * 2048**3 / seconds_of(lambda: a @ a)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--lava-samples", type=int, default=100)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for name, build in (("784-256-10", dense), ("conv16-conv32-dense10", convolutional)):
        torch.manual_seed(0)
        model = from_snntorch(build(), input_shape=(1, 28, 28), time_steps=TIME_STEPS)
        inputs = (torch.rand(TIME_STEPS, BATCH, 1, 28, 28) < 0.2).float()
        quantized = quantize(model, calibration=inputs[:, :64])
        execution, simulation = LoihiExecution(quantized), Simulation(model.graph)

        def ours(execution=execution, inputs=inputs):
            execution.run(inputs)

        @torch.no_grad()
        def floating(simulation=simulation, inputs=inputs):
            simulation(inputs)

        lava = lava_s_per_sample(quantized, inputs, options.lava_samples)
        ours(), floating(), matrix_rate()
        rounds = [
            (seconds_of(ours), seconds_of(floating), matrix_rate(), processor_seconds_of(ours))
            for _ in range(options.rounds)
        ]
        lava = min(lava, lava_s_per_sample(quantized, inputs, options.lava_samples))
        integer, exact, busy = (min(found[place] for found in rounds) / BATCH for place in (0, 1, 3))
        ratio = median(found[0] / found[1] for found in rounds)
        rate = max(found[2] for found in rounds)
        network = model.network
        synapses = sum(synapse_matrix(network, found).nnz for found in network.connections)
        reached = 2 * synapses * TIME_STEPS / integer
        print(
            f"{name:22} Lava {lava * 1e3:6.2f} ms a sample, ours {integer * 1e3:6.3f} ms"
            f" (processor {busy * 1e3:.3f} ms): {lava / integer:.0f} times faster;"
            f" {ratio:.2f} of the float simulation's time ({exact * 1e3:.3f} ms);"
            f" {reached / 1e9:5.1f} of {rate / 1e9:.0f} GFLOP/s: {reached / rate:.0%}",
            flush=True,
        )


if __name__ == "__main__":
    main()
