"""The main job: from a trained network and a chip to a pruned network that keeps its budget there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from spear_deploy.backends import TorchBackend, measure_on, measure_ready
from spear_deploy.data import Dataset, EncodedSplit, check_fits, encode, load_data
from spear_deploy.errors import BudgetError, DataError, ModelError, SpearDeployError
from spear_deploy.exporting import export_run, samples_to_prove
from spear_deploy.hardware import Profile
from spear_deploy.limits import limits_of
from spear_deploy.measure import Measurement, effective_operations
from spear_deploy.network import Model, read_nir, save_model_file
from spear_deploy.on_target import OnTarget, aim_at, check_reachable
from spear_deploy.progress import Advance, Clock, Progress, peak_memory_mib
from spear_deploy.report import Report
from spear_deploy.report.build import Found, make_report
from spear_deploy.report.write import write_run
from spear_deploy.request import DeployRequest
from spear_deploy.run_folder import check_writable, complete_or_nothing
from spear_deploy.search import (
    CandidateFactory,
    Finalist,
    LreSample,
    RidgeEstimator,
    SearchProblem,
    choose,
    collect_samples,
    search_ddpg,
)
from spear_deploy.verification import check_runs_in_lava, verify_in_lava


@dataclass(frozen=True)
class Prepared:
    """All that is done once: the data, the chips that can be aimed at, and LRE's samples."""

    model: Model
    data: Dataset
    test: EncodedSplit
    factory: CandidateFactory
    dense_test: Measurement
    targets: list[OnTarget]
    samples: list[LreSample]
    seconds: dict[str, float]


def deploy(request: DeployRequest, progress: Progress) -> dict[str, Report]:
    """Prune the model for each target and write a folder for each; one report a target, by its name.

    LRE's samples are made once and serve all targets. Of several targets, one that cannot run
    the network is told and left out.

    Raises:
        SpearDeployError: something in the request cannot be used; see its subclasses.

    """
    for target in request.targets:
        check_writable(request.folder(target), force=request.force)
    torch.set_num_threads(request.threads)
    torch.set_flush_denormal(True)
    prepared = prepare(request, progress)
    return {target.profile.name: deploy_to(target, request, prepared, progress) for target in prepared.targets}


def prepare(request: DeployRequest, progress: Progress) -> Prepared:
    """Load, measure the dense network on every target, and make LRE's samples."""
    clock = Clock(progress)
    limits_of(request.budgets, dense_synops=1.0)  # faults in a budget show before the long work
    with clock.stage("load"):
        model = request.reading.load(request.model)
        for notice in model.notices:
            progress.notice(notice)
        data = load_data(_data_name(request, model))
        check_fits(data, model.encoding, model.network.input_shape, model.network.classes)
        encoded = [encode(split, model.encoding, model.time_steps, seed=request.seed) for split in data.splits]
        train, validation, test = encoded
        if request.lava:
            check_runs_in_lava(request.model, model, test)
    with clock.stage("measure", 1 + len(request.targets)) as advance:
        factory = CandidateFactory(model, train)
        dense = factory.measure(model, validation)
        dense_test = factory.measure(model, test, torch.float64)
        _check_prunable(request.model, data.name, factory, dense)
        advance()
        targets = _aim(request, factory, validation, dense, advance, progress)
    with clock.stage("LRE samples", request.lre_samples) as advance:
        samples = collect_samples(
            factory, request.lre_samples, request.recipe, request.seed, advance, workers=request.workers
        )
    return Prepared(model, data, test, factory, dense_test, targets, samples, clock.seconds)


def deploy_to(target: OnTarget, request: DeployRequest, prepared: Prepared, progress: Progress) -> Report:
    """Search, fine-tune, write, run and judge for one target."""
    clock = Clock(progress, prepared.seconds)
    problem = SearchProblem(
        prepared.factory,
        RidgeEstimator.fit(prepared.samples),
        target.budget_synops / target.target_factor,
        target.structural,
        target.validation,
        activity_limits=target.activity_limits(prepared.factory, prepared.samples),
    )
    with clock.stage("search", request.evaluations) as advance:
        search_ddpg(problem, request.evaluations, request.seed, lambda _: advance())
    tuned: list[Finalist] = []
    with clock.stage("fine-tune", request.finalists + 1) as advance:

        def on_tuned(finalist: Finalist) -> None:
            tuned.append(finalist)
            advance()

        winner, repairs = choose(
            problem,
            request.recipe,
            request.seed,
            request.finalists,
            target.measure,
            lambda model, measured: target.activity_uses(model.network, prepared.factory.activity(measured)),
            target.budget_synops,
            on_tuned,
        )
    with complete_or_nothing(request.folder(target.profile), force=request.force) as folder:
        save_model_file(winner.model, folder / "pruned.pt")
        with clock.stage("export"):
            _export(winner.model, folder / "pruned.pt", target.profile, prepared, request, progress)
        pruned = read_nir(folder / "pruned.nir")
        with clock.stage("test"):
            in_torch, on_target = TorchBackend(torch.float64).ready(pruned), target.backend.ready(pruned)
            tested = measure_ready(in_torch, pruned, prepared.test)
            _check_alive(request.model, tested)
        verified = verify_in_lava(pruned, in_torch, on_target, prepared.test, request, clock)
        found = Found(
            request=request,
            target=target,
            model=prepared.model,
            data=prepared.data,
            dense_test=prepared.dense_test,
            dense_effective=effective_operations(prepared.model, prepared.test.inputs),
            samples=prepared.samples,
            winner=winner,
            pruned=pruned,
            tested=tested,
            tested_effective=effective_operations(pruned, prepared.test.inputs),
            dense_on_target=measure_on(target.backend, prepared.model, prepared.test),
            tested_on_target=measure_ready(on_target, pruned, prepared.test),
            comparisons=verified.comparisons,
            unverified=verified.missing,
            lava_version=verified.version,
            repairs=repairs,
            evaluations=len(problem.history),
            seconds=clock.seconds,
            groups=[group.name for group in problem.factory.groups],
            search_budget=problem.budget_synops,
            history=problem.history,
            tuned=tuned,
            quantized=on_target.quantized,
            first_outputs=in_torch.run(prepared.test.inputs[:, :1]),
            peak_memory_mib=peak_memory_mib(),
        )
        report = make_report(found)
        (folder / "report.json").write_text(report.model_dump_json(indent=2) + "\n")
        write_run(folder, plot=request.plot)
    return report


def _aim(
    request: DeployRequest,
    factory: CandidateFactory,
    validation: EncodedSplit,
    dense: Measurement,
    advance: Advance,
    progress: Progress,
) -> list[OnTarget]:
    """The targets that can run the network; with several, those that cannot are told and left out."""
    found: list[OnTarget] = []
    for profile in request.targets:
        try:
            target = aim_at(profile, factory, validation, dense, request.budgets)
            check_reachable(target, factory, request.recipe, request.seed, request.model)
        except SpearDeployError as error:
            if profile is request.targets[-1] and not found:
                raise
            progress.notice(f"{profile.name} is left out: {error}")
        else:
            found.append(target)
        advance()
    return found


def _export(
    model: Model, path: Path, target: Profile, prepared: Prepared, request: DeployRequest, progress: Progress
) -> None:
    """The pruned network in all formats, each proven on test samples."""
    samples = prepared.test.take(slice(0, samples_to_prove(model)))
    export_run(
        model,
        path,
        samples.as_float64(),
        inputs_name=f"{prepared.data.name}, first {len(samples)} test samples",
        profile=target.name,
        run_lava=request.lava,
        notice=progress.notice,
    )


def _data_name(request: DeployRequest, model: Model) -> str:
    """The data to use: as asked, or as the model says (a path counts from where the model lies)."""
    name = request.data or model.data
    if name is None:
        raise DataError(
            f"{request.model}: the model does not name its data; give it with --data digits or --data file.npz"
        )
    beside = request.model.parent / name
    return str(beside) if request.data is None and beside.is_file() else name


def _check_prunable(path: Path, data: str, factory: CandidateFactory, dense: Measurement) -> None:
    if not dense.synops:
        raise ModelError(
            f"{path}: the network never spikes on {data} (no layer that leads to another does):"
            " there are no SynOps to budget"
        )
    if not factory.groups:
        reasons = "; ".join(f"{group.name}: {group.fixed or 'has one channel'}" for group in factory.all_groups)
        raise ModelError(f"{path}: no layer of the network can be pruned ({reasons})")


def _check_alive(path: Path, tested: Measurement) -> None:
    """A network that fell silent keeps every budget and is of no use.

    Raises:
        BudgetError: nothing spikes on the test split.

    """
    if not tested.synops:
        raise BudgetError(
            f"{path}: pruned to these limits, the network no longer spikes on the test split;"
            " allow more SynOps, or a larger chip"
        )
