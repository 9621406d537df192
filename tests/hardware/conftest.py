from collections.abc import Callable, Sequence
from pathlib import Path

import nir
import numpy as np
import pytest

from spear_deploy.hardware import Profile, load_profile
from spear_deploy.network import Network
from spear_deploy.network.linear import linear_module
from spear_deploy.network.neuron import NEURON_TYPES

Build = Callable[..., Network]


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
    import torch

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


@pytest.fixture
def chip(tmp_path: Path) -> Callable[..., Profile]:
    """A made-up chip with the given limits: cores=..., neurons=..., synapse_memory=... (bytes) and so on."""

    def make(cores: int = 1000, inherits: str | None = None, **limits: float) -> Profile:
        lines = ['name = "made-up"', 'title = "A made-up chip"']
        if inherits:
            lines.append(f'inherits = "{inherits}"')
        units = {"neurons": "neurons", "synapse_memory": "B", "memory": "B"}
        source = 'status = "published"\nsource = "made up for a test"'
        figures = {"chip.cores_per_chip": (cores, "cores"), "chip.usable_cores_per_chip": (cores, "cores")}
        if not inherits:
            figures |= {"synapses.packing": ('"plain"', "name"), "synapses.weight_bits": (8, "bit")}
        for name, value in limits.items():
            figures[f"core.{name}"] = (value, units.get(name, "axons"))
        for key, (value, unit) in figures.items():
            lines.append(f'[{key}]\nvalue = {value}\nunit = "{unit}"\n{source}')
        path = tmp_path / "made_up.toml"
        path.write_text("\n".join(lines))
        return load_profile(path)

    return make
