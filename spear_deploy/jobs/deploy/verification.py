"""Running the result in every backend that must repeat another one's spikes, such as Lava."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from spear_deploy.backends.backend import Backend, Executable, OnProgress, Setting, Worker
from spear_deploy.backends.registry import calibration_inputs, classes
from spear_deploy.backends.side_by_side import held_against
from spear_deploy.data import EncodedSplit
from spear_deploy.errors import BackendError
from spear_deploy.hardware import Profile
from spear_deploy.jobs.deploy.request import DeployRequest
from spear_deploy.jobs.progress import Clock
from spear_deploy.measure import Measurement
from spear_deploy.network import Model
from spear_deploy.network.agreement import Agreement
from spear_deploy.network.device import CPU
from spear_deploy.network.fingerprint import fingerprint
from spear_deploy.system.journal import NOTHING, Journal

TIME_LIMIT = 5.0
"""A program of others is ended after this many times the time that its samples may take."""


@dataclass(frozen=True)
class Verified:
    """One backend beside the one whose spikes it must repeat, on the samples that it ran.

    Attributes:
        backend: which.
        reference: the other one, on the same samples.
        measured: what the backend did.
        agreement: spike for spike.

    """

    backend: Backend
    reference: Measurement
    measured: Measurement
    agreement: Agreement


@dataclass(frozen=True)
class Beside:
    """What a backend did with some samples, beside the one whose spikes it must repeat; see `Verified`."""

    reference: Measurement
    measured: Measurement
    agreement: Agreement


@dataclass(frozen=True)
class Verification:
    """What the backends said that must repeat others.

    Attributes:
        found: one by one.
        missing: why some that were wanted are not among them; empty where all are.
        versions: of the programs that they ran, by name.

    """

    found: tuple[Verified, ...] = ()
    missing: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)


def verifiers(
    request: DeployRequest, chip: Profile, train: EncodedSplit, references: Sequence[str], tell: Callable[[str], None]
) -> list[Backend]:
    """The backends that must repeat one of `references`, as the request wants them run."""
    worker = Worker(request.lava_python, TIME_LIMIT * request.lava_seconds, request.lava_seconds)
    setting = Setting(chip, calibration_inputs(train), request.weight_bits, worker=worker)
    found = []
    for each in classes(tell).values():
        if each.reference in references and (request.lava or not each.tool):
            try:
                found.append(each.of(setting))
            except BackendError as error:  # as one that cannot be imported: told, and the others go on
                tell(str(error))
    return found


def check_runs(path: Path, model: Model, backends: Sequence[Backend], chips: Sequence[str] = ()) -> None:
    """Find out before the long work whether backends in floating point can run what pruning will leave of a network.

    `chips` are those that it is to be verified for, named in what is raised.

    Raises:
        BackendError: which layer one of them cannot run, and the way out.

    """
    for backend in backends:
        try:
            backend.prepare(model)
        except BackendError as error:
            named = f", for {', '.join(chips)}" if chips else ""
            raise BackendError(f"{path}{named}: {error}{': `lava=False`' if backend.tool else ''}") from None


def verify(
    model: Model,
    references: Mapping[str, Executable],
    backends: Sequence[Backend],
    data: EncodedSplit,
    clock: Clock,
    journal: Journal = NOTHING,
) -> Verification:
    """Run samples in each backend and hold it against its reference; what fails is told and goes into `missing`."""
    found: list[Verified] = []
    missing: dict[str, None] = {}
    versions: dict[str, str] = {}
    for backend in backends:
        where = backend.tool or backend.name
        try:
            status = backend.status()
            if not status.missing:
                if status.version:
                    versions[where.lower()] = status.version
                found.append(_verified(model, references, backend, data, clock, journal.within(status.version)))
        except BackendError as error:
            clock.progress.notice(str(error))
            missing[f"not verified in {where}: {error}"] = None
            continue
        if status.missing:
            why = f"not verified in {where}, which cannot be used: {status.missing} ({status.advice}, or `lava=False`)"
            if why not in missing:
                clock.progress.notice(
                    f"{where} cannot be used ({status.missing}), so the result is not verified in it; {status.advice}"
                )
            missing[why] = None
    return Verification(tuple(found), "; ".join(missing), versions)


def _verified(
    model: Model,
    references: Mapping[str, Executable],
    backend: Backend,
    data: EncodedSplit,
    clock: Clock,
    journal: Journal,
) -> Verified:
    assert backend.reference is not None  # only such backends verify
    reference = references[backend.reference]
    stage = (backend.tool or backend.name) + (", integers" if backend.integers else "")
    with clock.stage(stage, len(data)) as advance:
        found = beside(model, backend, reference, data.on(CPU), journal, lambda done, total: advance(done=done))
    return Verified(backend, found.reference, found.measured, found.agreement)


def beside(
    model: Model,
    backend: Backend,
    reference: Executable,
    data: EncodedSplit,
    journal: Journal = NOTHING,
    on_progress: OnProgress | None = None,
) -> Beside:
    """Run samples in a backend and hold them against the one that it must repeat.

    The scope of `journal` says which version of a program is run, and for how long.

    Raises:
        BackendError: it failed, or took too long.

    """
    name = backend.reference
    assert name is not None  # only such backends verify

    def run() -> Beside:
        recording = backend.prepare(model, reference=reference).run(data.inputs, on_progress=on_progress)
        both = held_against((name, reference), (backend.name, recording), model, data)
        ours, theirs = (both.results[each].measurement for each in (name, backend.name))
        return Beside(ours, theirs, both.differences[0].agreement)

    return journal.remember(Beside, "verification", backend.name, fingerprint(model), len(data), make=run)
