"""From an snnTorch module to a model: the one call a user adds to a training script."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import nir
import torch
from torch import Tensor, nn

from spear_deploy.errors import ModelError
from spear_deploy.network.constants import constants
from spear_deploy.network.device import own_random_numbers
from spear_deploy.network.editing import graph_of
from spear_deploy.network.encoding import Encoding
from spear_deploy.network.faults import member
from spear_deploy.network.graph import Network
from spear_deploy.network.importing.assemble import assemble
from spear_deploy.network.importing.heads import HeadKind
from spear_deploy.network.importing.rewriting import learns
from spear_deploy.network.importing.trace import Recording, record
from spear_deploy.network.model import BINNINGS, Model, save
from spear_deploy.network.neuron import DEFAULT_DT_S
from spear_deploy.network.objective import Objective
from spear_deploy.network.proof import compare, compare_read_out, sample_input, scaled
from spear_deploy.network.read_out import ReadOut
from spear_deploy.network.torch_module import TorchNetwork
from spear_deploy.system.arguments import telling

_SILENT = ": gave no spike on the samples of the proof; pass sample="
"""What is said of a layer for which nothing is proven."""

_STRENGTHS = (3.0, 12.0, 48.0)
"""Largest analog inputs of the proof, tried in order while a layer stays silent."""


def save_model(
    net: nn.Module | Model,
    path: str | os.PathLike[str],
    *,
    input_shape: Sequence[int] | None = None,
    time_steps: int | None = None,
    encoding: str = "direct",
    read_out: str | None = None,
    data: str | None = None,
    dt_s: float = DEFAULT_DT_S,
    sample: Tensor | None = None,
    classes: int | None = None,
    output: str | int | None = None,
    binning: str = BINNINGS[0],
    objective: str = Objective.CLASSIFICATION,
) -> Model:
    """Convert a trained snnTorch network, prove it and write it as a model file.

    A model, and what `to_torch` made of one, is written as it is now, and takes no options.

    Args:
        net: an `nn.Sequential` with `init_hidden=True`, a module that runs one step a call
            (with states it takes and returns, or hidden ones), or one whose forward loops
            over time itself, on a static sample or on a sequence.
        path: where to write, by convention `*.pt`.
        input_shape: shape of one time step of one sample, `(C, H, W)` or `(N,)`.
        time_steps: T, the length of one inference.
        encoding: `direct`, `rate`, `spikes`, `sequence` (values that change over time), `counts` (events in
            each step), `clipped` (the same, clipped to 1), or snnTorch's `latency` and `delta`, with settings where
            these are not its own: `latency:tau=5,linear`; see `Encoding`.
        read_out: `count` (most output spikes), `membrane` (the largest membrane, or current of a
            last layer without neurons, summed over time), `last` (that of the last step) or `largest`
            (that of any step); by default as the network returns it.
        data: the data set it was trained on, by name (`digits`) or path (npz).
        dt_s: seconds that one time step stands for; only NIR's time constants depend on it.
        sample: input `[T, B, *input_shape]` to prove the conversion on; else inputs of
            several strengths are made.
        classes: number of classes (or values), where several outputs stand for each (a population code).
        output: which of several outputs is meant: the name of its layer, or its place among what
            the network returns.
        binning: how recordings of events become T frames: `time` (of equal duration) or `count` (of equally many
            events).
        objective: what it answers to a sample: `classification`, `regression` for values, one for each output, or
            `reconstruction` for values of one unit, as an image's; what
            its own forward makes of its outputs over time (their sum, or a factor) is found; see `Objective`.

    Returns:
        The model, as `spear_deploy.load_model` gives it back.

    Raises:
        ModelError: a layer or setting that is not supported, shapes that do not meet, or a
            converted network that does not do exactly what the original does.

    """
    net = _unwrapped(net)
    if isinstance(net, Model | TorchNetwork):
        options = (input_shape, time_steps, read_out, data, sample, classes, output)
        if (encoding, objective) != (Encoding.DIRECT, Objective.CLASSIFICATION) or any(
            option is not None for option in options
        ):
            raise ModelError("a model says itself how it is used: it is saved without options")
        model = net if isinstance(net, Model) else net.model
    else:
        if not isinstance(net, nn.Module):
            raise ModelError(f"a network is saved that is an nn.Module or a model, found {type(net).__name__}")
        if input_shape is None or time_steps is None:
            raise ModelError("a network is saved with input_shape=(C, H, W) or (N,) and time_steps=T")
        model = from_snntorch(
            net,
            input_shape=input_shape,
            time_steps=time_steps,
            encoding=encoding,
            read_out=read_out,
            data=data,
            dt_s=dt_s,
            sample=sample,
            classes=classes,
            output=output,
            binning=binning,
            objective=objective,
        )
    save(model, path)
    return model


def _unwrapped(net: object) -> Any:
    """The module that one of torch's own wrappers runs."""
    if isinstance(net, nn.DataParallel | nn.parallel.DistributedDataParallel):
        return _unwrapped(net.module)
    compiled = getattr(net, "_orig_mod", None)  # of torch.compile
    return net if compiled is None else _unwrapped(compiled)


@own_random_numbers()
def from_snntorch(
    net: nn.Module,
    *,
    input_shape: Sequence[int],
    time_steps: int,
    encoding: str = "direct",
    read_out: str | None = None,
    data: str | None = None,
    dt_s: float = DEFAULT_DT_S,
    sample: Tensor | None = None,
    classes: int | None = None,
    output: str | int | None = None,
    binning: str = BINNINGS[0],
    objective: str = Objective.CLASSIFICATION,
) -> Model:
    """Convert a trained snnTorch network to a model; see `save_model`."""
    encoding_, objective_ = Encoding(encoding), Objective(objective)
    read_out_ = None if read_out is None else member(ReadOut, read_out, "read-out")
    if time_steps < 1:
        raise ModelError(f"a network runs for at least 1 time step, found {time_steps}")
    shape = tuple(int(n) for n in input_shape)
    static, binary = encoding_.static, not encoding_.analog
    for strongest in (3.0,) if sample is not None or binary else _STRENGTHS:
        inputs = sample
        if inputs is None:
            inputs = sample_input(shape, time_steps, static=static, binary=binary, strongest=strongest)
        elif inputs.shape[0] != time_steps or tuple(inputs.shape[2:]) != shape:
            needed = f"{time_steps} x B x {' x '.join(map(str, shape))}"
            raise ModelError(f"sample: needed {needed}, found {tuple(inputs.shape)}")
        elif not bool(torch.isfinite(inputs).all()):
            raise ModelError("sample: its values must be finite")
        recording = record(net, inputs.double(), static=static)
        built = assemble(recording, read_out=read_out_, binary_input=binary, dt_s=dt_s, output=output)
        population = _population(built.graph, classes, built.head.population)
        model = Model(built.graph, time_steps, encoding_, built.read_as, data, population=population, binning=binning)
        proof = compare(_outputs(recording, model), built.graph, inputs.double())
        if built.head.kind is HeadKind.CURRENTS:
            compare_read_out(built.head.name, recording.returned[built.head.position], built.graph, inputs.double())
        if not proof.silent:
            break
    if not objective_.names_scale and not objective_.tells_classes:
        returned = recording.returned[built.head.position]
        objective_ = scaled(objective_, model, returned, recording.sample)
    notices = tuple(f"{name}{_SILENT}" for name in proof.silent)
    notices += tuple(
        f"{name} stands in several places: a layer for each, as on a chip, pruned and trained as one"
        if name in built.one
        else f"{name} stands in several places: each has weights of its own, as norms that go into them differ"
        for name in built.shared
    )
    if fixed := _fixed(recording, built.graph):
        notices += (
            f"{', '.join(fixed)}: requires_grad=False is not kept: they are pruned and trained, unless"
            f" `freeze='{','.join(fixed)}'` says otherwise",
        )
    if recording.decides:
        notices += ("its forward decides by values (if, while, assert): what is converted is what it did on samples",)
    if built.also_returned:
        also = ", ".join(built.also_returned)
        notices += (f"the network also returns {also}; its output is taken to be {built.read_out}",)
    nodes, edges = built.graph.nodes, built.graph.edges
    graph = graph_of(nodes, edges, {"proof": proof.as_metadata()})
    return replace(model, graph=graph, notices=notices, objective=objective_)


def _population(graph: nir.NIRGraph, classes: int | None, own: int) -> int:
    """How many outputs stand for a class: as the user says, or as the network itself adds them up."""
    if classes is None:
        return own
    network = Network(graph)
    if classes < 1 or network.classes % classes:
        raise ModelError(f"classes={classes}: the network has {network.classes} outputs, which they do not divide")
    return network.classes // classes


def _fixed(recording: Recording, graph: nir.NIRGraph) -> list[str]:
    """Layers whose weights were not trained, where others were; a network that is all so was handed on to be run."""
    trained: dict[str, bool] = {}
    given = constants(graph.nodes)
    for name, layer in recording.layers.items():
        if name in graph.nodes and name not in given and list(layer.module.parameters()):
            trained[name] = learns(layer.module)
    return [name for name, one in trained.items() if not one] if any(trained.values()) else []


def _outputs(recording: Recording, model: Model) -> dict[str, list[Tensor]]:
    """What the original's neuron layers gave: spikes, or membranes of those that do not spike."""
    neurons = model.network.neurons
    return {
        name: calls.outputs["spk" if neurons[name].spikes else "mem"]
        for name, calls in recording.neurons.items()
        if name in neurons
    }


def check_convertible(net: nn.Module, *, input_shape: Sequence[int], time_steps: int, **use: Any) -> tuple[str, ...]:
    """Whether a network can be converted, told before it is trained: its weights do not matter for this.

    Args:
        net: the network, trained or not.
        input_shape: shape of one time step of one sample.
        time_steps: T.
        use: the other options of `save_model`.

    Returns:
        What is assumed, one line each; nothing where nothing is.

    Raises:
        ModelError: what cannot be converted, with the way out.

    """
    converted = telling(from_snntorch, "check_convertible")
    notices = converted(net, input_shape=input_shape, time_steps=time_steps, **use).notices
    return tuple(notice for notice in notices if not notice.endswith(_SILENT))  # an untrained one may be


def from_spikingjelly(net: nn.Module, **use: Any) -> Model:
    """Convert a trained SpikingJelly network, in single-step or multi-step mode; options as `save_model`'s."""
    return telling(from_snntorch, "from_spikingjelly")(net, **use)
