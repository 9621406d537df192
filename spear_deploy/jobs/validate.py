"""The job of `validate`: LRE's interval against measurements, those of a run or new ones."""

from __future__ import annotations

from spear_deploy.errors import RunError
from spear_deploy.hardware import Profile
from spear_deploy.jobs.chips import chip_of
from spear_deploy.jobs.remeasure import measure_again
from spear_deploy.jobs.run_settings import judged_for
from spear_deploy.report.gap import RunCheck, check_run
from spear_deploy.report.reading import RunFolder


def validate(
    name: str, run: RunFolder, *, again: bool = False, data: str | None = None, profile: Profile | str | None = None
) -> RunCheck:
    """Hold LRE's interval of a run against SynOps measured on data that the search never saw.

    Args:
        name: of the run, in tables.
        run: its folder.
        again: whether its network is measured again, in torch and in the target's arithmetic.
        data: where the data lie now; by default where they lay.
        profile: of the target, itself, its name or its TOML file; by default as the report has it.

    Raises:
        RunError: the run has no report, or cannot be measured again.

    """
    report = run.report
    if report is None:
        raise RunError(f"{run.path}: {run.gaps[0]}")
    if not again:
        return check_run(name, report)
    return check_run(name, report, measure_again(run.path, report, chip_of(profile or judged_for(report)), data))
