import os
import signal
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import nir
import numpy as np
import pytest
import torch

from spear_deploy.network import Network
from spear_deploy.network.linear import linear_module
from spear_deploy.network.neuron import NEURON_TYPES

Build = Callable[..., Network]

sys.path.insert(0, str(Path(__file__).parent))  # tests is a package, so that python -m tests.fuzz finds it
signal.signal(signal.SIGINT, signal.default_int_handler)  # a suite in the background inherits that it is ignored
torch.set_num_threads(1)  # tests run side by side; more threads only wait for each other
os.environ.setdefault("OMP_NUM_THREADS", "1")  # nor in the processes that they start
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # each of those would compile the package anew


@pytest.fixture(autouse=True, scope="session")
def no_users_cache(tmp_path_factory):
    """What tests keep, they never keep in the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPEAR_DEPLOY_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(autouse=True)
def own_cache(no_users_cache, tmp_path_factory, monkeypatch):
    """Nor does one test find what another kept."""
    monkeypatch.setenv("SPEAR_DEPLOY_CACHE", str(tmp_path_factory.mktemp("cache")))


def pytest_runtest_setup(item):
    if item.get_closest_marker("gpu") is not None and not torch.cuda.is_available():
        pytest.skip("no GPU that torch can compute on")
    if item.get_closest_marker("lava") is None:
        return
    try:  # importing it would set the start method of multiprocessing
        version("lava-nc")
    except PackageNotFoundError:
        pytest.skip("lava-nc is missing: spear-deploy lava install")


def _neuron(shape: Sequence[int], threshold: float | np.ndarray = 1.0) -> nir.LIF:
    ones = np.ones(tuple(shape))
    return nir.LIF(
        tau=ones * 2e-4,
        r=ones,
        v_leak=ones * 0.0,
        v_reset=ones * 0.0,
        v_threshold=ones * threshold,
        metadata={"dt": 1e-4},
    )


@pytest.fixture(scope="session")
def build() -> Build:
    """A chain of nodes as a network; "lif" stands for a layer of neurons of the shape that arrives there."""

    def make(shape: Sequence[int], *nodes: nir.NIRNode | str, loops: Sequence[tuple[str, nir.NIRNode]] = ()) -> Network:
        graph: dict[str, nir.NIRNode] = {"input": nir.Input(np.array(shape))}
        names = ["input"]
        x = torch.zeros((1, *shape), dtype=torch.float64)
        for index, node in enumerate(nodes):
            name = f"n{index}"
            if node == "lif":
                node = _neuron(x.shape[1:])
            elif not isinstance(node, (nir.Delay, *NEURON_TYPES)):
                x = linear_module(node, name, torch.float64)(x)
            graph[name] = node
            names.append(name)
        graph["output"] = nir.Output(np.array(x.shape[1:]))
        edges = list(zip(names, [*names[1:], "output"], strict=True))
        for layer, node in loops:
            graph[f"loop_{layer}"] = node
            edges += [(layer, f"loop_{layer}"), (f"loop_{layer}", layer)]
        return Network(nir.NIRGraph(graph, edges, type_check=False))

    return make
