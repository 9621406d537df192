"""A model: a network with what is needed to run it, and the file that holds both."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field, replace
from pathlib import Path
from typing import Any

import nir
import numpy as np
import torch
from torch import Tensor

from spear_deploy.errors import ArgumentError, ModelError
from spear_deploy.network.constants import constants
from spear_deploy.network.editing import graph_of
from spear_deploy.network.encoding import Encoding
from spear_deploy.network.faults import READ_ERRORS, first_line
from spear_deploy.network.graph import Network
from spear_deploy.network.linear import has_biases
from spear_deploy.network.nir_convolution import Convolution
from spear_deploy.network.objective import Objective
from spear_deploy.network.pools import MaxPool2d
from spear_deploy.network.read_out import SINGLE_OUTPUT, ReadOut, yes_in_words
from spear_deploy.network.resampling import Resample
from spear_deploy.network.sharing import shared_weights
from spear_deploy.network.torch_file import read_torch_file
from spear_deploy.network.unflattening import Unflatten
from spear_deploy.system.files import write_file

FORMAT = "spear-deploy model"
FORMAT_VERSION = 1

INTEGERS = "integers"
"""Key of the graph's metadata where weights, thresholds and decays are a chip's own integers: which chip's."""

INPUT_LEVELS = "integers_of_one"
"""Key beside it where the input holds values: what one of 1 becomes, whether values have a sign, and the bits that
carry them, as JSON. The weights are then integers times the first of these."""

BINNINGS = ("time", "count")
"""How recordings of events become frames; the first is the usual one."""

_OWN_NODES: dict[str, type[nir.NIRNode]] = {kind.__name__: kind for kind in (MaxPool2d, Resample, Unflatten)}
"""Nodes that NIR does not have."""


@dataclass(frozen=True, repr=False)
class Model:
    """A spiking network and how to use it.

    Attributes:
        graph: the network; its neuron nodes carry dt, reset kind and exact constants.
        time_steps: T, the length of one inference.
        encoding: how a sample becomes T steps, see `Encoding`.
        read_out: `count` (most output spikes), `membrane` (largest membrane, summed over time),
            `last` (largest membrane of the last step) or `largest` (of any step).
        data: the data set it was trained on: a name, or the path of an npz file.
        notices: what was assumed or changed when it was read from a foreign file, one line each.
        population: outputs a class: those of one class follow each other and are added up.
        like: a network that may be connected alike, see `Network`.
        binning: how recordings of events become T frames: `time` (of equal duration) or `count` (of equally many).
        frozen: nodes whose weights no training changes; not part of a model file.
        objective: what it answers to a sample: a class, or values, see `Objective`.

    Raises:
        ModelError: the parts do not suit each other.

    """

    graph: nir.NIRGraph
    time_steps: int
    encoding: Encoding = Encoding.DIRECT
    read_out: ReadOut = ReadOut.COUNT
    data: str | None = None
    notices: tuple[str, ...] = field(default=(), compare=False)
    population: int = 1
    binning: str = BINNINGS[0]
    frozen: frozenset[str] = frozenset()
    objective: Objective = Objective.CLASSIFICATION
    network: Network = field(init=False, repr=False)
    like: InitVar[Network | None] = None

    def __repr__(self) -> str:
        """Layers and use in one line; the weights are in `graph`."""
        shapes = self.network.shapes
        layers = [self.network.input, *self.network.layers]
        chain = ", ".join(f"{name} {'x'.join(map(str, shapes[name]))}" for name in layers)
        use = f"{self.time_steps} time steps, {self.encoding}, {self.read_out}"
        use += "" if self.objective.tells_classes else f", {self.objective}"
        return f"Model({chain}; {use}; {self.parameters:,} parameters)"

    def __post_init__(self, like: Network | None) -> None:
        object.__setattr__(self, "encoding", Encoding(self.encoding))
        object.__setattr__(self, "objective", Objective(self.objective).shortest)
        if self.binning not in BINNINGS:
            raise ModelError(f"{self.binning!r}: no such binning; known: {', '.join(BINNINGS)}")
        if self.time_steps < 1:
            raise ModelError(f"a network runs for at least 1 time step, found {self.time_steps}")
        network = Network(self.graph, like)
        object.__setattr__(self, "network", network)
        spiking = network.neurons[network.read_out].spikes
        if self.read_out is ReadOut.COUNT and not spiking:
            raise ModelError(
                f"{network.read_out}: read-out 'count' needs neurons that spike; for a membrane use 'membrane'"
            )
        if self.read_out is not ReadOut.COUNT and spiking:
            raise ModelError(
                f"{network.read_out}: read-out '{self.read_out}' needs neurons without threshold; for spikes use"
                " 'count'"
            )
        self._tell_single_output()
        self._doubt_maps(network.shapes[network.read_out])
        if self.population < 1 or network.classes % self.population:
            raise ModelError(
                f"{network.read_out}: its {network.classes} outputs cannot be {self.population} for each class; the"
                " number of classes has to divide them"
            )

    def _tell_single_output(self) -> None:
        """Say at which value a single output turns from no to yes, where that is how it is read."""
        others = tuple(notice for notice in self.notices if not notice.startswith(SINGLE_OUTPUT))
        told = self.objective.tells_classes and self.network.classes == self.population
        rule = f"{SINGLE_OUTPUT}, {yes_in_words(self.read_out, self.time_steps * self.population)}"
        object.__setattr__(self, "notices", (*others, rule) if told else others)

    def _doubt_maps(self, shape: tuple[int, ...]) -> None:
        """Say that places of maps are read as classes, where they are."""
        positions = math.prod(shape[1:])
        doubt = (
            f"its output is maps, {' x '.join(map(str, shape))}, and each of the {math.prod(shape)} places is read as a"
            f" class; save it with classes={shape[0]} where each map is a class, or say `objective='reconstruction'`"
            " where maps are what it tells"
        )
        doubted = self.objective.tells_classes and positions > 1 and self.population % positions
        others = tuple(notice for notice in self.notices if notice != doubt)
        object.__setattr__(self, "notices", (*others, doubt) if doubted else others)

    def with_graph(self, graph: nir.NIRGraph) -> Model:
        """The same use of another network."""
        return replace(self, graph=graph, like=self.network)

    @property
    def classes(self) -> int:
        """Number of classes: output neurons, by the population of each class; two (no and yes) of a single one."""
        return max(self.network.classes // self.population, 2)

    @property
    def values(self) -> int:
        """Number of values that a regression tells: output neurons, by the population of each."""
        return self.network.classes // self.population

    def answers(self, output: Tensor) -> Tensor:
        """What its outputs `[T, B, *shape]` answer: classes `[B]` (of equal outputs the lowest), or values `[B, K]`.

        Raises:
            ArgumentError: they are of another shape.

        """
        if output.ndim < 2 or math.prod(output.shape[2:]) != self.network.classes:
            raise ArgumentError(
                f"answers are read from outputs [T, B, {self.network.classes}], found {list(output.shape)}"
            )
        return self.objective.answers(output, self.read_out, self.population)

    @property
    def untrained(self) -> frozenset[str]:
        """Nodes whose weights no training changes: frozen ones, and those that are no parameters."""
        return self.frozen | constants(self.graph.nodes)

    @property
    def parameters(self) -> int:
        """Number of weights, biases and factors.

        Biases of a convolution that are all zero are none, nor is a kernel from one channel to another: so stands
        what there never was between the groups of one that is written without them. Weights that stand in several
        places are counted once. Factors are spread over their layer: each neuron has its own.
        """
        nodes = self.graph.nodes
        uncounted = constants(nodes).union(*(others for _, *others in shared_weights(nodes)))
        return sum(_parameters_of(node) for name, node in nodes.items() if name not in uncounted)


def _parameters_of(node: Any) -> int:
    weights, factors, biases = (np.asarray(getattr(node, key, ())) for key in ("weight", "scale", "bias"))
    counted = weights.size
    if isinstance(node, Convolution):
        counted = int(np.count_nonzero(weights.any(tuple(range(2, weights.ndim))))) * math.prod(weights.shape[2:])
    return counted + factors.size + (biases.size if has_biases(node) or isinstance(node, nir.Affine) else 0)


def save(model: Model, path: str | os.PathLike[str]) -> None:
    """Write a model file that `load` reads: tensors and plain values, nothing that is executed.

    Raises:
        OutputError: it cannot be written.

    """
    content = {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "time_steps": model.time_steps,
        "encoding": str(model.encoding),
        "read_out": str(model.read_out),
        "data": model.data,
        "population": model.population,
        "binning": model.binning,
        "objective": str(model.objective),
        "graph": _to_plain(model.graph.to_dict()),
    }
    image = io.BytesIO()
    torch.save(content, image)
    write_file(path, image.getvalue())


def load(path: str | os.PathLike[str]) -> Model:
    """Read a model file.

    Raises:
        ModelError: the file is missing, damaged, or is no model file.

    """
    return from_content(read_torch_file(Path(path)), str(path))


def from_content(content: Any, name: str) -> Model:
    """The model that a torch file holds.

    Raises:
        ModelError: it is no model file, of another version, or damaged.

    """
    if not isinstance(content, Mapping) or content.get("format") != FORMAT:
        raise ModelError(f"{name}: no spear-deploy model file; write one with spear_deploy.save_model(net, path, ...)")
    version = content.get("version")
    if not isinstance(version, int) or version != FORMAT_VERSION:
        found = version if isinstance(version, int) else type(version).__name__
        raise ModelError(f"{name}: model file version {found}, this spear-deploy reads {FORMAT_VERSION}")
    try:
        graph = graph_from_dict(_from_plain(content["graph"]))
        return Model(
            graph,
            int(content["time_steps"]),
            Encoding(content["encoding"]),
            ReadOut(content["read_out"]),
            content["data"],
            population=int(content.get("population", 1)),
            binning=str(content.get("binning", BINNINGS[0])),
            objective=Objective(content.get("objective", Objective.CLASSIFICATION)),
        )
    except ModelError as error:
        raise ModelError(f"{name}: {error}") from None
    except READ_ERRORS as error:
        raise ModelError(f"{name}: the model file is damaged ({first_line(error)})") from None


def graph_from_dict(content: dict[str, Any]) -> nir.NIRGraph:
    """A NIR graph from the dictionary that `to_dict` gives, its nodes in order of execution."""
    nodes = {name: _node_from_dict(dict(node)) for name, node in content["nodes"].items()}
    edges = [(_text(a), _text(b)) for a, b in content["edges"]]
    return graph_of(nodes, edges, content.get("metadata"))


def _node_from_dict(content: dict[str, Any]) -> nir.NIRNode:
    own = _OWN_NODES.get(content["type"])
    if own is not None:
        return own.from_dict(content)
    return nir.dict2NIRNode(content)


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _to_plain(value: Any) -> Any:
    """Arrays as tensors, the rest as plain Python values: all that weights_only admits."""
    if isinstance(value, Mapping):
        return {str(key): _to_plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return torch.from_numpy(np.ascontiguousarray(value).copy())
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, list | tuple):
        return [_to_plain(item) for item in value]
    return value


def _from_plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _from_plain(item) for key, item in value.items()}
    if isinstance(value, torch.Tensor):
        return value.detach().numpy()
    if isinstance(value, list):
        return [_from_plain(item) for item in value]
    return value
