"""Design rules about what flows: weights, delays, fan-out, inputs and outputs."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np

from spear_deploy.hardware.amounts import keep_text
from spear_deploy.hardware.chip.figures import Interval
from spear_deploy.hardware.rules.finding import Finding, Kind
from spear_deploy.hardware.rules.rules import Subject, most, rule, source_of, wall
from spear_deploy.network import Network, fan_out
from spear_deploy.network.linear import Weighted
from spear_deploy.network.pools import MaxPool2d
from spear_deploy.network.synapses import of_both_signs, paths_out

WEIGHT_BITS = "weight bits"

_FLOAT_ERROR = 1e-6
"""A weight this close to half a level is on it: in another unit float32 rounds it to either side."""


@rule("weight sign")
def weight_sign(subject: Subject) -> Iterator[Finding]:
    """Weights must be of one sign where the chip's are: all of them, or all out of one neuron.

    The ends of its range forbid none: weights and thresholds of a layer times one factor are the same network, whether
    the weights are integers or not. What rounding them to the chip's does is not known without its arithmetic, and told
    as not checked.
    """
    synapses = subject.profile.synapses
    mend, by_source, allowed = (
        "separate excitatory and inhibitory neurons",
        synapses.sign_by_source,
        synapses.weight_range,
    )
    if by_source is not None and by_source.value:
        for source in (subject.network.input, *subject.network.layers):
            mixed = int(of_both_signs(subject.network, source).sum())
            if mixed:
                found = f"{mixed:,} neurons that excite and inhibit"
                yield wall("weight sign", source, found, "one sign for all synapses of a neuron", mend, by_source)
        return
    if allowed is None or allowed.value is None:
        return
    least, largest = allowed.value
    for name, node in subject.network.nodes.items():
        if isinstance(node, Weighted):
            weight = np.asarray(node.weight)
            if least >= 0 and (weight < 0).any():
                yield wall("weight sign", name, "negative weights", "weights from 0 on", mend, allowed)
            if largest <= 0 and (weight > 0).any():
                yield wall("weight sign", name, "positive weights", "weights up to 0", mend, allowed)


def _of_one_sign(allowed: Interval | None) -> bool:
    """Whether a chip's weights are magnitudes."""
    return allowed is not None and allowed.value is not None and (allowed.value[0] >= 0 or allowed.value[1] <= 0)


@rule(WEIGHT_BITS)
def weight_bits(subject: Subject) -> Iterator[Finding]:
    """How many weights that are not zero would be lost when each matrix is rounded to the chip's width alone."""
    allowed = subject.profile.synapses.weight_bits
    if allowed is None or not allowed.known:
        return
    signs = 0 if _of_one_sign(subject.profile.synapses.weight_range) else 1
    levels = 2.0 ** (allowed.amount - signs) - 1
    for name, node in subject.network.nodes.items():
        if not isinstance(node, Weighted):
            continue
        weight = np.abs(np.asarray(node.weight, dtype=np.float64))
        present = weight > 0
        if levels < 1 or not present.any():
            continue
        least = 0.5 * weight.max() / levels * (1 - _FLOAT_ERROR)
        lost = float((weight[present] < least).mean())
        if lost > 0:
            yield Finding(
                WEIGHT_BITS,
                Kind.NOTE,
                name,
                f"{lost:.1%} of the weights round to zero, were the largest of them the largest number",
                f"{allowed.amount:.0f} bit",
                "fine-tune with weights of that width and measure again",
                source_of(allowed),
            )


@rule("one matrix")
def one_matrix(subject: Subject) -> Iterator[Finding]:
    """Weights without neurons between them become one matrix, which may hold more synapses than they do."""
    network = subject.network
    for connection in network.connections:
        weights = [name for name in connection.path if isinstance(network.nodes[name], Weighted)]
        if len(weights) < 2 or any(isinstance(network.nodes[name], MaxPool2d) for name in connection.path):
            continue
        together = int(fan_out(network, connection).sum())
        apart = sum(
            int(paths_out([network.nodes[name]], network.shapes[network.sources(name)[0]]).sum()) for name in weights
        )
        if together > apart:
            yield Finding(
                "one matrix",
                Kind.NOTE,
                ", ".join(weights),
                f"{together:,} synapses, as no neurons lie between them",
                f"{apart:,} layer by layer",
                "put neurons between them, and train again",
                "",
            )


@rule("delay")
def delay(subject: Subject) -> Iterator[Finding]:
    """Delays must lie in the range that the chip holds.

    A connection without a delay waits the least that the chip holds, which shifts whole layers alike.
    """
    allowed = subject.profile.synapses.delay
    if allowed is None or allowed.value is None:
        return
    least, longest = allowed.value
    for names, steps in _delays(subject.network).items():
        where, found = ", ".join(names), f"{steps} steps"
        if steps > longest:
            mend = "shorten the delay, or insert relay neurons"
            yield wall("delay", where, found, f"at most {longest} steps", mend, allowed)
        elif steps < least:
            yield wall("delay", where, found, f"at least {least} steps", "lengthen the delay", allowed)


def _delays(network: Network) -> dict[tuple[str, ...], int]:
    """The delay of each connection that has one, in steps, by the nodes that make it up."""
    late = network.delays
    paths = (tuple(name for name in each.path if name in late) for each in network.connections)
    return {names: sum(late[name] for name in names) for names in paths if names}


@rule("fan-out")
def neuron_fan_out(subject: Subject) -> Iterator[Finding]:
    """A neuron must not reach more synapses than the chip allows."""
    allowed = subject.profile.core.fan_out
    if allowed is None or not allowed.known:
        return
    network = subject.network
    for layer in network.layers:
        reached = sum(fan_out(network, each) for each in network.connections if each.source == layer)
        found = float(reached.max()) if not isinstance(reached, int) else 0.0
        if found > allowed.amount:
            mend = f"prune what {layer} leads to until each of its neurons reaches {allowed.amount:.0f}"
            limit, keep = f"{allowed.amount:.0f} synapses", allowed.amount / found
            yield wall("fan-out", layer, f"{found:.0f} synapses", limit, mend, allowed, keep, used=found)


@rule("analog input")
def analog_input(subject: Subject) -> Iterator[Finding]:
    """Where the chip takes spikes only, the input must be spikes."""
    allowed = subject.profile.io.graded_input
    if subject.analog_input and allowed is not None and allowed.value is False:
        mend = "train with rate-coded or event input"
        converting = (
            ", or give `adapt=True`: it clips event counts to 1, and runs the first layer of other values on the"
            " host (check, simulate)"
        )
        name = subject.network.input
        yield wall("analog input", name, "values", "spikes", mend, allowed, converting=converting)


@rule("input channels")
def input_channels(subject: Subject) -> Iterator[Finding]:
    """The input must not be wider than the chip's."""
    allowed = subject.profile.io.input_channels
    found = prod(subject.network.input_shape)
    if found > most(allowed):
        mend = "reduce the input, by pooling or selection of features"
        yield wall(
            "input channels", subject.network.input, f"{found}", f"{most(allowed):.0f}", mend, allowed, used=found
        )


@rule("hidden neurons")
def hidden_neurons(subject: Subject) -> Iterator[Finding]:
    """All layers but the last must fit into the hidden neurons of the chip."""
    allowed = subject.profile.io.hidden_neurons
    network = subject.network
    found = sum(prod(network.shapes[layer]) for layer in network.layers if layer != network.read_out)
    if found > most(allowed):
        keep = most(allowed) / found
        mend = f"prune the hidden layers to at most {keep_text(keep)}"
        yield wall("hidden neurons", None, f"{found}", f"{most(allowed):.0f}", mend, allowed, keep, used=found)


@rule("output neurons")
def output_neurons(subject: Subject) -> Iterator[Finding]:
    """The last layer must fit into the output neurons of the chip."""
    allowed = subject.profile.io.output_neurons
    network = subject.network
    if network.classes > most(allowed):
        mend = "use fewer classes, or code them over fewer outputs"
        yield wall(
            "output neurons",
            network.read_out,
            f"{network.classes}",
            f"{most(allowed):.0f}",
            mend,
            allowed,
            used=network.classes,
        )


@rule("input expansion")
def input_expansion(subject: Subject) -> Iterator[Finding]:
    """The input must not reach more hidden neurons than the chip connects to it."""
    allowed = subject.profile.io.input_fan_out
    network = subject.network
    reached = {each.target for each in network.connections if each.source == network.input} - {network.read_out}
    found = sum(prod(network.shapes[layer]) for layer in reached)
    if found > most(allowed):
        keep, limit = most(allowed) / found, f"{most(allowed):.0f} neurons"
        mend = f"prune the first layer to at most {keep_text(keep)}"
        yield wall("input expansion", network.input, f"{found} neurons", limit, mend, allowed, keep, used=found)


@rule("output fan-in")
def output_fan_in(subject: Subject) -> Iterator[Finding]:
    """The output must not be reached by more hidden neurons than the chip connects to it."""
    allowed = subject.profile.io.output_fan_in
    network = subject.network
    sources = {each.source for each in network.into(network.read_out)} - {network.input, network.read_out}
    found = sum(prod(network.shapes[layer]) for layer in sources)
    if found > most(allowed):
        keep, limit = most(allowed) / found, f"{most(allowed):.0f} neurons"
        mend = f"prune the last hidden layer to at most {keep_text(keep)}"
        yield wall("output fan-in", network.read_out, f"{found} neurons", limit, mend, allowed, keep, used=found)
