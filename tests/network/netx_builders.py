"""Small netx files for the tests."""

import h5py
import numpy as np

CUBA = {"type": b"CUBA", "iDecay": 1024, "vDecay": 512, "vThMant": 80, "refDelay": 1, "gradedSpike": False}


def write(path, *layers):
    with h5py.File(path, "w") as file:
        for index, (kind, content) in enumerate(layers):
            group = file.create_group(f"layer/{index}")
            group["type"] = np.array([kind.encode()], dtype="S10")
            for key, value in content.items():
                if isinstance(value, dict):
                    for inner, item in value.items():
                        group[f"{key}/{inner}"] = item
                else:
                    group[key] = value
    return path


def weights(*shape, seed=0):
    return 2 * np.random.default_rng(seed).integers(-40, 80, shape).astype(np.float32)


def conv_net(path, **change):
    conv = {"shape": [4, 3, 4], "weight": weights(4, 1, 3, 2), "neuron": CUBA, "bias": np.array([4.0, 0, -6, 2])}
    conv |= {"stride": [2, 1], "padding": [1, 0], "dilation": [1, 1], "groups": 2}
    fully = weights(5, 48, seed=1) - 40
    dense = {"shape": [5], "weight": fully, "neuron": CUBA | {"iDecay": 4096}}
    return write(path, ("conv", conv), ("flatten", {"shape": [48]}), ("dense", dense | change))
