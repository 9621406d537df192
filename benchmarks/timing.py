"""How long it takes to place a million neurons and time every step of recorded spikes on Loihi 2.

    python -m benchmarks.timing

100 samples of 16 steps in which 5 % of the neurons spike, in another place in each. Prints neurons, seconds of the
processor (placing and timing) and the peak memory of the process; drawing the spikes is not counted.
"""

import time

import numpy as np

from benchmarks.placement import network_of, peak_mib
from spear_deploy.hardware import Activity, estimate, load_profile, place
from spear_deploy.measure.record import SpikeRecord
from spear_deploy.network import Network

SIZE, STEPS, SAMPLES, FIRING = 320, 16, 100, 0.05
_AT_ONCE = 10


def activity_of(network: Network) -> Activity:
    """Random spikes, packed as they are drawn."""
    rng = np.random.default_rng(0)
    shapes = {name: network.shapes[name] for name in (network.input, *network.layers)}
    bits, means = {}, {}
    for name, shape in shapes.items():
        neurons = int(np.prod(shape))
        bits[name] = np.empty((STEPS, SAMPLES, -(-neurons // 8)), np.uint8)
        total = np.zeros(neurons)
        for step in range(STEPS):
            for start in range(0, SAMPLES, _AT_ONCE):
                fired = rng.random((_AT_ONCE, neurons), dtype=np.float32) < FIRING
                total += fired.sum(0)
                bits[name][step, start : start + _AT_ONCE] = np.packbits(fired, axis=1)
        means[name] = (total / SAMPLES).reshape(shape)
    record = SpikeRecord(bits, shapes, STEPS, SAMPLES)
    return Activity(means, STEPS, analog_input=False, inferences=SAMPLES, record=record)


def main() -> None:
    network = network_of(SIZE)
    activity = activity_of(network)
    start = time.process_time()
    placement = place(network, load_profile("loihi2"))
    estimate(network, placement, activity)
    seconds = time.process_time() - start
    print(f"{'neurons':>10} {'cores':>6} {'seconds':>8} {'peak MiB':>9}")
    print(f"{placement.quantities['neurons']:10,.0f} {placement.cores_needed:6} {seconds:8.1f} {peak_mib():9.0f}")


if __name__ == "__main__":
    main()
