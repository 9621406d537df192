"""The tables of a run's page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spear_deploy.hardware.amounts import amount_text
from spear_deploy.report.checks import predictions, references
from spear_deploy.report.part import Range
from spear_deploy.report.pictures import Table
from spear_deploy.report.pictures.figure import number_text
from spear_deploy.report.schema import Report
from spear_deploy.report.search_part import FinalistReport
from spear_deploy.report.words.quantity_text import error_text, prediction_texts, pruned_text
from spear_deploy.report.words.scores import points, right_answers, score_text, scoring
from spear_deploy.report.words.wording import energy_words, time_words


@dataclass(frozen=True)
class Captioned:
    """A table and what it holds."""

    caption: str
    table: Table


def before_after(report: Report) -> Captioned:
    """Dense and pruned side by side; each figure names its arithmetic."""
    dense, pruned, limit = report.dense, report.pruned, next(iter(report.budget.limits), None)
    rows = [
        (
            f"{right_answers(report)} (test, torch float64)",
            score_text(report, dense.accuracy),
            score_text(report, pruned.accuracy),
            f"{100 * (pruned.accuracy - dense.accuracy):+z.2f} {points(report)}",
        ),
        ("SynOps / inference (test, torch float64)", *_counts(dense.synops, pruned.synops)),
    ]
    for lost in references(report):
        rows.append(
            (
                f"{right_answers(report)} (test, {report.budget.arithmetic})",
                f"{score_text(report, lost.reference_accuracy)} ({lost.reference})",
                score_text(report, lost.accuracy),
                f"{-lost.drop_points:+z.2f} {points(report)}, 95 % interval"
                f" {-lost.drop_high:+z.2f} to {-lost.drop_low:+z.2f}",
            )
        )
    if limit is not None:
        rows.append((f"SynOps / inference (test, {report.budget.arithmetic})", *_counts(limit.dense, limit.pruned)))
    if dense.synops_analog:
        rows.append(("analog input operations / inference", *_counts(dense.synops_analog, pruned.synops_analog)))
    costs = report.cost.get("dense"), report.cost.get("pruned")
    rows += [
        (
            "energy / inference",
            energy_words(costs[0]),
            energy_words(costs[1]),
            _left([None if cost is None else cost.energy_pj for cost in costs]),
        ),
        (
            "time / inference",
            time_words(costs[0]),
            time_words(costs[1]),
            _left([None if cost is None else cost.time_ns for cost in costs]),
        ),
        ("parameters", *_counts(dense.parameters, pruned.parameters)),
    ]
    return Captioned("What pruning changed.", Table(("", "dense", "pruned", "pruned / dense"), tuple(rows)))


def _left(ranges: Sequence[Range | None]) -> str:
    """Which share of the dense network's typical value the pruned one has."""
    dense, pruned = ranges
    return f"{pruned.typical / dense.typical:.1%}" if dense and pruned and dense.typical else ""


def _counts(dense: float, pruned: float) -> tuple[str, str, str]:
    return f"{dense:,.0f}", f"{pruned:,.0f}", f"{pruned / dense:.1%}" if dense else ""


def limits(report: Report) -> Captioned:
    """Every limit, what both networks use of it, and who set it."""
    rows = tuple(
        (
            limit.name,
            *(amount_text(value, limit.unit) for value in (limit.allowed, limit.dense)),
            pruned_text(limit),
            f"{limit.pruned / limit.allowed:.1%}" if limit.allowed else "",
            f"{limit.origin}{' (the tightest)' if limit.binds else ''}",
        )
        for limit in report.budget.limits
    )
    caption = f"Every limit; the budget was fixed on {report.budget.split} in {report.budget.arithmetic}."
    return Captioned(caption, Table(("limit", "allowed", "dense", "pruned", "used", "who set it"), rows))


def adaptations(report: Report) -> tuple[Captioned, ...]:
    """What was converted because the target forbids it; nothing where nothing was."""
    rows = tuple(
        (
            each.layer,
            each.rule,
            each.before,
            each.after,
            "was silent" if each.spike_change_percent is None else f"{each.spike_change_percent:+z.2f} %",
        )
        for each in report.adaptations
    )
    caption = (
        "Converted before anything else, because the target forbids it; change of the dense network on validation."
    )
    return (Captioned(caption, Table(("layer", "rule", "from", "to", "spikes"), rows)),) if rows else ()


def prediction(report: Report) -> tuple[Captioned, ...]:
    """LRE's predictions against every backend, and what the final network was measured to do."""
    lre = report.lre
    caption = (
        f"LRE ({lre.basis}) predicts {lre.predicted:,.0f} SynOps in torch after the plain"
        f" fine-tune, 95 % interval {lre.low:,.0f} to {lre.high:,.0f}; times {lre.target_factor:.4f} in"
        f" {report.budget.arithmetic}. SPEAR's line predicts {lre.linear.predicted:,.0f} (R\u00b2"
        f" {lre.linear.r2:.3f}).{_delivered(report)} Against what was measured on test samples:"
    )
    held = tuple(
        (
            row.network,
            row.backend,
            row.check.arithmetic,
            f"{row.check.samples:,}",
            f"{row.check.predicted:,.0f} ({row.check.low:,.0f} to {row.check.high:,.0f})",
            "not recorded" if row.constant is None else f"{row.constant:,.0f}",
            f"{row.check.synops:,.0f}",
            error_text(row.check.error_percent),
            "inside" if row.check.covered else "OUTSIDE",
        )
        for row in predictions(report)
    )
    columns = ("network", "backend", "arithmetic", "samples", "predicted (95 % interval)", "by a single constant")
    first = Captioned(caption, Table((*columns, "measured", "error", "interval"), held))
    return first, *_predicted_limits(report), _measured(report)


def _predicted_limits(report: Report) -> tuple[Captioned, ...]:
    """What the search predicted of the other limits on activity; nothing where there are none."""
    rows = tuple(
        (limit.name, *texts) for limit in report.budget.limits if (texts := prediction_texts(limit)) is not None
    )
    caption = (
        "Other limits, of the plainly fine-tuned network: the bound of what as many samples as test has will show, as"
        " the search predicted it, beside what that network was measured to use on test; kept where that is within"
        " the end of the bound's interval that lies nearer to the limit."
    )
    columns = ("limit", "predicted bound (95 % interval)", "measured", "bound")
    return (Captioned(caption, Table(columns, rows)),) if rows else ()


def _delivered(report: Report) -> str:
    found = report.lre.delivered
    if found is None:
        return ""
    return (
        f" Of the delivered network, which the second phase holds at the budget, {found.predicted:,.0f} were predicted"
        f" before any fine-tune ({found.low:,.0f} to {found.high:,.0f})."
    )


def _measured(report: Report) -> Captioned:
    spread = any(found.distribution is not None for found in report.measured.values())
    rows = []
    for name, found in report.measured.items():
        row = [name, found.arithmetic, f"{found.samples:,}", score_text(report, found.accuracy), f"{found.synops:,.1f}"]
        if spread:
            each = found.distribution
            values = (None,) * 4 if each is None else (each.bound99, each.p95, each.p99, each.maximum)
            row += ["not recorded" if value is None else f"{value:,.0f}" for value in values]
        rows.append(tuple(row))
    columns = ("backend", "arithmetic", "samples", scoring(report).name, "SynOps / inference")
    more = ("99 % bound of the mean", "95th percentile", "99th percentile", "largest") if spread else ()
    caption = "The final network on test samples, backend by backend."
    return Captioned(caption, Table((*columns, *more), tuple(rows)))


def estimators(report: Report) -> tuple[Captioned, ...]:
    """Every estimator with its errors at samples left out; nothing where not recorded."""
    rows = tuple(
        (
            f"{name}{' (used)' if name == report.lre.estimator else ''}",
            f"{one.predicted:,.0f} ({one.low:,.0f} to {one.high:,.0f})",
            f"{one.loo_mean_error_percent:.1f} %",
            f"{one.loo_worst_error_percent:.1f} %",
            f"{one.loo_coverage:.0%}",
        )
        for name, one in report.lre.estimators.items()
    )
    lre = report.lre
    if lre.anchors:
        rows += ((f"{lre.estimator} (used)", f"{lre.predicted:,.0f} ({lre.low:,.0f} to {lre.high:,.0f})", "", "", ""),)
    columns = ("estimator", "predicted (95 % interval)", "mean error", "worst error", "intervals that held")
    caption = "Every estimator on the same samples; errors at samples left out of the fit."
    return (Captioned(caption, Table(columns, rows)),) if rows else ()


def agreement(report: Report) -> tuple[Captioned, ...]:
    """Where backends gave the same spikes; nothing where none were compared."""
    rows = []
    for name, agreement in report.agreement.items():
        at = agreement.first_difference
        where = "" if at is None else f"layer {at.layer}, step {at.step}, sample {at.sample}, neuron {at.neuron}"
        equal = "equal in all layers" if agreement.equal else "NOT equal"
        rows.append((name.replace("_", " and ", 1), f"{agreement.samples:,}", str(len(agreement.layers)), equal, where))
    columns = ("backends", "samples", "layers", "spikes", "first difference")
    return (Captioned("Backends held against each other.", Table(columns, tuple(rows))),) if rows else ()


def finalists(report: Report) -> tuple[Captioned, ...]:
    """What was fine-tuned, phase by phase; nothing where not recorded."""
    if not report.finalists:
        return ()
    groups = report.search.groups if report.search is not None else []
    rows = tuple(
        (
            "yes" if one.chosen else "",
            *_first_phase(report, one),
            *_second_phase(report, one),
            *(f"{ratio:.1%}" for ratio in one.keep_ratios),
        )
        for one in report.finalists
    )
    columns = (
        "chosen",
        "predicted in torch",
        "SynOps, plain fine-tune",
        scoring(report).name,
        "SynOps, second phase",
        "99 % bound",
        scoring(report).name,
        *(f"kept in {name}" for name in groups),
    )
    columns = (*columns, *("kept" for _ in range(len(rows[0]) - len(columns))))
    caption = (
        f"What was fine-tuned, on validation in {report.budget.arithmetic}; empty: not taken through the second phase,"
        " or a closing step with fewer channels than went through the first."
        + ("" if all(one.undone is None for one in report.finalists) else " One without a bound was undone.")
    )
    return (Captioned(caption, Table(columns, rows)),)


def _first_phase(report: Report, one: FinalistReport) -> tuple[str, str, str]:
    if one.predicted is None or one.plain_synops is None or one.plain_accuracy is None:
        return "", "", ""
    predicted = f"{one.predicted:,.0f} ({one.low:,.0f} to {one.high:,.0f})"
    return predicted, f"{one.plain_synops:,.0f}", score_text(report, one.plain_accuracy)


def _second_phase(report: Report, one: FinalistReport) -> tuple[str, str, str]:
    if one.undone is not None:
        return f"{one.undone.synops:,.0f}", "", score_text(report, one.undone.accuracy)
    if not one.finished:
        return "", "", ""
    return f"{one.synops:,.0f}", f"{one.synops_bound:,.0f}", score_text(report, one.accuracy)


def cores(report: Report) -> tuple[Captioned, ...]:
    """The cores layer by layer; nothing where not recorded."""
    placement = report.placement
    if placement is None:
        return ()
    rows = tuple(
        (
            layer.layer,
            f"{layer.cores:,}",
            f"{layer.neurons:,}",
            layer.binding or "no limit is known",
            number_text(layer.share, percent=True),
            number_text(layer.mean_share, percent=True),
        )
        for layer in placement.per_layer
    )
    of = "" if placement.cores_available is None else f" of {placement.cores_available:,.0f}"
    caption = f"The pruned network {placement.verdict}: {placement.cores:,}{of} cores."
    if placement.needed:
        told = ", ".join(f"{layer} needs {least:,}" for layer, least in placement.needed.items())
        caption += f" Layers lie on more than they need so that the busiest core does less: {told}."
    columns = ("layer", "cores", "neurons", "fullest resource", "on its fullest core", "mean over cores")
    return (Captioned(caption, Table(columns, rows)),)


def origin(report: Report) -> Captioned:
    """Everything that the report follows from."""
    splits = ", ".join(f"{name} {split.samples} of {split.source}" for name, split in report.splits.items())
    rows = [
        ("model", report.model),
        ("SHA-256 of the model", report.model_sha256),
        ("data", report.data),
        ("SHA-256 of the data", report.data_sha256),
        ("splits (sample numbers are in report.json)", splits),
        ("target", f"{report.target}: {report.profile}" if report.profile else report.target),
        ("budget", report.budget.source),
        *_strategy(report),
        ("seed", str(report.seed)),
        ("threads of torch", str(report.threads)),
        ("device", report.device),
        ("time steps, encoding", f"{report.time_steps}, {report.encoding}"),
        *((f"version of {name}", version) for name, version in report.versions.items()),
    ]
    return Captioned("What this report follows from.", Table(("", "value"), tuple(rows)))


def _strategy(report: Report) -> tuple[tuple[str, str], ...]:
    """How candidates were looked for, and what its agent is; nothing where not recorded."""
    search = report.search
    if search is None or search.strategy is None:
        return ()
    agent = search.agent
    if agent is None:
        return (("search strategy", search.strategy),)
    groups = ", ".join(f"{name} {channels}" for name, channels in agent.groups.items())
    origin = "carried from another run" if agent.carried else "trained in this run"
    return (
        ("search strategy", f"{search.strategy}, {origin}"),
        ("SHA-256 of the agent", agent.sha256),
        ("the agent learned from", f"{agent.evaluations} candidates of {groups} ({', '.join(agent.budgets)})"),
    )


def stages(report: Report) -> tuple[Captioned, ...]:
    """Time by stage, and memory."""
    memory = "not recorded" if report.peak_memory_mib is None else f"{report.peak_memory_mib:,.0f} MiB"
    rows = tuple((name, f"{seconds:,.1f}") for name, seconds in report.seconds.items())
    caption = f"Time by stage; {report.evaluations} evaluations; most memory of the main process: {memory}."
    shown = (Captioned(caption, Table(("stage", "seconds"), rows)),)
    if not report.earlier:
        return shown
    earlier = tuple((kind, f"{found.steps:,}", f"{found.seconds:,.1f}") for kind, found in report.earlier.items())
    caption = "Of that, read from an earlier run instead of done again, with the seconds that it took then."
    return (*shown, Captioned(caption, Table(("", "finished steps", "seconds then"), earlier)))


def told(report: Report) -> tuple[Captioned, ...]:
    """What the user was told while it ran; nothing where that is nothing or not recorded."""
    rows = tuple((text,) for text in report.told)
    return (Captioned("Told while it ran.", Table(("note",), rows)),) if rows else ()
