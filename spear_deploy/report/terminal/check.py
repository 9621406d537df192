"""A network on one chip: verdict, limits, layers on cores, findings, cost."""

from __future__ import annotations

from collections.abc import Set
from math import isnan

from rich.console import Group, RenderableType
from rich.text import Text

from spear_deploy.hardware.amounts import both_texts, energy_text, keep_text, power_text, share_text, time_text
from spear_deploy.hardware.chip.profile import Profile
from spear_deploy.hardware.comparison import Row
from spear_deploy.hardware.cost.cost import NO_MESH, Cost
from spear_deploy.hardware.placement.placement import Core
from spear_deploy.hardware.rules.finding import Kind
from spear_deploy.report.terminal.table import Table
from spear_deploy.report.words.quantity_text import inherited_text


def check_text(row: Row) -> Group:
    """What a person reads: verdict, limits, layers on cores, findings, cost."""
    placement = row.verdict.placement
    parts: list[RenderableType] = [Text(f"{row.model} on {row.profile.title}: {row.verdict.text}", style="bold")]
    if row.profile.inherited:
        parts.append(Text(f"{row.profile.name}: {inherited_text(row.profile)}"))
    limits = Table("limit", "used", "allowed", "", "layer", title="limits", title_justify="left")
    for use in placement.uses:
        style = "" if use.fits else "red"
        used, allowed, unit = both_texts(use.used, use.allowed, use.unit)
        least = "at least " if placement.uncut and use.resource == "cores" else ""
        share = share_text(use.share)
        limits.add_row(use.resource, f"{least}{used}", f"{allowed} {unit}", share, use.layer or "", style=style)
    parts += [limits, _layers(row)]
    if placement.unchecked:
        parts.append(Text(f"not checked, because not known here: {', '.join(placement.unchecked)}"))
    if row.verdict.violations:
        findings = Table("", "where", "rule", "found", "allowed", "way out", title="findings", title_justify="left")
        for each in row.verdict.violations:
            findings.add_row(str(each.kind), each.node or "network", each.rule, each.found, each.allowed, each.mend)
        parts.append(findings)
    notes = [finding for finding in row.verdict.findings if finding.kind is Kind.NOTE]
    parts += [Text(f"note: {note.node}: {note.rule}: {note.found} ({note.allowed})") for note in notes]
    if not row.verdict.fits:
        way = (
            "pruning alone cannot make it fit"
            if row.keep is None
            else f"fits when every layer keeps {keep_text(row.keep)}"
        )
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
        what = "" if binding is None else f"{binding.resource}: {binding.of_text}"
        neurons = sorted({core.neurons for core in cores})
        sizes = f"{neurons[0]:,}" if len(neurons) == 1 else f"{neurons[0]:,} to {neurons[-1]:,}"
        unknown = layer in row.verdict.placement.uncut
        table.add_row(layer, *(("not known", "") if unknown else (str(len(cores)), sizes)), what)
    return table


def _cost(cost: Cost, profile: Profile) -> list[RenderableType]:
    table = Table("part", "count", "energy", title="energy of an inference", title_justify="left")
    table.add_column("status", no_wrap=True)
    table.add_column("prices", no_wrap=True)  # the keys have to be typed
    for part in cost.parts:
        energy = "not available" if part.energy_pj is None else energy_text(part.energy_pj)
        count = "" if part.name.startswith(("idle", "active")) or isnan(part.count) else f"{part.count:,.0f}"
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
        lines.append(f"energy      not available: {cost.unpriced_text}")
    shares = [
        f"{share:.1%} of the typical energy{without}"
        for share, without in ((cost.synops_share, ""), (cost.synops_share_of_dynamic, " without idle power"))
        if share is not None
    ]
    lines.append(f"SynOps      {', '.join([f'{cost.synops:,.0f}', *shares])}")
    lines += _times(cost)
    lines += _resting(inherited & set(cost.timing.figures), profile)
    lines += _with_io(cost)
    if cost.power_mw is not None:
        bound = f"{cost.power_bound} " if cost.power_bound else ""
        lines.append(f"power       {bound}{power_text(cost.power_mw)}")
    return lines


def _with_io(cost: Cost) -> list[str]:
    """Energy and time with input and output: bounds, where prices are missing or minima."""
    outside = cost.outside
    longer = outside.at_least or cost.timing.at_least
    totals = [
        f"above {text(spread.low)}" if outside.at_least or without else text(spread)
        for spread, text, without in (
            (outside.energy_pj, energy_text, cost.energy_at_least),
            (outside.time_ns, time_text, longer),
        )
        if spread is not None
    ]
    counts = " and ".join(f"{term.name} ({term.count:,.0f} {term.unit})" for term in outside.terms)
    lines = [f"with I/O    {', '.join(totals) or 'not available'}: with {counts}"]
    if outside.missing:
        lines.append(f"            no price is known: {', '.join(outside.missing)}")
    if outside.processor_pj is not None:
        least = "at least " if longer else ""
        drawn = f"{least}{energy_text(outside.processor_pj)}"
        lines.append(f"            the processor beside the cores, in no total: {drawn}")
    return lines


def _resting(keys: Set[str], profile: Profile) -> list[str]:
    """What a total rests on that is not the profile's own."""
    return [f"            by {len(keys)} figures of {profile.inherits}"] if keys else []


def _times(cost: Cost) -> list[str]:
    """Latency and throughput, each under its name."""
    timing = cost.timing
    latency, step, rate = timing.latency, timing.step_ns, cost.throughput_per_s
    if latency is None or step is None or rate is None:
        why = f": {NO_MESH} for {', '.join(timing.unmapped)}" if timing.unmapped else ""
        return [f"time        not available{why}"]
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
    most = f"{cost.throughput_bound} " if cost.throughput_bound else ""
    lines.append(f"throughput  {most}{rate.typical:,.0f} inferences/s in a full pipeline")
    if timing.unpriced:
        names = [
            each.name if each.time_ns is None else f"{each.name} ({', '.join(each.missing)})"
            for each in timing.unpriced
        ]
        lines.append(f"            no time is known for {', '.join(names)}: not in it")
    return lines


def _steps(cost: Cost) -> Table:
    """What a step waits for, the mean over steps of the core or link that does most."""
    table = Table("a step waits for", "busiest core or link", "time", title="time of a step", title_justify="left")
    for term in cost.timing.terms:
        count = f"{term.count:,.1f} {term.unit}" if term.unit and not isnan(term.count) else ""
        lacking = "no mesh known" if isnan(term.count) else "no time known" if term.missing else ""
        table.add_row(term.name, count, lacking if term.time_ns is None else time_text(term.time_ns))
    return table
