"""The verbs for Python: values in, values out; no folder is needed, and none is left."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path

from spear_deploy.backends.fixed_point.weight_bits import WeightBits
from spear_deploy.data import Dataset
from spear_deploy.hardware import Limit, Profile
from spear_deploy.hardware.comparison import Row
from spear_deploy.jobs import check as checking
from spear_deploy.jobs import reproduce as reproducing
from spear_deploy.jobs import simulate as simulating
from spear_deploy.jobs.asked import front_of, weight_bits_of
from spear_deploy.jobs.check import Checked
from spear_deploy.jobs.chips import chip_of, chips_given
from spear_deploy.jobs.deploy import deploy as deploying
from spear_deploy.jobs.deploy.request import DeployConfig, DeployRequest
from spear_deploy.jobs.export.export import run_export
from spear_deploy.jobs.export.request import ExportRequest
from spear_deploy.jobs.progress import Progress, Silent, once
from spear_deploy.jobs.reproduce import Reproduced
from spear_deploy.jobs.results import DeployResult, Exported, Front, files_of
from spear_deploy.jobs.simulate import DEFAULT_BACKEND, Outcome, SimulateConfig, backends_of
from spear_deploy.jobs.task import Task
from spear_deploy.network import Model, save_model_file
from spear_deploy.network.fingerprint import fingerprint

NAME = "model"
"""What a model is called that comes from no file."""


def check(
    model: Model,
    chip: Profile | str | Path,
    data: Dataset | None = None,
    *,
    samples: int | None = None,
    adapt: bool = False,
    progress: Progress | None = None,
) -> Checked:
    """Hold a model against every limit and rule of a chip, and price an inference there.

    Args:
        model: dense or pruned.
        chip: a profile, its name or its TOML file.
        data: whose test samples tell what an inference costs; without, nothing is priced.
        samples: how many of them, spread over the split; None for 100, or all where there are fewer.
        adapt: whether what the chip forbids is converted first.
        progress: hears what is to be told of the data, and of what the chip does to them; it stands in `told` of the
            result too.

    Raises:
        SpearDeployError: the profile is not known, or the data do not suit the model.

    """
    task = None if data is None else Task(model, data)
    tell = (Silent() if progress is None else progress).notice
    subject = checking.measured(NAME, model, task, samples, tell=tell)
    return checking.check(subject, chip_of(chip), adapt=adapt, tell=tell)


def compare(
    models: Mapping[str, Model],
    chips: Sequence[Profile | str | Path] | str,
    data: Dataset | None = None,
    *,
    samples: int | None = None,
    progress: Progress | None = None,
) -> list[Row]:
    """Place and price models, each by its name, on several chips, or `all`: a row for each of both; see `check`."""
    tell = once((Silent() if progress is None else progress).notice)
    subjects = [
        checking.measured(name, model, None if data is None else Task(model, data), samples, tell=tell)
        for name, model in models.items()
    ]
    return checking.compare(subjects, chips_given(chips), tell)


def simulate(
    model: Model,
    chip: Profile | str | Path,
    data: Dataset,
    on: Sequence[str] | str = (DEFAULT_BACKEND,),
    config: SimulateConfig | None = None,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> Outcome:
    """Run a model on one backend, or on several beside each other.

    Args:
        model: dense or pruned.
        chip: whose arithmetic is used: a profile, its name or its TOML file.
        data: whose test samples are run, unless `config` says otherwise.
        on: names of backends, such as torch, chip, lava and lava-fixed; every two of them are held against each other.
        config: how many samples, and how they are run.
        seed: of the encoding.
        progress: hears how far it is, and what the user is told, which stands in `told` of the result too.

    Raises:
        SpearDeployError: the data do not suit the model, or a backend is not known, cannot run it, or failed.

    """
    backends = backends_of(on) if isinstance(on, str) else on
    return simulating.simulate(Task(model, data, seed), chip_of(chip), backends, config, progress)


def deploy(
    model: Model,
    chip: Profile | str | Path,
    data: Dataset,
    config: DeployConfig | None = None,
    *,
    progress: Progress | None = None,
) -> DeployResult:
    """Prune a model until it fits a chip and its budget, and measure what it does there.

    Args:
        model: a trained network.
        chip: a profile, its name or its TOML file.
        data: to fine-tune on (train), to choose by (validation) and to judge by (test).
        config: budgets, seed and all that has a default.
        progress: hears how far it is, and what the user is told, which stands in `told` of the report too.

    Raises:
        SpearDeployError: the data do not suit the model, a budget cannot be reached, or the chip cannot run it.

    """
    config = DeployConfig() if config is None else config
    (result,) = _deployed(model, (chip_of(chip),), data, (), config, progress).results.values()
    return result


def deploy_front(
    model: Model,
    chips: Sequence[Profile | str | Path] | Profile | str | Path,
    data: Dataset,
    pareto: Sequence[str] | str = (),
    config: DeployConfig | None = None,
    *,
    progress: Progress | None = None,
) -> Front:
    """Prune a model for several budgets of SynOps, several chips, or both: LRE's samples are made once and serve all.

    Args:
        model: a trained network.
        chips: profiles, their names or TOML files; also as they are typed: `loihi1,loihi2`, `all`.
        data: as of `deploy`.
        pareto: budgets of SynOps that are each searched for; also as they are typed: `70%,50%,30%`. Without, every
            chip is searched for with the budgets of `config`.
        config: seed, further limits and all that has a default. With `strategy="agent"` one agent learns from all.
        progress: hears how far it is.

    Raises:
        SpearDeployError: as of `deploy`, where none has a result; else `left_out` says why one has none.

    """
    config = DeployConfig() if config is None else config
    budgets = front_of(pareto if isinstance(pareto, str) else ",".join(pareto))
    if budgets and config.budgets == DeployConfig().budgets:
        config = replace(config, budgets=())
    several = [chips] if isinstance(chips, Profile | Path) else chips
    return _deployed(model, chips_given(several), data, budgets, config, progress)


def _deployed(
    model: Model,
    chips: tuple[Profile, ...],
    data: Dataset,
    pareto: tuple[Limit, ...],
    config: DeployConfig,
    progress: Progress | None,
) -> Front:
    given = {each.name: getattr(config, each.name) for each in fields(DeployConfig)}
    with tempfile.TemporaryDirectory(prefix="spear-deploy-") as name:
        out = Path(name) / "run"
        request = DeployRequest(
            model=Path(NAME), model_sha256=fingerprint(model), targets=chips, out=out, pareto=pareto, **given
        )
        found = deploying.run(request, Silent() if progress is None else progress, Task(model, data, config.seed))
        results = {
            place.relative_to(out).as_posix(): DeployResult(
                written.pruned.model, written.report, written.pruned.integers, files_of(place)
            )
            for place, written in found.written.items()
        }
        return Front(results, {place.relative_to(out).as_posix(): why for place, why in found.left_out.items()})


def reproduce(
    run: str | Path,
    model: Model | None = None,
    data: Dataset | None = None,
    *,
    agent: str | Path | None = None,
    arch: str | None = None,
    lava_python: Path | None = None,
    progress: Progress | None = None,
) -> Reproduced:
    """Repeat a run from what its report records, and compare weights and figures.

    Args:
        run: the run folder.
        model: the network that was pruned, where it came from no file.
        data: likewise.
        agent: where the file of the agent lies now that the run carried; by default where it lay.
        arch: how the network is built, where the report names code for it, which is not run unless it is given here.
        lava_python: the interpreter that has Lava, where the report names one, which is not started likewise.
        progress: hears how far it is.

    Raises:
        RunError: the run cannot be repeated: its report says too little or names what is to be trusted, or the network
            or the data are others now.

    """
    given = None if model is None or data is None else (model, data)
    moved = None if agent is None else Path(agent)
    return reproducing.reproduce(Path(run), progress, given=given, agent=moved, arch=arch, lava_python=lava_python)


def export(
    model: Model,
    formats: Sequence[str] | str,
    data: Dataset | None = None,
    *,
    chip: Profile | str | Path | None = None,
    weight_bits: WeightBits | int | str | None = None,
    file_format: str | None = None,
    adapt: bool = False,
    seed: int = 0,
    options: Mapping[str, object] | None = None,
    progress: Progress | None = None,
) -> Exported:
    """Write a model in other formats, and prove that each file does what the model does.

    Args:
        model: dense or pruned.
        formats: names of exporters, or of families of them.
        data: whose samples the files are proven on, and a chip's integers chosen on; by default what the model names,
            else made-up samples.
        chip: whose integers are held: a profile, its name or its TOML file.
        weight_bits: fewer bits than the chip's; also as it is typed: `6`, `conv1=8,fc=4`.
        file_format: choose the integers among those that this format can hold.
        adapt: whether what the chip forbids is converted first.
        seed: of the encoding.
        options: of the exporters, by the names that they declare.
        progress: hears how far it is.

    Raises:
        SpearDeployError: no format can say the network, a file differs from it, or something asked for is not known.

    """
    with tempfile.TemporaryDirectory(prefix="spear-deploy-") as name:
        path, out = Path(name) / f"{NAME}.pt", Path(name) / "files"
        save_model_file(model, path)
        request = ExportRequest(
            model=path,
            formats=tuple(formats.split(",") if isinstance(formats, str) else formats),
            out=out,
            target=None if chip is None else chip_of(chip),
            weight_bits=weight_bits_of(weight_bits) if isinstance(weight_bits, int | str) else weight_bits,
            file_format=file_format,
            adapt=adapt,
            seed=seed,
            options=options or {},
        )
        task = None if data is None else Task(model, data, seed)
        entries = run_export(request, Silent() if progress is None else progress, task)
        return Exported(files_of(out), tuple(entries))
