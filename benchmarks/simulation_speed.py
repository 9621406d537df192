"""Our simulation against snnTorch's own step loop: the same network, paired in one process.

    python benchmarks/simulation_speed.py [--rounds 15] [--threads 1]

Inputs of 1 x 28 x 28, T = 16, batch 64: convolutions 16-32-64 and a dense layer, a dense and a
recurrent network; a static and a changing input. Both run alternately; the median of the ratios
is what counts.
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


def leaky(**options):
    return snntorch.Leaky(0.9, threshold=0.5, init_hidden=True, **options)


def convolutional(**options):
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), leaky(**options), nn.AvgPool2d(2)),
        *(nn.Conv2d(16, 32, 3, padding=1), leaky(**options), nn.AvgPool2d(2)),
        *(nn.Conv2d(32, 64, 3, padding=1), leaky(**options), nn.Flatten()),
        *(nn.Linear(64 * 49, 10), leaky(**options)),
    )


def dense(hidden):
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 256), hidden, nn.Linear(256, 10), leaky())


NETWORKS = {
    "conv, subtract": lambda: convolutional(),
    "conv, zero": lambda: convolutional(reset_mechanism="zero", reset_delay=False),
    "dense": lambda: dense(leaky()),
    "recurrent": lambda: dense(snntorch.RLeaky(0.9, linear_features=256, init_hidden=True)),
}


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
    for name, build in NETWORKS.items():
        torch.manual_seed(0)
        net = build()
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
                    f"{name:14} {label:8} {task.__name__:9}"
                    f" snnTorch {theirs * 1e3:7.1f} ms, ours {ours * 1e3:7.1f} ms, ratio {ratio:.2f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
