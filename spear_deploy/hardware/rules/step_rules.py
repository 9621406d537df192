"""Design rules about the steps that spikes take: loops are as late as their layers are many, and shorter ways wait."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import networkx as nx

from spear_deploy.hardware.chip.figures import Figure
from spear_deploy.hardware.chip.profile import Profile
from spear_deploy.hardware.rules.finding import Finding
from spear_deploy.hardware.rules.rules import Subject, rule, wall
from spear_deploy.network import Network


@rule("skip delay")
def skip_delay(subject: Subject) -> Iterator[Finding]:
    """A connection must be able to wait for spikes that take longer through more layers.

    Every connection takes a step of the chip. The input is sent to each layer when that layer is due. What closes a
    loop is not asked here.
    """
    allowed = subject.profile.synapses.delay
    if allowed is None or allowed.value is None or _stepping(subject.profile) is None:
        return
    least, longest = allowed.value
    own = 0 if least else 1  # a range from 0 on is of the delay on top of the step that a connection takes
    meeting = _times(subject.network, own + least, own + longest)
    while nx.negative_edge_cycle(meeting):
        cycle = nx.find_negative_cycle(meeting, subject.network.input)
        edges = list(pairwise(cycle))
        short = [edge for edge in edges if "delay" in meeting.edges[edge]]
        through = sorted({source for source, _ in edges} - {name for edge in short for name in edge})
        waited = sum(meeting.edges[edge]["delay"] for edge in short)
        steps = waited - sum(meeting.edges[edge]["weight"] for edge in edges if edge not in short)
        most = waited + sum(meeting.edges[edge]["weight"] for edge in short)
        beside = f"through {', '.join(through)}" if through else "beside it"
        mend = "insert relay neurons, or leave the shorter way out and train again"
        in_order = sorted(short, key=lambda edge: subject.network.layers.index(edge[0]))
        where = "; ".join(f"{source} to {target}" for source, target in in_order)
        yield wall("skip delay", where, f"{steps} steps, as {beside}", f"at most {most} steps", mend, allowed)
        meeting.remove_edges_from(short)


@rule("loop delay")
def loop_delay(subject: Subject) -> Iterator[Finding]:
    """A loop must be as late as its connections take steps.

    Every connection takes a step of the chip, or the least delay that it holds. In the network a loop is one step
    late, or as late as the delays in it, however many layers it leads through.
    """
    stepping, network = _stepping(subject.profile), subject.network
    if stepping is None:
        return
    allowed = subject.profile.synapses.delay
    step = 1 if allowed is None or allowed.value is None else max(1, allowed.value[0])
    late = _lateness(network)
    bounds = nx.DiGraph()
    bounds.add_weighted_edges_from((network.input, layer, 0) for layer in network.layers)
    bounds.add_weighted_edges_from((target, source, steps - step) for (source, target), steps in late.items())
    while nx.negative_edge_cycle(bounds):
        cycle = nx.find_negative_cycle(bounds, network.input)
        loop = sorted(((source, target) for target, source in pairwise(cycle)), key=lambda edge: late[edge] > 0)
        steps, needed = sum(late[edge] for edge in loop), step * len(loop)
        where = ", ".join(layer for layer in network.layers if layer in cycle)
        found = f"{steps} step{'s' * (steps > 1)} late"
        mend = f"put delays of {needed} steps in all into the loop, and train again"
        yield wall("loop delay", where, found, f"at least {needed} steps", mend, stepping)
        bounds.remove_edges_from((target, source) for source, target in loop if late[source, target])


def _stepping(profile: Profile) -> Figure | None:
    """The figure that tells that spikes cross a connection in a step of the chip, and do not act as they arrive."""
    time, delay = profile.time, profile.synapses.delay
    waits = delay if delay is not None and delay.value is not None and delay.value[1] > 0 else None
    return next((each for each in (waits, time.step, time.barrier, time.barrier_by_routers) if each is not None), None)


def _lateness(network: Network) -> dict[tuple[str, str], int]:
    """By how many steps of the network spikes between two layers are late, the promptest of several connections."""
    delays, late = network.delays, dict[tuple[str, str], int]()
    for each in network.connections:
        if each.source == network.input:
            continue
        first = each.path[0] if each.path else each.target
        steps = sum(delays.get(name, 0) for name in each.path) + ((each.source, first) in network.feedback)
        ends = each.source, each.target
        late[ends] = min(steps, late.get(ends, steps))
    return late


def _times(network: Network, least: int, longest: int) -> nx.DiGraph:
    """What bounds the steps by which each layer is later than others, as weights of edges.

    A target may be later than its source by the weight of the edge to it at most, and the source by that of the edge
    back, which is a negative number where it must be earlier. No times keep all bounds around a negative cycle. The
    input only reaches every layer, and bounds none.
    """
    order = {layer: number for number, layer in enumerate(network.layers)}
    delays = network.delays
    bounds = nx.DiGraph()
    bounds.add_weighted_edges_from((network.input, layer, 0) for layer in order)
    for each in network.connections:
        source, target = each.source, each.target
        if source == network.input or order[source] >= order[target]:
            continue
        delay = sum(delays.get(name, 0) for name in each.path)
        ahead, back = bounds.get_edge_data(source, target), bounds.get_edge_data(target, source)
        if ahead is None or longest - delay < ahead["weight"]:
            bounds.add_edge(source, target, weight=longest - delay, delay=delay)
        if back is None or delay - least < back["weight"]:
            bounds.add_edge(target, source, weight=delay - least)
    return bounds
