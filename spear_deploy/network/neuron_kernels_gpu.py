"""All steps of a layer of neurons in one kernel of a GPU: what `neuron_layer` computes step by step, to the last bit.

Each thread carries the state of a few neurons through all steps in registers, so that currents are read once and
outputs are written once. Needs Triton, which comes with torch's builds for CUDA. Fused multiply-adds are switched off:
they would round once where the step-by-step equation rounds twice.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import triton
import triton.language as tl
from torch import Tensor

from spear_deploy.network.neuron import Reset
from spear_deploy.network.surrogate import SURROGATES

if TYPE_CHECKING:
    from spear_deploy.network.neuron_layer import NeuronLayer

BLOCK = 1024
"""Neurons that a program of the GPU runs."""

SLOPES = {"atan": math.pi, "fast_sigmoid": 25.0, "sigmoid": 25.0}
"""Surrogate gradients that the kernel knows, with what they multiply the membrane by."""


@triton.jit
def _constant(pointer, neuron, inside, each: tl.constexpr):
    """A constant of the neurons: one for all, or one for each (`each` not 0)."""
    value = tl.load(pointer + neuron, mask=inside, other=0.0) if each != 0 else tl.load(pointer)
    return value


@triton.jit
def _forward(
    currents,
    outputs,
    above,
    beta,
    gain,
    alpha,
    offset,
    threshold,
    reset_value,
    hop,
    count,
    neurons,
    steps: tl.constexpr,
    block: tl.constexpr,
    reset: tl.constexpr,
    delayed: tl.constexpr,
    spiking: tl.constexpr,
    recorded: tl.constexpr,
    given: tl.constexpr,
    each: tl.constexpr,
):
    place = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    inside = place < count
    neuron = place % neurons
    keep = _constant(beta, neuron, inside, each & 1)
    v = tl.zeros([block], dtype=beta.dtype.element_ty)
    u = v
    late = v
    top = v
    rest = v
    if spiking:
        top = v + _constant(threshold, neuron, inside, each & 16)
    if given & 32:
        rest = v + _constant(reset_value, neuron, inside, each & 32)
    read, written = place, place
    for _ in range(steps):
        current = tl.load(currents + read, mask=inside, other=0.0).to(v.dtype)
        if given & 2:
            current = current * _constant(gain, neuron, inside, each & 2)
        if given & 4:
            u = u * _constant(alpha, neuron, inside, each & 4) + current
            current = u
        v = v * keep + current
        if given & 8:
            v = v + _constant(offset, neuron, inside, each & 8)
        if spiking:
            if reset == "zero_hold":
                v = tl.where(late != 0, rest, v)
            if reset == "subtract":
                v = v - late * top
            x = v - top
            if recorded:
                tl.store(above + written, x, mask=inside)
            fired = x > 0
            spikes = fired.to(v.dtype)
            tl.store(outputs + written, spikes.to(outputs.dtype.element_ty), mask=inside)
            if reset == "zero":
                v = tl.where(fired, rest, v)
            if reset == "subtract" and not delayed:
                v = v - (spikes - late) * top
                spikes = (v > top).to(v.dtype)
            late = spikes
        else:
            tl.store(outputs + written, v, mask=inside)
        read += hop
        written += count


@triton.jit
def _backward(
    gradient,
    above,
    result,
    beta,
    gain,
    alpha,
    count,
    neurons,
    steps: tl.constexpr,
    slope: tl.constexpr,
    block: tl.constexpr,
    reset: tl.constexpr,
    surrogate: tl.constexpr,
    spiking: tl.constexpr,
    given: tl.constexpr,
    each: tl.constexpr,
):
    place = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    inside = place < count
    neuron = place % neurons
    keep = _constant(beta, neuron, inside, each & 1)
    carried = tl.zeros([block], dtype=beta.dtype.element_ty)
    synaptic = carried
    at = place + (place * 0 + count) * (steps - 1)  # in 64 bits, as place is
    x = carried
    if spiking:
        x = tl.load(above + at, mask=inside, other=0.0)
    for back in range(steps):
        v = tl.load(gradient + at, mask=inside, other=0.0).to(carried.dtype)
        before = x
        if spiking:
            if surrogate == "atan":
                slant = x * slope
                v = v / (slant * slant + 1)
            elif surrogate == "fast_sigmoid":
                slant = tl.abs(x) * slope + 1
                v = v / (slant * slant)
            else:
                s = 1 / (1 + tl.exp(-x * slope))
                v = v * ((s * (1 - s)) * slope)
            before = tl.load(above + (at - count), mask=inside & (back + 1 < steps), other=0.0)
        v = v + carried
        if reset == "zero_hold":
            v = tl.where(before > 0, 0.0, v)
        carried = v * keep
        if reset == "zero":
            carried = tl.where(before > 0, 0.0, carried)
        if given & 4:
            synaptic = v + _constant(alpha, neuron, inside, each & 4) * synaptic
            v = synaptic
        if given & 2:
            v = v * _constant(gain, neuron, inside, each & 2)
        tl.store(result + at, v.to(result.dtype.element_ty), mask=inside)
        x = before
        at -= count


def knows(layer: NeuronLayer, values: Tensor) -> bool:
    """Whether the kernel holds the surrogate gradient and the reset of a layer; its values are of any type."""
    if layer.neuron.reset is Reset.SUBTRACT_ONCE:
        return False
    return layer.spike is SURROGATES.get(getattr(layer.spike, "name", "")) and layer.spike.name in SLOPES


def run(layer: NeuronLayer, currents: Tensor, outputs: Tensor, above: Tensor | None) -> None:
    """Currents `[T, B, *shape]` to outputs, and to the membranes above the threshold where a backward needs them."""
    static = len(currents) > 1 and currents.stride(0) == 0
    count, neurons = outputs[0].numel(), outputs[0, 0].numel()
    constants = (layer.beta, layer.gain, layer.alpha, layer.offset, layer.threshold, layer.reset_value)
    _forward[(triton.cdiv(count, BLOCK),)](
        currents[0].contiguous() if static else currents.contiguous(),
        outputs,
        outputs if above is None else above,
        *(layer.beta if each is None else each for each in constants),
        0 if static else count,
        count,
        neurons,
        steps=len(outputs),
        block=BLOCK,
        reset=str(layer.neuron.reset),
        delayed=layer.neuron.reset_delay,
        spiking=layer.threshold is not None,
        recorded=above is not None,
        given=_bits(each is not None for each in constants),
        each=_bits(each is not None and each.ndim > 0 for each in constants),
        enable_fp_fusion=False,
    )


def run_back(layer: NeuronLayer, gradient: Tensor, result: Tensor, above: Tensor | None) -> None:
    """The gradient of outputs `[T, B, *shape]` to that of the currents."""
    count, neurons = result[0].numel(), result[0, 0].numel()
    constants = (layer.beta, layer.gain, layer.alpha)
    name = getattr(layer.spike, "name", "")
    _backward[(triton.cdiv(count, BLOCK),)](
        gradient.contiguous(),
        result if above is None else above,
        result,
        *(layer.beta if each is None else each for each in constants),
        count,
        neurons,
        steps=len(result),
        slope=SLOPES[name],
        block=BLOCK,
        reset=str(layer.neuron.reset),
        surrogate=name,
        spiking=above is not None,
        given=_bits(each is not None for each in constants),
        each=_bits(each is not None and each.ndim > 0 for each in constants),
        enable_fp_fusion=False,
    )


def _bits(flags: Iterable[bool]) -> int:
    return sum(int(flag) << place for place, flag in enumerate(flags))
