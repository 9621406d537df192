"""The folder of a result: the network in every format, run on the test split, and judged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from spear_deploy.backends.backend import CALIBRATION_SAMPLES
from spear_deploy.exporting import FORMATS, JudgedIntegers, export_nir, export_run, samples_to_prove
from spear_deploy.exporting.record import read_record
from spear_deploy.jobs.data_place import place_of
from spear_deploy.jobs.deploy.evidence import examine
from spear_deploy.jobs.deploy.kept_files import files_made
from spear_deploy.jobs.deploy.prepare import Prepared
from spear_deploy.jobs.deploy.reporting import Provenance, make_report
from spear_deploy.jobs.deploy.request import DeployRequest
from spear_deploy.jobs.deploy.search import Pruned
from spear_deploy.jobs.deploy.unfinished import Unfinished
from spear_deploy.jobs.graded_inputs import cut_values
from spear_deploy.jobs.progress import Clock, peak_memory_mib
from spear_deploy.network import batches, read_nir, save_model_file
from spear_deploy.network.fingerprint import fingerprint
from spear_deploy.report import Report
from spear_deploy.report.file_names import PLAIN
from spear_deploy.report.write import write_run
from spear_deploy.search.strategies.agent_file import AGENT_FILE, agent_bytes
from spear_deploy.system.files import complete_or_nothing
from spear_deploy.targets.target import Target


@dataclass(frozen=True)
class Written:
    """A result as it was written: the network and its integers, and the report."""

    pruned: Pruned
    report: Report


def write_result(
    pruned: Pruned, target: Target, folder: Path, request: DeployRequest, prepared: Prepared, clock: Clock
) -> Written:
    """Write the network to `folder`, run it as it is read back on the test split, in Lava too, and judge.

    Where this fails or is interrupted, the networks and what was measured are kept, and the error says where.
    """
    unfinished = Unfinished(pruned, target)
    with complete_or_nothing(folder, force=request.force, keep=unfinished.keep) as working:
        save_model_file(pruned.model, working / "pruned.pt")
        save_model_file(pruned.plain, working / PLAIN)
        if pruned.asked.agent is not None and not pruned.asked.carried:
            (working / AGENT_FILE).write_bytes(agent_bytes(pruned.asked.agent))
        shown = prepared.test.take(slice(0, samples_to_prove(pruned.model)))
        proof, proof_name = shown.as_float64(), f"{prepared.task.data.name}, first {len(shown)} test samples"
        with clock.stage("export"):
            export_nir(pruned.model, working / "pruned.pt", proof, inputs_name=proof_name)
        model = read_nir(working / "pruned.nir")
        on_target = target.backend.prepare(model)
        written = replace(pruned, model=model, integers=on_target.integers)
        evidence = examine(written, on_target, target, prepared, request, clock, unfinished.note)
        journal = prepared.journal.within(target.key, request.lava, fingerprint(written.model), proof_name)
        export = partial(
            export_run,
            written.model,
            working / "pruned.pt",
            proof,
            inputs_name=proof_name,
            profile=target.chip.name,
            integers=_judged(written, target, prepared),
            run_tools=request.lava,
            lava_python=request.lava_python,
        )
        with clock.stage("export", len(FORMATS)) as advance:
            for name in FORMATS:
                make = partial(export, name)
                files_made(working, make, journal.step("export", name), clock.progress.notice)
                advance()
        for line in _other_readers(working):
            clock.progress.notice(line)
        provenance = Provenance(
            request,
            prepared.samples,
            prepared.effect,
            clock.seconds,
            peak_memory_mib(),
            clock.notices,
            prepared.journal.recalled,
            place_of(prepared.task.data.name, None if request.model_sha256 else folder),
        )
        chosen = pruned.choice.winner.result
        settled = target.settled(chosen.model, chosen.validation)
        report = make_report(prepared.task, settled, written, evidence, provenance)
        (working / "report.json").write_text(report.model_dump_json(indent=2) + "\n", encoding="utf-8")
        write_run(working, plot=request.plot)
    return Written(written, report)


def _other_readers(folder: Path) -> list[str]:
    """What somebody who runs the files elsewhere has to know."""
    record = read_record(folder)
    return [] if record is None else [line for entry in record.exports for line in entry.other_readers]


def _judged(pruned: Pruned, target: Target, prepared: Prepared) -> JudgedIntegers | None:
    """The integers that the test split is measured in, for every file of them."""
    if pruned.integers is None:
        return None
    chosen_on = prepared.task.calibration_name(CALIBRATION_SAMPLES)
    test = map(prepared.test.take, batches(len(prepared.test)))
    cut = tuple(cut_values(test, pruned.integers.levels))
    return JudgedIntegers(pruned.integers, target.chip.name, target.backend.arithmetic, chosen_on, cut)
