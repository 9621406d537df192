"""All steps of a layer of neurons in one loop of a CPU: what `neuron_layer` computes step by step, to the last bit.

A block of neurons goes through all steps while its state lies in a core's cache, so that currents are read once and
outputs are written once. Needs Numba. Nothing is fused: a product and a sum are rounded one by one, as torch's are.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from spear_deploy.network.compiled import compiled, in_threads
from spear_deploy.network.neuron import Reset
from spear_deploy.network.surrogate import SURROGATES

if TYPE_CHECKING:
    from spear_deploy.network.neuron_layer import NeuronLayer

BLOCK = 4096
"""Neurons whose state is carried at once: 16 KiB of it in float32."""

SLOPES = {"atan": math.pi, "fast_sigmoid": 25.0}
"""Surrogate gradients that the loop knows, with what they multiply the membrane by."""


@cache
def _forward(reset, delayed, spiking, recorded, synaptic, each):
    """The loop for neurons of one kind; `each` tells that every neuron has constants of its own.

    Gains of 1, offsets of 0 and resets to 0 are computed like any other: the loop waits for memory.
    """
    zeroes, holds, once, subtracts = (
        reset is one for one in (Reset.ZERO, Reset.ZERO_HOLD, Reset.SUBTRACT_ONCE, Reset.SUBTRACT)
    )
    remembers = holds or subtracts
    at_once = subtracts and not delayed

    @compiled
    def loop(currents, hop, outputs, above, beta, gain, alpha, offset, threshold, rest, first, last):
        steps, _, neurons = outputs.shape
        zero, one = beta.dtype.type(0), beta.dtype.type(1)
        size = min(BLOCK, neurons)
        v = np.empty(size, beta.dtype)
        u = np.empty(size if synaptic else 1, beta.dtype)
        late = np.empty(size if remembers else 1, beta.dtype)
        keep, factor, keep_u, added, top, bottom = beta[0], gain[0], alpha[0], offset[0], threshold[0], rest[0]
        for sample in range(first, last):
            for start in range(0, neurons, BLOCK):
                stop = min(start + BLOCK, neurons)
                v[:] = zero
                u[:] = zero
                late[:] = zero
                for t in range(steps):
                    given = currents[t * hop, sample, start:stop]
                    sent = outputs[t, sample, start:stop]
                    seen = above[t if recorded else 0, sample, start:stop]
                    for i in range(stop - start):
                        if each:
                            keep, factor, keep_u = beta[start + i], gain[start + i], alpha[start + i]
                            added, top, bottom = offset[start + i], threshold[start + i], rest[start + i]
                        current = given[i] * factor
                        if synaptic:
                            current = u[i] * keep_u + current
                            u[i] = current
                        x = v[i] * keep + current
                        x = x + added
                        if not spiking:
                            sent[i] = x
                            v[i] = x
                            continue
                        if holds:
                            x = bottom if late[i] > zero else x
                        if subtracts:
                            x = x - late[i] * top
                        difference = x - top
                        if recorded:
                            seen[i] = difference
                        spike = one if difference > zero else zero
                        sent[i] = spike
                        if zeroes:
                            x = bottom if difference > zero else x
                        if once:
                            x = x - spike * top
                        if at_once:
                            x = x - (spike - late[i]) * top
                            spike = one if x > top else zero
                        if remembers:
                            late[i] = spike
                        v[i] = x

    return loop


@cache
def _backward(reset, surrogate, spiking, synaptic, each):
    """The way back through time for neurons of one kind."""
    holds, zeroes = reset is Reset.ZERO_HOLD, reset is Reset.ZERO
    clears = spiking and (holds or zeroes)
    squares_last, slope = surrogate == "fast_sigmoid", SLOPES[surrogate]

    @compiled
    def loop(gradient, hop, result, above, beta, gain, alpha, width, first, last):
        steps, _, neurons = result.shape
        zero, one, steep = beta.dtype.type(0), beta.dtype.type(1), beta.dtype.type(slope)
        size = min(BLOCK, neurons)
        carried = np.empty(size, beta.dtype)
        summed = np.empty(size if synaptic else 1, beta.dtype)
        keep, factor, keep_u, wide = beta[0], gain[0], alpha[0], width[0]
        for sample in range(first, last):
            for start in range(0, neurons, BLOCK):
                stop = min(start + BLOCK, neurons)
                carried[:] = zero
                summed[:] = zero
                for back in range(steps):
                    t = steps - 1 - back
                    blamed = gradient[t * hop, sample, start:stop]
                    found = result[t, sample, start:stop]
                    seen = above[t if spiking else 0, sample, start:stop]
                    before = above[t - 1 if clears and t > 0 else 0, sample, start:stop]
                    for i in range(stop - start):
                        if each:
                            keep, factor, keep_u = beta[start + i], gain[start + i], alpha[start + i]
                            wide = width[start + i]
                        v = blamed[i]
                        if spiking:
                            x = seen[i] / wide
                            if squares_last:
                                slant = abs(x) * steep + one
                                v = v / (slant * slant * wide)
                            else:
                                slant = x * steep
                                v = v / ((slant * slant + one) * wide)
                        v = v + carried[i]
                        fired = clears and t > 0 and before[i] > zero
                        if holds:
                            v = zero if fired else v
                        left = v * keep
                        if zeroes:
                            left = zero if fired else left
                        carried[i] = left
                        if synaptic:
                            v = summed[i] * keep_u + v
                            summed[i] = v
                        found[i] = v * factor

    return loop


def knows(layer: NeuronLayer, values: Tensor) -> bool:
    """Whether the loops hold a layer's surrogate gradient and the type of its values."""
    name = getattr(layer.spike, "name", "")
    plain = type(values) is Tensor and values.dtype is layer.beta.dtype  # others have no memory to be read
    return plain and name in SLOPES and layer.spike == SURROGATES[name]


def run(layer: NeuronLayer, currents: Tensor, outputs: Tensor, above: Tensor | None) -> None:
    """Currents `[T, B, *shape]` to outputs, and to the membranes above the threshold where a backward needs them."""
    constants = _constants(layer, beta=1.0, gain=1.0, alpha=0.0, offset=0.0, threshold=0.0, reset_value=0.0)
    loop = _forward(
        layer.neuron.reset,
        layer.neuron.reset_delay,
        layer.threshold is not None,
        above is not None,
        layer.alpha is not None,
        len(constants[0]) > 1,
    )
    _run(loop, currents, outputs, above, constants)


def run_back(layer: NeuronLayer, gradient: Tensor, result: Tensor, above: Tensor | None) -> None:
    """The gradient of outputs `[T, B, *shape]` to that of the currents."""
    constants = _constants(layer, beta=1.0, gain=1.0, alpha=0.0, width=1.0)
    loop = _backward(
        layer.neuron.reset,
        getattr(layer.spike, "name", ""),
        above is not None,
        layer.alpha is not None,
        len(constants[0]) > 1,
    )
    _run(loop, gradient, result, above, constants)


def _run(loop: Any, read: Tensor, written: Tensor, above: Tensor | None, constants: list[Any]) -> None:
    """A loop over what is read, in threads that share the samples; no room for `above` is any, and is not looked at."""
    static = len(read) > 1 and read.stride(0) == 0  # all steps are alike, and lie in one place
    given, hop = _flat((read[:1] if static else read).contiguous()), 0 if static else 1
    room = _flat(written)
    seen = room[:1] if above is None else _flat(above)
    in_threads(
        lambda first, last: loop(given, hop, room, seen, *constants, first, last),
        written.shape[1],
        torch.get_num_threads(),
    )


def _flat(values: Tensor) -> Any:
    """`[T, B, *shape]` as `[T, B, N]`."""
    return values.detach().cpu().flatten(2).numpy()


def _constants(layer: NeuronLayer, **missing: float) -> list[Any]:
    """Constants by name, `[1]` each, or `[N]` each where one of them differs between neurons."""
    held = {name: getattr(layer, name) for name in missing}
    dtype = layer.beta.detach().cpu().numpy().dtype
    found = [
        _single(missing[name], dtype) if value is None else value.detach().cpu().numpy().astype(dtype, copy=False)
        for name, value in held.items()
    ]
    if all(each.size == 1 for each in found):
        return [each.reshape(1) for each in found]
    shape = layer.neuron.shape
    return [np.ascontiguousarray(np.broadcast_to(each, shape)).reshape(-1) for each in found]


@cache
def _single(value: float, dtype: Any) -> Any:
    return np.full((), value, dtype)
