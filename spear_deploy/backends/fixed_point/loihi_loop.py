"""All steps of a layer in Loihi's integers in one loop of a CPU: what `loihi` computes step by step. Needs Numba.

A block of neurons goes through all steps while its state, integers in float64, lies in a core's cache.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from spear_deploy.network import Reset
from spear_deploy.network.compiled import compiled, in_threads

if TYPE_CHECKING:
    from spear_deploy.backends.fixed_point.loihi import LayerExecution

BLOCK = 2048
"""Neurons whose state is carried at once: 16 KiB of each."""


@cache
def _loop_for(spiking, subtracts, delayed, memoryless, each, biased):
    """The loop for neurons of one kind.

    `each` tells that every neuron has decays and a threshold of its own, `biased` that it has its own bias, as those
    behind a convolution have. What all share need not be read again for each neuron, which takes over half of the time.
    Wrapping and saturating at the limits of a state are computed whether or not they can happen: the loop waits for
    memory.
    """

    @compiled
    def loop(inputs, hop, outputs, keep_u, keep_v, bias, threshold, limit, first, last):
        steps, _, neurons = outputs.shape
        no, yes = outputs.dtype.type(0), outputs.dtype.type(1)
        size = min(BLOCK, neurons)
        u, v = np.empty(size), np.empty(size)
        decay_u, decay_v, added, top = keep_u[0], keep_v[0], bias[0], threshold[0]
        most = limit - 1.0
        for sample in range(first, last):
            for start in range(0, neurons, BLOCK):
                stop = min(start + BLOCK, neurons)
                own = bias[start:stop] if biased else bias
                u[:] = 0.0
                v[:] = 0.0
                for t in range(steps):
                    given, sent = inputs[t * hop, sample, start:stop], outputs[t, sample, start:stop]
                    for i in range(stop - start):
                        if each:
                            decay_u, decay_v, top = keep_u[start + i], keep_v[start + i], threshold[start + i]
                        if biased:
                            added = own[i]
                        current = np.float64(given[i])
                        if not memoryless:
                            current = np.trunc(u[i] * decay_u) + current
                        once = current - 2 * limit if current > limit else current
                        current = current + 2 * limit if once <= -limit else once
                        if not memoryless:
                            u[i] = current
                        before = v[i]
                        x = np.trunc(before * decay_v) + current + added
                        x = min(max(x, -most), most)
                        if not spiking:
                            sent[i] = x
                            v[i] = x
                            continue
                        if subtracts:
                            pending = top if before > top else 0.0
                            x = min(max(x - pending, -most), most)
                        fires = x > top
                        sent[i] = yes if fires else no
                        if subtracts:
                            if not delayed:
                                x = x - ((top if fires else 0.0) - pending)
                        else:
                            x = 0.0 if fires else x
                        v[i] = x

    return loop


def run(layer: LayerExecution, inputs: Tensor, outputs: Tensor) -> None:
    """A layer that hears nothing of itself: inputs, already shifted, to outputs, `[T, B, *shape]` each."""
    constants = _constants(layer)
    reset = layer.values.reset
    loop = _loop_for(
        layer.spikes,
        reset is Reset.SUBTRACT,
        layer.values.reset_delay and reset is Reset.SUBTRACT,
        layer.slowest_u == 0,
        each=len(constants[0]) > 1,
        biased=len(constants[2]) > 1,
    )
    static = len(inputs) > 1 and inputs.stride(0) == 0
    given = _flat(inputs[:1] if static else inputs)
    room = _in_order(outputs)
    sent = room if room.is_contiguous() else torch.empty_like(room, memory_format=torch.contiguous_format)
    rows = sent.flatten(2).cpu().numpy()
    in_threads(
        lambda first, last: loop(given, 0 if static else 1, rows, *constants, layer.limit, first, last),
        outputs.shape[1],
        torch.get_num_threads(),
    )
    if sent is not room:
        room.copy_(sent)


def _in_order(values: Tensor) -> Tensor:
    """`[T, B, *shape]` with channels last, as they lie in memory."""
    return values.movedim(2, -1) if values.ndim == 5 else values


def _flat(values: Tensor) -> Any:
    return _in_order(values).contiguous().flatten(2).cpu().numpy()


def _constants(layer: LayerExecution) -> list[Any]:
    """Decays, bias and threshold, `[1]`, or `[N]` in the order of memory.

    Decays and threshold are `[N]` together, where one differs by neuron; the bias is by itself.
    """
    threshold = layer.keep_v if layer.threshold is None else layer.threshold
    alike = _spread(layer, layer.keep_u, layer.keep_v, threshold)
    (bias,) = _spread(layer, layer.bias)
    return [alike[0], alike[1], bias, alike[2]]


def _spread(layer: LayerExecution, *values: Tensor) -> list[Any]:
    """As arrays `[1]` each, or `[N]` each where one of them differs by neuron."""
    if all(each.ndim == 0 for each in values):
        return [each.reshape(1).cpu().numpy() for each in values]
    spread = (each.expand(layer.shape) for each in values)
    return [(each.movedim(0, -1) if each.ndim == 3 else each).flatten().cpu().numpy() for each in spread]
