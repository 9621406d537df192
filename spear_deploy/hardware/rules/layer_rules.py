"""Design rules about layers: kinds, kernels, strides, padding, sizes, neurons."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import nir
import numpy as np

from spear_deploy.hardware.amounts import keep_text
from spear_deploy.hardware.chip.figures import Sizes
from spear_deploy.hardware.chip.profile import Profile
from spear_deploy.hardware.placement.connections import CONVOLUTIONS, POOLS, is_biased, volume_of
from spear_deploy.hardware.rules.finding import Finding
from spear_deploy.hardware.rules.rules import Subject, listed, most, one_of, rule, wall
from spear_deploy.network import Reset
from spear_deploy.network.linear import padding_of, pair
from spear_deploy.network.pools import MaxPool2d
from spear_deploy.network.resampling import Resample
from spear_deploy.network.unflattening import Unflatten

KINDS: dict[type, str] = {
    nir.Affine: "dense",
    nir.Linear: "dense",
    nir.Conv1d: "conv1d",
    nir.Conv2d: "conv2d",
    nir.SumPool2d: "sum pool",
    nir.AvgPool2d: "average pool",
    MaxPool2d: "max pool",
    Resample: "resampling",
    nir.Flatten: "flatten",
    Unflatten: "unflatten",
    nir.Scale: "scale",
    nir.Delay: "delay",
}
"""How profiles call the kinds of nodes that connect neurons."""


def _nodes(subject: Subject, *kinds: type) -> Iterator[tuple[str, Any]]:
    for name, node in subject.network.nodes.items():
        if isinstance(node, kinds):
            yield name, node


@rule("layer kind")
def layer_kind(subject: Subject) -> Iterator[Finding]:
    """The chip must know every kind of connection in the network."""
    allowed = subject.profile.layers.kinds
    for name, node in subject.network.nodes.items():
        kind = KINDS.get(type(node))
        if kind is None or one_of(allowed, kind) or kind in ("scale", "delay", "max pool"):
            continue  # a scale folds into the weights beside it; the others have a rule of their own
        yield wall("layer kind", name, kind, listed(allowed), f"replace {name} by a kind that is allowed", allowed)


def compares_currents(profile: Profile) -> bool:
    """Whether a chip can take the largest of several currents; one that does not say so adds them up."""
    allowed = profile.layers.kinds
    return allowed is not None and allowed.value is not None and KINDS[MaxPool2d] in allowed.value


@rule("largest current")
def largest_current(subject: Subject) -> Iterator[Finding]:
    """A pool that takes the largest current before a neuron needs a chip that compares currents."""
    if compares_currents(subject.profile):
        return
    allowed = subject.profile.layers.kinds
    for name, _ in _nodes(subject, MaxPool2d):
        mend = "move the pool behind the neuron or train with an average pool, or let it be converted to what adds up"
        yield wall("largest current", name, "the largest of several currents", "their sum", mend, allowed)


@rule("kernel size")
def kernel_size(subject: Subject) -> Iterator[Finding]:
    """A convolution's kernel must be one that the chip has."""
    allowed = subject.profile.layers.kernel
    for name, node in _nodes(subject, *CONVOLUTIONS):
        sizes = [int(size) for size in node.weight.shape[2:]]
        if not all(one_of(allowed, size) for size in sizes):
            yield _size("kernel size", name, sizes, allowed, "choose another kernel and train again")


@rule("square kernel")
def square_kernel(subject: Subject) -> Iterator[Finding]:
    """Where the chip has square kernels and pools only, height and width must be equal."""
    needed = subject.profile.layers.square_kernels
    if needed is None or not needed.value:
        return
    for name, node in _nodes(subject, nir.Conv2d, *POOLS):
        size = node.weight.shape[2:] if isinstance(node, nir.Conv2d) else pair(node.kernel_size)
        if size[0] != size[1]:
            mend = "pad the kernel with zeros to a square" if isinstance(node, nir.Conv2d) else "use a square pool"
            yield wall("square kernel", name, f"{size[0]} x {size[1]}", "height = width", mend, needed)


@rule("stride")
def stride(subject: Subject) -> Iterator[Finding]:
    """A convolution's stride must be one that the chip has."""
    allowed = subject.profile.layers.stride
    for name, node in _nodes(subject, *CONVOLUTIONS):
        steps = list(dict.fromkeys(int(step) for step in np.atleast_1d(node.stride)))
        if not all(one_of(allowed, step) for step in steps):
            yield _size("stride", name, steps, allowed, "choose another stride and train again")


@rule("padding")
def padding(subject: Subject) -> Iterator[Finding]:
    """A convolution's padding must be one that the chip has."""
    allowed = subject.profile.layers.padding
    for name, node in _nodes(subject, *CONVOLUTIONS):
        pads = padding_of(node)
        if isinstance(pads, str):
            kernel = node.weight.shape[2:]
            reach = [step * (size - 1) for step, size in zip(pair(node.dilation), pair(kernel), strict=True)]
            pads = tuple(-(-each // 2) for each in reach) if pads == "same" else (0,)
        if not all(one_of(allowed, pad) for pad in pads):
            yield _size("padding", name, list(pads), allowed, "choose another padding and train again")


@rule("pool size")
def pool_size(subject: Subject) -> Iterator[Finding]:
    """A pool's window must be one that the chip has, and windows must not overlap there."""
    allowed = subject.profile.layers.pool
    if allowed is None or allowed.value is None:
        return
    for name, node in _nodes(subject, *POOLS):
        kernel, step = pair(node.kernel_size), pair(node.stride)
        if not all(one_of(allowed, size) for size in kernel) or kernel != step:
            found = f"{kernel[0]} x {kernel[1]}, stride {step[0]} x {step[1]}"
            mend = "use a pool of an allowed size with stride = size"
            yield wall("pool size", name, found, listed(allowed), mend, allowed)


@rule("channels")
def channels(subject: Subject) -> Iterator[Finding]:
    """A layer must not have more output channels than the chip allows."""
    allowed = subject.profile.layers.channels
    for layer in subject.network.layers:
        found = volume_of(subject.network.shapes[layer])[0]
        if found > most(allowed):
            keep = most(allowed) / found
            mend = f"prune {layer} to at most {keep_text(keep)} of its channels"
            yield wall("channels", layer, f"{found}", f"{most(allowed):.0f}", mend, allowed, keep, used=found)


@rule("map size")
def map_size(subject: Subject) -> Iterator[Finding]:
    """The maps that enter and leave a layer must not be larger than the chip allows."""
    network, layers = subject.network, subject.profile.layers
    for connection in network.connections:
        for node, allowed, what in (
            (connection.source, layers.input_map, "input map"),
            (connection.target, layers.output_map, "output map"),
        ):
            _, height, width = volume_of(network.shapes[node])
            if max(height, width) > most(allowed):
                found = f"{what} {height} x {width}"
                mend = "crop or pool the input, or use a larger stride"
                limit = f"{most(allowed):.0f} x {most(allowed):.0f}"
                side = max(height, width)
                yield wall("map size", connection.target, found, limit, mend, allowed, used=side)


@rule("bias")
def bias(subject: Subject) -> Iterator[Finding]:
    """Where the chip has no biases, there must be none, and no other constant current."""
    allowed = subject.profile.layers.biases
    if allowed is None or allowed.value is not False:
        return
    for layer in subject.network.layers:
        if subject.network.neurons[layer].offset is not None:
            found = "a constant current (v_leak)"
            yield wall("bias", layer, found, "none", "train neurons that leak to 0, without biases", allowed)
        elif is_biased(subject.network, layer):
            yield wall("bias", layer, "biases", "none", "train without biases", allowed)


@rule("recurrence")
def recurrence(subject: Subject) -> Iterator[Finding]:
    """Where the chip has no recurrent connections, there must be none."""
    allowed = subject.profile.layers.recurrence
    if allowed is None or allowed.value is not False:
        return
    for source, _ in sorted(subject.network.feedback):
        yield wall("recurrence", source, "a loop", "feed-forward only", "train without the loop", allowed)


@rule("neuron model")
def neuron_model(subject: Subject) -> Iterator[Finding]:
    """The chip must have the neuron model of every layer."""
    allowed = subject.profile.neurons.models
    for layer in subject.network.layers:
        model = type(subject.network.nodes[layer]).__name__
        silent = subject.network.neurons[layer].threshold is None
        if one_of(allowed, model) or (silent and layer == subject.network.read_out):
            continue  # a membrane read-out is summed outside the spiking fabric
        yield wall("neuron model", layer, model, listed(allowed), "train with a neuron model that is allowed", allowed)


@rule("reset")
def reset(subject: Subject) -> Iterator[Finding]:
    """The chip must have the reset of every layer that spikes."""
    allowed = subject.profile.neurons.resets
    for layer, neuron in subject.network.neurons.items():
        if not neuron.spikes or neuron.reset is Reset.NONE or one_of(allowed, str(neuron.reset)):
            continue
        mend = f"train with reset {listed(allowed)}"
        converting = ", or convert it: `adapt=True`" if one_of(allowed, "zero") else ""
        yield wall("reset", layer, f"reset {neuron.reset}", listed(allowed), mend, allowed, converting=converting)


def _size(name: str, node: str, found: list[int], allowed: Sizes | None, mend: str) -> Finding:
    return wall(name, node, " x ".join(map(str, found)), listed(allowed), mend, allowed)
