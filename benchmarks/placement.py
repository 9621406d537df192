"""How long placing takes, and how it grows: convolutional networks of 10,000 to 1,000,000 neurons on Loihi 2.

    python -m benchmarks.placement

Prints neurons, cores, seconds of the processor (best of three) and the peak memory of the process.
"""

import resource
import time
from itertools import pairwise
from pathlib import Path

import nir
import numpy as np

from spear_deploy.hardware import load_profile, place
from spear_deploy.network import Network

SIZES = (32, 56, 100, 180, 320)
"""Height and width of the input; the number of neurons grows with the square."""


def network_of(size: int) -> Network:
    rng = np.random.default_rng(0)
    nodes: dict[str, nir.NIRNode] = {"input": nir.Input(np.array([2, size, size]))}
    channels, height = 2, size
    for index, (width, stride) in enumerate([(6, 1), (12, 2), (12, 1), (24, 2)]):
        weight = rng.uniform(0.1, 1.0, (width, channels, 3, 3)).astype(np.float32)
        nodes[f"conv{index}"] = nir.Conv2d(None, weight, stride, 1, 1, 1, np.zeros(width, dtype=np.float32))
        height = -(-height // stride)
        channels = width
        nodes[f"lif{index}"] = _neurons((channels, height, height))
    pool = np.array([8, 8])
    nodes["pool"] = nir.SumPool2d(kernel_size=pool, stride=pool, padding=np.array([0, 0]))
    pooled = height // 8
    nodes["flatten"] = nir.Flatten({"input": np.array([channels, pooled, pooled])}, 0, -1)
    nodes["dense"] = nir.Linear(rng.uniform(0.1, 1.0, (10, channels * pooled * pooled)).astype(np.float32))
    nodes["lif_out"] = _neurons((10,))
    nodes["output"] = nir.Output(np.array([10]))
    names = list(nodes)
    return Network(nir.NIRGraph(nodes, list(pairwise(names)), type_check=False))


def _neurons(shape: tuple[int, ...]) -> nir.IF:
    ones = np.ones(shape, dtype=np.float32)
    return nir.IF(r=ones, v_threshold=ones, v_reset=ones * 0, metadata={"dt": 1.0})


def peak_mib() -> float:
    """Peak memory of this process; getrusage would count what the process that started it held."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    peak_kib = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:")).split()[1]
    return int(peak_kib) / 1024


def main() -> None:
    profile = load_profile("loihi2")
    print(f"{'neurons':>10} {'cores':>6} {'seconds':>8} {'us/neuron':>10} {'peak MiB':>9}")
    for size in SIZES:
        network = network_of(size)
        seconds = []
        for _ in range(3):
            start = time.process_time()
            placement = place(network, profile)
            seconds.append(time.process_time() - start)
        neurons = placement.quantities["neurons"]
        best = min(seconds)
        print(f"{neurons:10,.0f} {placement.cores_needed:6} {best:8.2f} {best / neurons * 1e6:10.2f} {peak_mib():9.0f}")


if __name__ == "__main__":
    main()
