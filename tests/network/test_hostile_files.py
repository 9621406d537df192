"""Every number of a file replaced by nonsense: it loads or it is refused, and nothing else is raised."""

import shutil
import warnings

import h5py
import numpy as np
import pytest
import torch
from network_builders import leaky
from test_netx import conv_net
from torch import nn

from spear_deploy.errors import ModelError
from spear_deploy.network import Simulation, from_snntorch, load_any, save_model_file, write_nir

NONSENSE = {
    "zero": np.float64(0),
    "negative": np.int64(-3),
    "huge": np.int64(2**40),
    "not a number": np.float64("nan"),
    "empty": np.zeros((0,)),
    "of another shape": np.ones((2, 3)),
    "text": "nonsense",
    "bytes": b"\xff\xfe",
    "true": np.bool_(True),
}


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    net = nn.Sequential(
        *(nn.Conv2d(2, 4, (1, 3), groups=2), leaky(threshold=0.3), nn.AvgPool2d(2), nn.Flatten()),
        *(nn.Linear(40, 3), leaky(torch.tensor([0.5, 0.6, 0.7]), threshold=0.3)),
    )
    return from_snntorch(net, input_shape=(2, 4, 12), time_steps=3)


def datasets(path):
    found = []
    with h5py.File(path, "r") as file:
        file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None)
    return found


def replaced(path, copy, name, value):
    shutil.copy(path, copy)
    with h5py.File(copy, "r+") as file:
        del file[name]
        file[name] = value
    return copy


def load_and_run(path, x, **options):
    """Whether the file was usable; any error but ModelError fails the test."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        refused = ""
        try:
            model = load_any(path, **options)
        except ModelError as error:
            refused = str(error)
    if refused:
        assert refused.startswith(str(path))
        assert "\n" not in refused
        return False
    if model.network.input_shape == x.shape[2:]:
        Simulation(model.graph)(x)
    return True


@pytest.mark.parametrize("kind", NONSENSE)
def test_nonsense_in_a_nir_file_is_refused(tmp_path, model, kind):
    write_nir(model, tmp_path / "net.nir")
    names = datasets(tmp_path / "net.nir")
    assert len(names) > 40
    x = torch.rand(3, 2, 2, 4, 12)
    used = [load_and_run(replaced(tmp_path / "net.nir", tmp_path / "b.nir", n, NONSENSE[kind]), x) for n in names]
    assert not all(used)


@pytest.mark.parametrize("kind", NONSENSE)
def test_nonsense_in_a_netx_file_is_refused(tmp_path, kind):
    path = conv_net(tmp_path / "net.net")
    options = {"time_steps": 3, "input_shape": (2, 5, 5)}
    x = torch.rand(3, 2, 2, 5, 5)
    used = [load_and_run(replaced(path, tmp_path / "b.net", n, NONSENSE[kind]), x, **options) for n in datasets(path)]
    assert not all(used)


def leaves(content, path=()):
    for key, value in content.items():
        if isinstance(value, dict):
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key)


@pytest.mark.parametrize("kind", NONSENSE)
def test_nonsense_in_a_model_file_is_refused(tmp_path, model, kind):
    save_model_file(model, tmp_path / "net.pt")
    content = torch.load(tmp_path / "net.pt", weights_only=True)
    value = NONSENSE[kind]
    value = value if isinstance(value, str | bytes) else torch.as_tensor(value)
    x = torch.rand(3, 2, 2, 4, 12)
    used = []
    for *path, last in leaves(content):
        place = content
        for key in path:
            place = place[key]
        kept, place[last] = place[last], value
        torch.save(content, tmp_path / "b.pt")
        place[last] = kept
        used.append(load_and_run(tmp_path / "b.pt", x))
    assert not all(used)


def test_deeply_nested_groups_are_refused(tmp_path):
    with h5py.File(tmp_path / "deep.nir", "w") as file:
        group = file.create_group("node")
        for _ in range(1500):
            group = group.create_group("nodes")
    with pytest.raises(ModelError, match=r"deep\.nir: "):
        load_any(tmp_path / "deep.nir", time_steps=3)


def test_a_link_that_leads_back_is_refused(tmp_path):
    with h5py.File(tmp_path / "loop.nir", "w") as file:
        file.create_group("node")["again"] = h5py.SoftLink("/node")
    with pytest.raises(ModelError, match=r"loop\.nir: "):
        load_any(tmp_path / "loop.nir", time_steps=3)
