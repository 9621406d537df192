"""Our simulation against snnTorch's own step loop: the same network, paired in one process.

    python benchmarks/simulation_speed.py [--rounds 15] [--threads 1]

Conv 16-32-64 and a dense layer on 1 x 28 x 28, T = 16, batch 64, Leaky with each reset; a
static and a changing input. Both run alternately; the median of the ratios is what counts.
"""

import argparse
import time
from statistics import median

import snntorch
import torch
from snntorch import utils
from torch import nn

from spear_deploy.network import Simulation, from_snntorch

TIME_STEPS, BATCH = 16, 64


def network(reset, delay):
    torch.manual_seed(0)

    def leaky():
        return snntorch.Leaky(0.9, threshold=0.5, init_hidden=True, reset_mechanism=reset, reset_delay=delay)

    return nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), leaky(), nn.AvgPool2d(2)),
        *(nn.Conv2d(16, 32, 3, padding=1), leaky(), nn.AvgPool2d(2)),
        *(nn.Conv2d(32, 64, 3, padding=1), leaky(), nn.Flatten()),
        *(nn.Linear(64 * 49, 10), leaky()),
    )


def by_snntorch(net, x):
    utils.reset(net)
    return torch.stack([net(step) for step in x])


def by_us(simulation, x):
    return simulation(x).output


def inference(run, net, x):
    with torch.no_grad():
        run(net, x)


def training(run, net, x):
    net.zero_grad()
    run(net, x).mean(0).square().sum().backward()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    static = torch.rand(BATCH, 1, 28, 28).expand(TIME_STEPS, -1, -1, -1, -1)
    changing = (torch.rand(TIME_STEPS, BATCH, 1, 28, 28) < 0.3).float()
    for reset, delay in (("subtract", True), ("zero", False)):
        net = network(reset, delay)
        simulation = Simulation(from_snntorch(net, input_shape=(1, 28, 28), time_steps=TIME_STEPS).graph)
        for label, x in (("static", static), ("changing", changing)):
            for task in (inference, training):
                pairs = []
                for _ in range(options.rounds):
                    seconds = []
                    for run, what in ((by_snntorch, net), (by_us, simulation)):
                        start = time.perf_counter()
                        task(run, what, x)
                        seconds.append(time.perf_counter() - start)
                    pairs.append(seconds)
                theirs, ours = (median(column) for column in zip(*pairs, strict=True))
                ratio = median(ours / theirs for theirs, ours in pairs)
                print(
                    f"{reset:8} delay={delay!s:5} {label:8} {task.__name__:9}"
                    f" snnTorch {theirs * 1e3:6.0f} ms, ours {ours * 1e3:6.0f} ms, ratio {ratio:.2f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
