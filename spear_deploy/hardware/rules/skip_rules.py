"""The design rule about ways of unequal length: what goes the shorter one has to wait."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import networkx as nx

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
    if allowed is None or allowed.value is None or not _takes_steps(subject.profile):
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


def _takes_steps(profile: Profile) -> bool:
    """Whether spikes cross a connection in a step of the chip, and do not act as soon as they arrive."""
    time, delay = profile.time, profile.synapses.delay
    timed = any(each is not None for each in (time.step, time.barrier, time.barrier_by_routers))
    return timed or (delay is not None and delay.value is not None and delay.value[1] > 0)


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
