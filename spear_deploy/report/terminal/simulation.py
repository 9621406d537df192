"""A network on backends: every layer of each, and where two of them differ."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from spear_deploy.backends.recording import StateRange
from spear_deploy.backends.side_by_side import Difference, Result
from spear_deploy.report.terminal.table import Table


def layers_table(result: Result) -> Table:
    """Spikes, SynOps and states of every layer on a backend."""
    table = Table("layer", "neurons", "spikes", "SynOps", "u", "v", title="per inference", title_justify="left")
    for layer, count in result.measurement.layers.items():
        states = result.states.get(layer)
        ranges = ("", "") if states is None else ("" if states.u is None else _range(states.u), _range(states.v))
        table.add_row(layer, f"{count.neurons:,}", f"{count.spikes:,.2f}", f"{count.synops:,.1f}", *ranges)
    return table


def resets_text(layers: Sequence[str]) -> Text:
    """Of which layers backends show membranes at another moment."""
    return Text(
        f"v of {', '.join(layers)}: in torch before the reset, on other backends after it; spikes are not touched"
    )


def losses_table(result: Result) -> Table:
    """What rounding did to every layer."""
    table = Table(
        *("layer", "from", "bits", "k", "exp", "worst", "mean", "clip", "zero", "room"),
        title="rounding: errors relative to the largest weight; weights clipped, become zero; bits of v left",
        title_justify="left",
    )
    for each in result.losses:
        room = "" if each.headroom_bits is None else f"{each.headroom_bits:.1f}"
        errors = f"{each.worst_error:.2%}", f"{each.mean_error:.2%}", f"{each.clipped:,}", f"{each.vanished:,}"
        scale = f"{each.scale:.4g}"
        table.add_row(each.layer, each.source, str(each.weight_bits), scale, str(each.exponent), *errors, room)
    return table


def difference_table(difference: Difference) -> Table:
    """Two backends, layer by layer."""
    first, second = difference.backends
    table = Table(
        *("layer", f"spikes {first}", f"spikes {second}", "count error", "outputs that differ"),
        title=f"{first} and {second}",
        title_justify="left",
    )
    for layer, each in difference.agreement.layers.items():
        error = "not comparable" if each.count_error_percent is None else f"{each.count_error_percent:+z.3f} %"
        table.add_row(layer, f"{each.spikes[0]:,}", f"{each.spikes[1]:,}", error, f"{each.differing:,}")
    return table


def where_text(difference: Difference) -> Text:
    """Where two backends differ first, or that they are equal."""
    first, second = difference.backends
    place = difference.agreement.first_difference
    if place is None:
        return Text(f"{first} and {second}: equal in all {len(difference.agreement.layers)} layers", style="bold green")
    return Text(
        f"{first} and {second} differ first in layer {place.layer}: neuron {place.neuron}, step {place.step},"
        f" sample {place.sample}",
        style="bold red",
    )


def _range(found: StateRange) -> str:
    return f"{found.low:.3g} to {found.high:.3g}"
