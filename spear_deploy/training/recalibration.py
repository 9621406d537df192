"""Recalibration: a pruned network's input currents brought back to the dense network's.

After pruning, neurons receive less; matching mean and deviation of every channel's input
current, layer by layer, restores most of the firing without a gradient step. SynOps measured
after it predict those after fine-tuning better than SynOps measured right after pruning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any

import nir
import numpy as np
import torch
from torch import Tensor

from spear_deploy.network import Network, Simulation, Trace, samples_at_once
from spear_deploy.network.editing import with_arrays, with_nodes
from spear_deploy.network.linear import has_biases, weighted
from spear_deploy.network.simulation import Change


@dataclass(frozen=True)
class CurrentStatistics:
    """Mean and standard deviation of the input current, by channel `[C]`."""

    mean: Tensor
    deviation: Tensor


@torch.no_grad()
def current_statistics(simulation: Simulation, inputs: Tensor) -> dict[str, CurrentStatistics]:
    """Statistics of every feed-forward neuron layer's input current, on inputs `[T, N, *shape]`."""
    found: dict[str, CurrentStatistics] = {}

    def record(name: str, currents: Iterable[Tensor]) -> Change:
        found[name] = _statistics(currents)
        return lambda current: current

    size = samples_at_once(simulation.network, len(inputs), inputs.device)
    simulation.in_stages(inputs, size, record, traces=False)
    return found


@torch.no_grad()
def recalibrate(
    graph: nir.NIRGraph | Network,
    dense: Mapping[str, CurrentStatistics],
    keep: Mapping[str, Any],
    inputs: Tensor,
    frozen: Set[str] = frozenset(),
) -> tuple[nir.NIRGraph, Trace]:
    """A pruned graph whose channels receive the dense network's current statistics again.

    One pass: each layer's current is corrected before it runs, so that later layers see
    corrected spikes; the corrections then go into weights and biases. Layers inside a
    recurrent loop stay as they are. The trace of that pass comes with the graph: it is what the
    recalibrated network does on these inputs.

    Args:
        graph: the pruned graph, or the view of it where there is one.
        dense: the dense network's statistics by layer, `[C]`.
        keep: by layer, the channels that were kept (all of them where a layer is not named).
        inputs: training inputs `[T, N, *shape]`.
        frozen: nodes whose weights stay as they are, and with them the layers that they lead into.

    """
    simulation = Simulation(graph).to(inputs.device)
    corrections: dict[str, tuple[Tensor, Tensor]] = {}

    def correct(name: str, currents: Iterable[Tensor]) -> Change:
        producers = weights_into(simulation.network, name)
        if not producers or not frozen.isdisjoint(producers):
            return lambda current: current
        now, target = _statistics(currents), dense[name]
        index = torch.as_tensor(np.array(keep[name]), device=now.mean.device) if name in keep else slice(None)
        usable = (now.deviation > 0) & (target.deviation[index] > 0)
        scale = torch.where(usable, target.deviation[index] / now.deviation, 1.0)
        shift = torch.where(usable, target.mean[index] - scale * now.mean, 0.0)
        if _biased(simulation.network, name) is None:
            shift = torch.zeros_like(shift)
        corrections[name] = (scale, shift)
        return partial(_corrected, scale, shift)

    trace = simulation.in_stages(inputs, samples_at_once(simulation.network, len(inputs), inputs.device), correct)
    return _apply(simulation.network, corrections), trace


def _apply(network: Network, corrections: Mapping[str, tuple[Tensor, Tensor]]) -> nir.NIRGraph:
    """The graph with the corrections folded into the weights that lead into each layer."""
    nodes = dict(network.nodes)
    for layer, (scale, shift) in corrections.items():
        biased = _biased(network, layer)
        factor = scale.cpu().double().numpy()
        for name in weights_into(network, layer):
            node = weighted(nodes[name])
            weight = node.weight * factor.reshape(-1, *[1] * (node.weight.ndim - 1))
            changes: dict[str, Any] = {"weight": weight.astype(node.weight.dtype)}
            if hasattr(node, "bias"):
                bias = node.bias * factor + (shift.cpu().double().numpy() if name == biased else 0.0)
                changes["bias"] = bias.astype(node.bias.dtype)
            nodes[name] = with_arrays(node, changes)
    return with_nodes(network.graph, nodes)


def _biased(network: Network, layer: str) -> str | None:
    """The first of the weight nodes right before a layer that has biases; those that are all zero are none."""
    return next((name for name in weights_into(network, layer) if has_biases(network.nodes[name])), None)


def weights_into(network: Network, layer: str) -> list[str]:
    """The weight nodes right before a layer, if they hold all that leads in; else none.

    A pool or a plain sum has no weights that a correction could go into.
    """
    sources = network.sources(layer)
    weights = [name for name in sources if hasattr(network.nodes[name], "weight")]
    return weights if len(weights) == len(sources) else []


def _corrected(scale: Tensor, shift: Tensor, current: Tensor) -> Tensor:
    step = current[:1] if current.stride(0) == 0 else current
    return step.mul_(_by_channel(scale, current)).add_(_by_channel(shift, current)).expand(current.shape)


def _statistics(currents: Iterable[Tensor]) -> CurrentStatistics:
    """Over time, samples and positions of all parts: `[T, B, C, ...]` to `[C]`."""
    return reduce(_joined, map(_part, currents))[1]


def _part(current: Tensor) -> tuple[int, CurrentStatistics]:
    """The number of values of a channel, and their statistics; a channel that never changes deviates by exactly 0.

    Torch's own `std` takes longer over axes that are not the last ones; all steps at once would take the memory of
    the currents once more.
    """
    axes = [axis for axis in range(current.ndim - 1) if axis != 1]  # of one step, `[B, C, ...]`
    count = current.numel() // current.shape[2]
    steps = (current[:1] if current.stride(0) == 0 else current).unbind()

    def mean_over_steps(value: Callable[[Tensor], Tensor]) -> Tensor:
        return torch.stack([value(step).mean(axes) for step in steps]).mean(0)

    first = _by_channel(current[0, 0].reshape(current.shape[2], -1)[:, 0], current)
    mean = first + _by_channel(mean_over_steps(lambda step: step - first), current)
    variance = mean_over_steps(lambda step: (step - mean).square_()) * (count / max(count - 1, 1))
    return count, CurrentStatistics(mean.flatten(), variance.sqrt())


def _joined(a: tuple[int, CurrentStatistics], b: tuple[int, CurrentStatistics]) -> tuple[int, CurrentStatistics]:
    """The statistics of two parts together, each with its number of values (Chan, Golub, LeVeque 1979)."""
    (few, one), (more, other) = a, b
    count = few + more
    apart = other.mean - one.mean
    squares = (few - 1) * one.deviation.square() + (more - 1) * other.deviation.square()
    squares = squares + apart.square() * (few * more / count)
    mean = one.mean + apart * (more / count)
    return count, CurrentStatistics(mean, (squares / (count - 1)).sqrt())


def _by_channel(value: Tensor, like: Tensor) -> Tensor:
    return value.reshape(-1, *[1] * (like.ndim - 3))
