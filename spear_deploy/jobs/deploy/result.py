"""The folder of a result: the network in every format, run on the test split, and judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from spear_deploy.backends.backend import Executable, measure_executable, measure_on
from spear_deploy.backends.side_by_side import observe
from spear_deploy.backends.torch import TorchBackend
from spear_deploy.device import CPU
from spear_deploy.errors import BudgetError
from spear_deploy.exporting import JudgedIntegers, export_nir, export_run, samples_to_prove
from spear_deploy.files import PLAIN, complete_or_nothing
from spear_deploy.jobs.deploy.lre_check import check_prediction
from spear_deploy.jobs.deploy.max_drop import Try
from spear_deploy.jobs.deploy.prepare import Prepared
from spear_deploy.jobs.deploy.reporting import Found, make_report
from spear_deploy.jobs.deploy.request import DeployRequest
from spear_deploy.jobs.deploy.search import Solution
from spear_deploy.jobs.deploy.unfinished import Unfinished
from spear_deploy.jobs.deploy.verification import verifiers, verify
from spear_deploy.jobs.device_proof import prove_device
from spear_deploy.jobs.export import calibration_name
from spear_deploy.measure import Answers, Measurement, effective_operations, guess_rate, most_by_guessing
from spear_deploy.network import read_nir, save_model_file
from spear_deploy.progress import Clock, peak_memory_mib
from spear_deploy.report import Report
from spear_deploy.report.write import write_run
from spear_deploy.targets.target import Target


def write_result(
    solution: Solution,
    folder: Path,
    request: DeployRequest,
    prepared: Prepared,
    clock: Clock,
    tries: Sequence[Try] = (),
) -> Report:
    """Write the winner to `folder`, run it on the test split, in Lava too, and judge.

    `tries` are the budgets that were tried to find the smallest one. Where this fails or is
    interrupted, the networks and what was measured are kept, and the error says where.
    """
    target, winner = solution.target, solution.choice.winner
    unfinished = Unfinished(solution)
    with complete_or_nothing(folder, force=request.force, keep=unfinished.keep) as working:
        save_model_file(winner.result.model, working / "pruned.pt")
        save_model_file(winner.plain.model, working / PLAIN)
        shown = prepared.test.take(slice(0, samples_to_prove(winner.result.model)))
        proof = _Proof(shown.as_float64(), f"{prepared.data.name}, first {len(shown)} test samples")
        with clock.stage("export"):
            export_nir(winner.result.model, working / "pruned.pt", proof.inputs, inputs_name=proof.name)
        pruned = read_nir(working / "pruned.nir")
        with clock.stage("test"):
            floating = TorchBackend()
            in_torch, on_target = floating.prepare(pruned), target.backend.prepare(pruned)
            tested = measure_executable(in_torch, pruned, prepared.test)
            unfinished.note("test, in torch", tested)
            _check_alive(request.model, tested)
            prove_device(pruned, target.backend, prepared.test)
            observed = observe(target.backend.name, on_target, pruned, prepared.test)
            unfinished.note(f"test, in {target.backend.name}", observed.measurement)
        with clock.stage("export"):
            export_run(
                pruned,
                working / "pruned.pt",
                proof.inputs,
                inputs_name=proof.name,
                profile=target.chip.name,
                integers=_judged(target, on_target, prepared, request),
                run_lava=request.lava,
                lava_python=request.lava_python,
                notice=clock.progress.notice,
            )
        references = {target.backend.name: on_target, floating.name: in_torch}
        wanted = verifiers(request, target.chip, prepared.factory.train, tuple(references), clock.progress.notice)
        verified = verify(pruned, references, wanted, prepared.test, clock)
        for each in verified.found:
            unfinished.note(f"test, in {each.backend.name}", each.measured)
        with clock.stage("LRE check"):
            ran = [each.backend for each in verified.found]
            checked = check_prediction(winner, target, prepared.test, ran, clock.progress.notice)
        dense_on_target = measure_on(target.backend, prepared.model, prepared.test)
        found = Found(
            request=request,
            target=target,
            model=prepared.model,
            data=prepared.data,
            dense_test=prepared.dense_test,
            dense_effective=effective_operations(prepared.model, prepared.test.inputs),
            samples=prepared.samples,
            choice=solution.choice,
            interrupted=solution.interrupted,
            pruned=pruned,
            tested=tested,
            tested_effective=effective_operations(pruned, prepared.test.inputs),
            lre_check=checked,
            dense_on_target=dense_on_target,
            tested_on_target=observed.measurement,
            answers=Answers.between(
                observed.measurement.predictions,
                dense_on_target.predictions,
                prepared.test.labels,
                guess_rate(prepared.data.train.y, prepared.test.labels, pruned.network.classes),
            ),
            validation_guess=most_by_guessing(
                len(prepared.data.validation),
                guess_rate(prepared.data.train.y, prepared.data.validation.y, pruned.network.classes),
            ),
            verified=verified,
            seconds=clock.seconds,
            problem=solution.problem,
            losses=observed.losses,
            effect=prepared.effect,
            first_outputs=in_torch.run(prepared.test.take(slice(0, 1)).on(CPU).inputs).outputs,
            peak_memory_mib=peak_memory_mib(),
            tries=tries,
        )
        report = make_report(found)
        (working / "report.json").write_text(report.model_dump_json(indent=2) + "\n")
        write_run(working, plot=request.plot)
    return report


@dataclass(frozen=True)
class _Proof:
    """What exports are proven on: inputs `[T, B, *input_shape]`, and what they are."""

    inputs: Tensor
    name: str


def _judged(target: Target, on_target: Executable, prepared: Prepared, request: DeployRequest) -> JudgedIntegers | None:
    """The integers that the test split is measured in, for every file of them."""
    if on_target.integers is None:
        return None
    return JudgedIntegers(
        on_target.integers,
        target.chip.name,
        target.backend.arithmetic,
        calibration_name(prepared.data, request.seed),
    )


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
