"""The job of `simulate`: load, adapt where asked, prepare the backends, run them side by side."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from spear_deploy.backends.backend import CALIBRATION_SAMPLES, Setting, Worker
from spear_deploy.backends.fixed_point.weight_bits import WeightBits
from spear_deploy.backends.registry import backend_class, prepared
from spear_deploy.backends.side_by_side import Simulated, encoded_batches, simulate
from spear_deploy.backends.torch import TorchBackend
from spear_deploy.data import Labels, Split, SplitName, check_fits, encode, load_data
from spear_deploy.hardware import Profile
from spear_deploy.jobs.spike_file import spike_file
from spear_deploy.jobs.task import NOTICE, labelled_by, needed_source
from spear_deploy.jobs.torch_settings import torch_settings
from spear_deploy.network import Model, Reading
from spear_deploy.progress import Progress
from spear_deploy.targets.adapt import CALIBRATION_SAMPLES as CONVERSION_SAMPLES
from spear_deploy.targets.adapt import Adapted, adapt
from spear_deploy.targets.adaptation_effect import AdaptationEffect

TOOL_SAMPLES = 100
"""Samples that are run where a program of others takes part, such as Lava, unless asked otherwise."""


@dataclass(frozen=True)
class SimulateRequest:
    """What the user asked for.

    Attributes:
        model: the model file.
        backends: names of backends, each once; two or more are compared.
        target: the chip whose arithmetic is used.
        data: a data set's name or path; by default the one that the model names.
        split: which samples.
        samples: how many of them, the first ones; None for all, or `TOOL_SAMPLES` where a program of others takes part.
        seed: of the encoding.
        reading: what the model file leaves unsaid.
        weight_bits: fewer bits than the chip's.
        adapt: whether what the chip forbids is converted.
        save: where all spikes are written.
        worker: how a program of others is run.

    """

    model: Path
    backends: tuple[str, ...]
    target: Profile
    data: str | None = None
    split: SplitName = SplitName.TEST
    samples: int | None = None
    seed: int = 0
    reading: Reading = field(default_factory=Reading)
    weight_bits: WeightBits = field(default_factory=WeightBits)
    adapt: bool = False
    save: Path | None = None
    worker: Worker = field(default_factory=Worker)


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Attributes:
        request: what was asked for.
        model: what ran, adapted where asked.
        data: name of the data set.
        samples: how many were run.
        labels: who said which class a sample is of.
        arithmetic: of each backend.
        simulated: what was seen.
        effect: of the conversions; None without any.

    """

    request: SimulateRequest
    model: Model
    data: str
    samples: int
    labels: Labels
    arithmetic: dict[str, str]
    simulated: Simulated
    effect: AdaptationEffect | None


@torch_settings()
def run_simulation(request: SimulateRequest, progress: Progress) -> Outcome:
    """Run a model on the backends asked for.

    Raises:
        SpearDeployError: something in the request cannot be used; see its subclasses.

    """
    classes = [backend_class(name) for name in request.backends]
    given = request.reading.load(request.model)
    for notice in given.notices:
        progress.notice(notice)
    name = needed_source(request.model, given, request.data)
    dataset = load_data(name)
    check_fits(dataset, given.encoding, given.network.input_shape, given.classes)
    splits = {split.name: split for split in dataset.splits}
    split = splits[request.split]
    slow = any(offered.tool for offered in classes)
    wanted = TOOL_SAMPLES if request.samples is None and slow else request.samples
    if wanted is not None and request.samples is not None and wanted > len(split):
        progress.notice(f"{dataset.name} has {len(split)} {request.split} samples, {wanted} were asked for")
    split = split if wanted is None else split.first(wanted)
    labels = dataset.labels
    if labels is Labels.NONE:
        progress.notice(f"{dataset.name} {NOTICE}")
        split, labels = labelled_by(given, split, seed=request.seed), Labels.DENSE_NETWORK
    train = encode(dataset.train.first(CALIBRATION_SAMPLES), given.encoding, given.time_steps, seed=request.seed)
    few = train.inputs[:, :CONVERSION_SAMPLES]
    adapted = adapt(given, request.target, few) if request.adapt else Adapted(given, (), host_first=False)
    model = adapted.model
    setting = Setting(request.target, train.inputs, request.weight_bits, adapted.host_first, worker=request.worker)
    backends = [offered.of(setting) for offered in classes]
    executables = prepared(model, backends)
    writing = (
        nullcontext()
        if request.save is None
        else spike_file(request.save, model, request.backends, len(split), labels=split.y.numpy(), index=split.index)
    )
    with progress.stage("simulate", len(split)) as advance, writing as file:

        def seen(backend: str, part: slice, outputs: Mapping[str, Tensor]) -> None:
            if file is not None:
                file.write(backend, part, outputs)
            if backend == request.backends[-1]:
                advance(done=part.stop)

        simulated = simulate(model, executables, encoded_batches(model, split, seed=request.seed), seen)
    effect = _effect(request, given, adapted, split) if adapted.changes else None
    for line in effect.lines if effect is not None else ():
        progress.notice(line)
    arithmetic = {backend.name: backend.arithmetic for backend in backends}
    return Outcome(request, model, dataset.name, len(split), labels, arithmetic, simulated, effect)


def _effect(request: SimulateRequest, given: Model, adapted: Adapted, split: Split) -> AdaptationEffect:
    """Both networks in torch on the samples that were run."""
    found = []
    for model in (given, adapted.model):
        backends = prepared(model, [TorchBackend()])
        seen = simulate(model, backends, encoded_batches(model, split, seed=request.seed), observe=False)
        found += [result.measurement for result in seen.results.values()]
    return AdaptationEffect(request.target.name, adapted.changes, *found)
