"""Recordings of made-up events, in every kind of file."""

import h5py
import numpy as np

from spear_deploy.data.events import Recording

SHAPE = (2, 4, 5)
KINDS = ("bin", "npy", "npz", "h5", "hdf5")
INTEGERS = ("i2", "i2", "i8", "i1")


def events(count=40, seed=0):
    rng = np.random.default_rng(seed)
    return Recording(
        rng.integers(0, 5, count),
        rng.integers(0, 4, count),
        np.sort(rng.integers(0, 9000, count)),
        rng.integers(0, 2, count),
    )


def columns(recording):
    return {"x": recording.x, "y": recording.y, "t": recording.time_us, "p": recording.polarity}


def structured(recording, kinds):
    array = np.zeros(len(recording), dtype=list(zip("xytp", kinds, strict=True)))
    for name, values in columns(recording).items():
        array[name] = values
    return array


def write(recording, path, kinds=INTEGERS):
    """As the makers of each format write it."""
    if path.suffix == ".bin":
        word = recording.polarity << 23 | recording.time_us
        raw = np.stack([recording.x, recording.y, word >> 16, word >> 8 & 255, word & 255], 1)
        path.write_bytes(raw.astype(np.uint8).tobytes())
    elif path.suffix == ".npy":
        np.save(path, structured(recording, kinds))
    elif path.suffix == ".npz":
        np.savez(path, **columns(recording))
    else:
        with h5py.File(path, "w") as file:
            for name, values in columns(recording).items():
                file[f"events/{name}s"] = values
    return path
