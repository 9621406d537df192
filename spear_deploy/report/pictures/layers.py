"""The network layer by layer: channels, spikes, SynOps; firing rates and a raster."""

from __future__ import annotations

from spear_deploy.report.pictures.figure import Axis, Figure, Mark, Panel, Series, Table, number_text
from spear_deploy.report.schema import LayerReport, Report

DENSE_STYLE, STYLES = 5, (0, 1, 2, 4)
"""The same look for the same backend in every panel: by its place among those that measured."""


def layers_figure(report: Report) -> Figure:
    """Channels kept, spikes and SynOps of every layer in every backend."""
    layers = tuple(layer.layer for layer in report.dense.per_layer)
    axis = Axis("layer", categories=layers)
    kept = tuple(report.pruned.keep_ratios.get(layer) for layer in layers)
    sources = {"dense": report.dense.per_layer} | {name: found.per_layer for name, found in report.measured.items()}
    return Figure(
        "layers",
        "Layer by layer",
        "Channels that were kept, spikes fired by each layer and SynOps into it, per inference on test: the dense"
        " network in torch, the pruned one in every backend. LRE predicts the sum over layers, not each of them.",
        (
            Panel(axis, Axis("channels kept", percent=True), (Series("kept", layers, kept, Mark.BARS),)),
            Panel(axis, Axis("spikes per inference"), _by_backend(layers, sources, "spikes")),
            Panel(axis, Axis("SynOps per inference"), _by_backend(layers, sources, "synops")),
        ),
        _table(report),
    )


def rates_figure(report: Report) -> Figure | None:
    """How the firing rates of the neurons are distributed; None where not recorded."""
    if report.spikes is None or not report.spikes.rates:
        return None
    series = []
    for place, rates in enumerate(report.spikes.rates):
        bins = len(rates.bins)
        edges = tuple(round((each + 0.5) / bins, 6) for each in range(bins))
        neurons = sum(rates.bins)
        series.append(
            Series(rates.layer, edges, tuple(count / neurons for count in rates.bins), Mark.LINE, style=place)
        )
    silent = ", ".join(f"{rates.layer} {rates.silent:,} of {sum(rates.bins):,}" for rates in report.spikes.rates)
    return Figure(
        "rates",
        "How often neurons fire",
        f"Share of each layer's neurons by firing rate on {report.spikes.split}, pruned network, torch float64."
        f" Never fired: {silent}.",
        (Panel(Axis("spikes per neuron and step"), Axis("neurons", percent=True), tuple(series)),),
    )


def raster_figure(report: Report) -> Figure | None:
    """The spikes of one sample; None where not recorded."""
    if report.spikes is None or not report.spikes.raster:
        return None
    series, rows, base = [], [], 0
    for place, raster in enumerate(report.spikes.raster):
        height = {neuron: base + row for row, neuron in enumerate(raster.shown)}
        spikes = [(float(step), float(height[neuron])) for step, fired in enumerate(raster.fired) for neuron in fired]
        series.append(Series(raster.layer, tuple(x for x, _ in spikes), tuple(y for _, y in spikes), style=place))
        rows += [
            (raster.layer, str(step), ", ".join(map(str, fired)) or "none") for step, fired in enumerate(raster.fired)
        ]
        base += len(raster.shown)
    shown = ", ".join(f"{len(raster.shown)} of {raster.neurons:,} in {raster.layer}" for raster in report.spikes.raster)
    return Figure(
        "raster",
        "One sample in spikes",
        f"Spikes of the pruned network on sample {report.spikes.sample} of {report.spikes.split}, torch float64;"
        f" neurons spread evenly over each layer ({shown}), the first layer at the bottom.",
        (Panel(Axis("time step", whole=True), Axis("neuron, layer above layer"), tuple(series)),),
        Table(("layer", "time step", "neurons that fired"), tuple(rows)),
    )


def _by_backend(layers: tuple[str, ...], sources: dict[str, list[LayerReport]], what: str) -> tuple[Series, ...]:
    series = []
    for place, (name, rows) in enumerate(sources.items(), -1):
        style = DENSE_STYLE if name == "dense" else STYLES[place % len(STYLES)]
        values = {row.layer: float(getattr(row, what)) for row in rows}
        label = "dense, torch" if name == "dense" else f"pruned, {name}"
        y = tuple(values.get(layer) for layer in layers)
        series.append(Series(label, layers, y, Mark.BARS, style=style))
    return tuple(series)


def _table(report: Report) -> Table:
    columns = ["layer", "channels kept", "neurons, dense", "neurons, pruned"]
    sources = {"dense, torch": report.dense.per_layer}
    sources |= {f"pruned, {name}": found.per_layer for name, found in report.measured.items()}
    columns += [f"{what}: {name}" for what in ("spikes", "SynOps") for name in sources]
    tables = {name: {row.layer: row for row in rows} for name, rows in sources.items()}
    pruned = {row.layer: row for row in report.pruned.per_layer}
    rows = []
    for layer in report.dense.per_layer:
        each = [table.get(layer.layer) for table in tables.values()]
        left = pruned.get(layer.layer)
        rows.append(
            (
                layer.layer,
                number_text(report.pruned.keep_ratios.get(layer.layer), percent=True),
                number_text(layer.neurons),
                number_text(None if left is None else left.neurons),
                *(number_text(None if row is None else row.spikes) for row in each),
                *(number_text(None if row is None else row.synops) for row in each),
            )
        )
    return Table(tuple(columns), tuple(rows))
