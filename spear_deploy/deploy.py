"""The main job: from a trained network and a chip to a pruned network that keeps its budget there."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from spear_deploy.backends import TorchBackend, backend_of, measure_on, measure_ready
from spear_deploy.data import Dataset, EncodedSplit, check_fits, encode, load_data
from spear_deploy.errors import BudgetError, DataError, ModelError
from spear_deploy.exporting import export_run, samples_to_prove
from spear_deploy.hardware import Profile
from spear_deploy.limits import limits_of, structural_uses
from spear_deploy.measure import Measurement, effective_operations
from spear_deploy.network import Model, read_nir, save_model_file
from spear_deploy.network.load import load_any
from spear_deploy.progress import Clock, Progress
from spear_deploy.report import Report
from spear_deploy.report.build import Found, make_report
from spear_deploy.request import DeployRequest
from spear_deploy.run_folder import check_writable, complete_or_nothing
from spear_deploy.search import (
    CandidateFactory,
    LreSample,
    MeasureOnTarget,
    RidgeEstimator,
    SearchProblem,
    choose,
    collect_samples,
    search_ddpg,
    tune,
)
from spear_deploy.verification import verify_in_lava


@dataclass(frozen=True)
class Prepared:
    """All that does not depend on the target."""

    model: Model
    data: Dataset
    validation: EncodedSplit
    test: EncodedSplit
    factory: CandidateFactory
    dense_validation: Measurement
    dense_test: Measurement
    samples: list[LreSample]
    seconds: dict[str, float]


def deploy(request: DeployRequest, progress: Progress) -> list[Report]:
    """Prune the model for each target and write a folder for each; one report a target.

    LRE's samples are made once and serve all targets.

    Raises:
        SpearDeployError: something in the request cannot be used; see its subclasses.

    """
    for target in request.targets:
        check_writable(request.folder(target), force=request.force)
    torch.set_num_threads(request.threads)
    torch.set_flush_denormal(True)
    prepared = prepare(request, progress)
    return [deploy_to(target, request, prepared, progress) for target in request.targets]


def prepare(request: DeployRequest, progress: Progress) -> Prepared:
    """Load, measure the dense network, and make LRE's samples."""
    clock = Clock(progress)
    limits_of(request.budgets, dense_synops=1.0)  # faults in a budget show before the long work
    with clock.stage("load"):
        model = load_any(request.model)
        data = load_data(_data_name(request, model))
        check_fits(data, model.encoding, model.network.input_shape, model.network.classes)
        encoded = [encode(split, model.encoding, model.time_steps, seed=request.seed) for split in data.splits]
        train, validation, test = encoded
    with clock.stage("measure"):
        factory = CandidateFactory(model, train)
        dense_validation = factory.measure(model, validation)
        dense_test = factory.measure(model, test, torch.float64)
        _check_prunable(request.model, data.name, factory, dense_validation)
    with clock.stage("LRE samples", request.lre_samples) as advance:
        samples = collect_samples(
            factory, request.lre_samples, request.recipe, request.seed, advance, workers=request.workers
        )
    return Prepared(model, data, validation, test, factory, dense_validation, dense_test, samples, clock.seconds)


def deploy_to(target: Profile, request: DeployRequest, prepared: Prepared, progress: Progress) -> Report:
    """Search, fine-tune, write, run and judge for one target."""
    clock = Clock(progress, prepared.seconds)
    backend = backend_of(target, prepared.factory.train)

    def measure_on_target(model: Model) -> Measurement:
        return measure_on(backend, model, prepared.validation)

    with clock.stage("on target"):
        dense_on_target = measure_on_target(prepared.model)
    limits = limits_of(request.budgets, dense_on_target.synops)
    budget_synops, factor = limits[0].allowed, dense_on_target.synops / prepared.dense_validation.synops
    problem = SearchProblem(
        prepared.factory,
        RidgeEstimator.fit(prepared.samples),
        budget_synops / factor,
        lambda network: structural_uses(network, target, limits),
        prepared.validation,
    )
    with clock.stage("search", request.evaluations) as advance:
        _check_reachable(problem, request, measure_on_target, budget_synops)
        search_ddpg(problem, request.evaluations, request.seed, lambda _: advance())
    with clock.stage("fine-tune", request.finalists + 1) as advance:
        winner, repairs = choose(
            problem,
            request.recipe,
            request.seed,
            request.finalists,
            measure_on_target,
            budget_synops,
            lambda _: advance(),
        )
    with complete_or_nothing(request.folder(target), force=request.force) as folder:
        save_model_file(winner.model, folder / "pruned.pt")
        with clock.stage("export"):
            _export(winner.model, folder / "pruned.pt", target, prepared, request, progress)
        pruned = read_nir(folder / "pruned.nir")
        with clock.stage("test"):
            in_torch, on_target = TorchBackend(torch.float64).ready(pruned), backend.ready(pruned)
            tested = measure_ready(in_torch, pruned, prepared.test)
        verified = verify_in_lava(pruned, in_torch, on_target, prepared.test, request, clock)
        found = Found(
            request=request,
            target=target,
            limits=limits,
            model=prepared.model,
            data=prepared.data,
            dense_test=prepared.dense_test,
            dense_effective=effective_operations(prepared.model, prepared.test.inputs),
            samples=prepared.samples,
            winner=winner,
            pruned=pruned,
            tested=tested,
            tested_effective=effective_operations(pruned, prepared.test.inputs),
            backend=backend,
            dense_on_target=measure_on(backend, prepared.model, prepared.test),
            target_factor=factor,
            tested_on_target=measure_ready(on_target, pruned, prepared.test),
            comparisons=verified.comparisons,
            unverified=verified.missing,
            lava_version=verified.version,
            repairs=repairs,
            evaluations=len(problem.history),
            seconds=clock.seconds,
        )
        report = make_report(found)
        (folder / "report.json").write_text(report.model_dump_json(indent=2) + "\n")
    return report


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


def _check_reachable(
    problem: SearchProblem, request: DeployRequest, measure: MeasureOnTarget, budget_synops: float
) -> None:
    """Say before the search when even one channel a layer is too much.

    Raises:
        BudgetError: which limit cannot be kept, and the least that can be reached.

    """
    ratios = problem.smallest()
    candidate = problem.factory.candidate(ratios)
    for use in problem.structural(candidate.model.network):
        if use.overshoot:
            raise BudgetError(
                f"{use.origin}: not even one channel in every layer fits: {use.name}"
                f" {use.used:,.0f} {use.unit}, allowed {use.allowed:,.0f} {use.unit}"
            )
    # Only near the limit is it worth a fine-tune to know.
    if candidate.features.recalibrated_synops < problem.budget_synops / 4:
        return
    least = tune(problem, ratios, request.recipe, request.seed, measure).synops_bound
    if least > budget_synops:
        raise BudgetError(
            f"a budget of {budget_synops:,.0f} SynOps cannot be reached: one channel in every layer"
            f" still takes {least:,.0f} after fine-tuning, the least that this network can be pruned to"
        )
