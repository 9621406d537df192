"""`spear-deploy check MODEL --target CHIP`: does it fit, and if not, why."""

from __future__ import annotations

import json
from collections.abc import Set
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from spear_deploy.cli.console import TerminalProgress, err, out
from spear_deploy.cli.gates import Budgets, FailOn, gates, held_json, stop
from spear_deploy.cli.reading import Arch, Data, Dt, InputEncoding, InputShape, OutputReadOut, TimeSteps, reading
from spear_deploy.cli.targets import Target, read_targets
from spear_deploy.files import replaced_when_complete
from spear_deploy.hardware.budget import parse_budgets
from spear_deploy.hardware.chip.profile import Profile
from spear_deploy.hardware.comparison import Row
from spear_deploy.hardware.cost.cost import Cost
from spear_deploy.hardware.cost.mesh import map_in_order
from spear_deploy.hardware.placement.placement import Core
from spear_deploy.hardware.rules.finding import Kind
from spear_deploy.jobs.check import SAMPLES, Subject, measured
from spear_deploy.jobs.check import check as run_check
from spear_deploy.jobs.task import find_task, load_model
from spear_deploy.network import Reading
from spear_deploy.report.chip_json import row_json
from spear_deploy.report.pictures.core_picture import core_map_svg
from spear_deploy.report.words.quantity_text import energy_text, inherited_text, power_text, time_text

EPILOG = """
Examples:

  spear-deploy check model.pt --target loihi2

  spear-deploy check model.pt --target my_chip.toml --svg cores.svg

  spear-deploy check model.pt --target loihi1 --adapt

  spear-deploy check model.pt --target loihi2 --budget 50us --budget core-step=5k --fail-on misfit,budget,unknown

Exit code 0: it passes every gate of --fail-on on every target; 1: it does not; 2: bad input.
"""


def check(
    model: Annotated[Path, typer.Argument(help="Model file, dense or pruned.")],
    target: Target = "loihi2",
    data: Data = None,
    samples: Annotated[int, typer.Option(min=1, help="Test samples whose spikes are measured.")] = SAMPLES,
    arch: Arch = None,
    input_shape: InputShape = None,
    time_steps: TimeSteps = None,
    dt: Dt = None,
    encoding: InputEncoding = None,
    read_out: OutputReadOut = None,
    adapt: Annotated[
        bool, typer.Option("--adapt", help="Convert what a chip forbids, show what it did, and check the result.")
    ] = False,
    budget: Budgets = None,
    fail_on: FailOn = "misfit,budget",
    svg: Annotated[Path | None, typer.Option(help="Write a picture of the core map.", metavar="FILE")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON alone on stdout.")] = False,
) -> None:
    """Hold MODEL against every limit and rule of a chip; say which binds, where, and how to mend it."""
    profiles, limits, at = read_targets(target), parse_budgets(budget or ()), gates(fail_on)
    subject = subject_of(model, data, samples, reading(arch, input_shape, time_steps, dt, encoding, read_out))
    found = [run_check(subject, profile, adapt=adapt, limits=limits) for profile in profiles]
    if as_json:
        content = [
            row_json(each.row, cores=True)
            | {"measured": subject.origin, "adaptations": each.adaptations, "budgets": held_json(each)}
            for each in found
        ]
        print(json.dumps(content[0] if len(content) == 1 else content, indent=2))
    else:
        for each in found:
            out.print(report(each.row))
            for line in (*each.lines, *(held.text for held in each.held)):
                out.print(line)
        out.print(origin_text(subject))
    if svg is not None:
        for each in found:
            name = each.row.profile.name
            _write_picture(each.row, svg if len(found) == 1 else svg.with_stem(f"{svg.stem}-{name}"))
    stop(found, at)


def subject_of(path: Path, data: str | None, samples: int, given: Reading) -> Subject:
    """A model file and what it does on its data, where it has some."""
    tell = TerminalProgress().notice
    model = load_model(path, reading=given, tell=tell)
    return measured(path.name, model, find_task(path, model, data, tell=tell), samples)


def origin_text(subject: Subject) -> str:
    """Which samples the spikes are the mean of."""
    if subject.activity is None:
        return "no spikes were measured: give --data"
    return f"spikes: mean of {subject.samples} test samples, torch, float32"


def report(row: Row) -> Group:
    """What a person reads: verdict, limits, layers on cores, findings, cost."""
    placement = row.verdict.placement
    parts: list[RenderableType] = [Text(f"{row.model} on {row.profile.title}: {row.verdict.text}", style="bold")]
    if row.profile.inherited:
        parts.append(Text(f"{row.profile.name}: {inherited_text(row.profile)}"))
    limits = Table("limit", "used", "allowed", "", "layer", title="limits", title_justify="left")
    for use in placement.uses:
        style = "" if use.fits else "red"
        limits.add_row(
            use.resource,
            f"{use.used:,.0f}",
            f"{use.allowed:,.0f} {use.unit}",
            f"{use.share:.0%}",
            use.layer or "",
            style=style,
        )
    parts += [limits, _layers(row)]
    if placement.unchecked:
        parts.append(Text(f"not checked, because not published: {', '.join(placement.unchecked)}"))
    if row.verdict.violations:
        findings = Table("", "where", "rule", "found", "allowed", "way out", title="findings", title_justify="left")
        for each in row.verdict.violations:
            findings.add_row(str(each.kind), each.node or "network", each.rule, each.found, each.allowed, each.mend)
        parts.append(findings)
    notes = [finding for finding in row.verdict.findings if finding.kind is Kind.NOTE]
    parts += [Text(f"note: {note.node}: {note.rule}: {note.found} at {note.allowed}") for note in notes]
    if not row.verdict.fits:
        way = "pruning alone cannot make it fit" if row.keep is None else f"fits when every layer keeps {row.keep:.0%}"
        parts.append(Text(way))
    if row.cost is not None:
        parts += _cost(row.cost, row.profile)
    return Group(*parts)


def _layers(row: Row) -> Table:
    table = Table(
        "layer", "cores", "neurons a core", "binding on its fullest core", title="cores", title_justify="left"
    )
    layers: dict[str, list[Core]] = {}
    for core in row.verdict.placement.cores:
        layers.setdefault(core.layer, []).append(core)
    for layer, cores in layers.items():
        fullest = max(cores, key=lambda core: core.binding.share if core.binding is not None else 0.0)
        binding = fullest.binding
        what = f"{binding.resource}: {binding.used:,.0f} of {binding.allowed:,.0f}" if binding is not None else ""
        neurons = sorted({core.neurons for core in cores})
        sizes = f"{neurons[0]:,}" if len(neurons) == 1 else f"{neurons[0]:,} to {neurons[-1]:,}"
        table.add_row(layer, str(len(cores)), sizes, what)
    return table


def _cost(cost: Cost, profile: Profile) -> list[RenderableType]:
    table = Table("part", "count", "energy", "status", title="energy of an inference", title_justify="left")
    table.add_column("prices", no_wrap=True)  # the keys have to be typed
    for part in cost.parts:
        energy = "not available" if part.energy_pj is None else energy_text(part.energy_pj)
        count = "" if part.name.startswith(("idle", "active")) else f"{part.count:,.0f}"
        table.add_row(part.name, count, energy, str(part.status), "\n".join(part.figures))
    return [table, _steps(cost), Text("\n".join(_totals(cost, profile)))]


def _totals(cost: Cost, profile: Profile) -> list[str]:
    lines = []
    inherited = set(profile.inherited)
    if cost.energy_pj is not None:
        typical = energy_text(cost.energy_pj.typical)
        least = "at least " if cost.energy_at_least else ""
        lines.append(f"energy      {least}{energy_text(cost.energy_pj)}, typically {typical} ({cost.energy_status})")
        lines += _resting(inherited & {key for part in cost.parts for key in part.figures}, profile)
    else:
        lines.append(f"energy      not available: no price for {', '.join(cost.unpriced)}")
    shares = [
        f"{share:.1%} of the typical energy{without}"
        for share, without in ((cost.synops_share, ""), (cost.synops_share_of_dynamic, " without idle power"))
        if share is not None
    ]
    lines.append(f"SynOps      {', '.join([f'{cost.synops:,.0f}', *shares])}")
    lines += _times(cost)
    injected = float(cost.traffic.from_input.sum())
    lines.append(
        f"input       {injected:,.0f} events enter cores: energy and time are without injecting them and without"
        " host I/O, for which no price is known"
    )
    lines += _resting(inherited & set(cost.timing.figures), profile)
    if cost.power_mw is not None:
        lines.append(f"power       {power_text(cost.power_mw)}")
    return lines


def _resting(keys: Set[str], profile: Profile) -> list[str]:
    """What a total rests on that is not the profile's own."""
    return [f"            by {len(keys)} figures of {profile.inherits}"] if keys else []


def _times(cost: Cost) -> list[str]:
    """Latency and throughput, each under its name."""
    timing = cost.timing
    latency, step, rate = timing.latency, timing.step_ns, cost.throughput_per_s
    if latency is None or step is None or rate is None:
        return ["time        not available"]
    least = "at least " if timing.at_least else ""
    lines = [
        f"latency     {least}{time_text(latency.mean)}, typically {time_text(latency.mean.typical)}, in {timing.steps}"
        f" steps of {time_text(step.typical)} ({timing.status})"
    ]
    if timing.samples is not None:
        lines.append(
            f"            99 % of {timing.samples} samples within {time_text(latency.p99)},"
            f" the slowest {time_text(latency.worst)}"
        )
    lines.append(f"throughput  {rate.typical:,.0f} inferences/s in a full pipeline")
    if timing.unpriced:
        lines.append(f"            no time is known for {', '.join(term.name for term in timing.unpriced)}: not in it")
    return lines


def _steps(cost: Cost) -> Table:
    """What a step waits for, the mean over steps of the core or link that does most."""
    table = Table("a step waits for", "busiest core or link", "time", title="time of a step", title_justify="left")
    for term in cost.timing.terms:
        count = f"{term.count:,.1f} {term.unit}" if term.unit else ""
        time = "" if term.time_ns is None else time_text(term.time_ns)
        table.add_row(term.name, count, "no time known" if term.missing else time)
    return table


def _write_picture(row: Row, path: Path) -> None:
    placement = row.verdict.placement
    core_map = map_in_order(placement) if row.cost is None else row.cost.core_map
    if core_map is None:
        err.print(f"{row.profile.name}: no core map: the profile names no routers")
        return
    with replaced_when_complete(path) as working:
        working.write_text(core_map_svg(placement, core_map), encoding="utf-8")
    err.print(f"written to {path}")
