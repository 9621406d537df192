"""A small network with its data, in files, as a user has them."""

import numpy as np
import torch
from made_networks import Chain

from spear_deploy.data import encode, load_data
from spear_deploy.network import save_model_file
from spear_deploy.training import Recipe, fine_tune

SHAPE, CLASSES, STEPS = (1, 6, 6), 4, 4


def arrays(shape=SHAPE, classes=CLASSES, train=160, test=120, seed=0):
    """Noisy copies of one image a class."""
    rng = np.random.default_rng(seed)
    images = rng.random((classes, *shape))

    def noisy(count):
        labels = rng.integers(0, classes, count)
        labels[:classes] = range(classes)
        return np.clip(images[labels] + rng.normal(0, 0.25, (count, *shape)), 0, 1), labels

    (x_train, y_train), (x_test, y_test) = noisy(train), noisy(test)
    return {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}


def untrained(data="samples.npz"):
    chain = Chain(SHAPE, seed=2).conv("conv1", 8).neurons("lif1").conv("conv2", 12, stride=2).neurons("lif2")
    return chain.flatten().linear("fc", CLASSES).neurons("lif3").model(STEPS, data=data)


def write_task(folder, model=None):
    """`model.pt`, trained on `samples.npz` beside it; returns its path."""
    torch.set_flush_denormal(True)
    np.savez(folder / "samples.npz", **arrays())
    model = _trained_once(folder / "samples.npz") if model is None else _trained(model, folder / "samples.npz")
    save_model_file(model, folder / "model.pt")
    return folder / "model.pt"


def _trained(model, samples):
    train = encode(load_data(samples).train, model.encoding, model.time_steps)
    return fine_tune(model, train, Recipe(epochs=10, batch=16, learning_rate=1e-2), seed=0)


_THE_SAME = {}


def _trained_once(samples):
    """The network that most tests begin with: the samples are the same wherever they lie."""
    if not _THE_SAME:
        _THE_SAME["trained"] = _trained(untrained(), samples)
    return _THE_SAME["trained"]


def write_untrained(folder):
    """A network as it was drawn, and few samples: what needs no training to be found wanting."""
    np.savez(folder / "samples.npz", **arrays(train=40, test=20))
    save_model_file(untrained(), folder / "model.pt")


def change_graph(change):
    """Change the nodes of the model.pt that lies where the command line runs."""
    content = torch.load("model.pt", weights_only=True)
    change(content["graph"]["nodes"])
    torch.save(content, "model.pt")


def chip(folder, name="made-up", inherits="loihi2", **figures):
    """A chip of one's own that differs from another by some figures: chip_cores_per_chip=(2, "cores"), ..."""
    lines = [f'name = "{name}"', f'title = "{name}"', f'inherits = "{inherits}"']
    for key, (value, unit) in figures.items():
        block = key.replace("_", ".", 1)
        lines.append(
            f'[{block}]\nvalue = {value}\nunit = "{unit}"\nstatus = "published"\nsource = "made up for a test"'
        )
    path = folder / f"{name}.toml"
    path.write_text("\n".join(lines))
    return path
